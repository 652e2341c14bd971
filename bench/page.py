"""How long a browser takes to open report.html: ``python -m bench.page``.

Scans recordings into a report and opens it in headless Chromium: from the command to open it until
the table stands and has been painted, the median of some times, each in a new browser.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.linked_records import write_linked
from bench.scan import LABELS
from ecgscreen.bundle import default_bundle
from ecgscreen.scan import ScanOptions, scan
from tests.browser import NAMES, Browser, find_browser

_PAINTED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
_ROWS = "document.querySelectorAll('#rows tbody th').length"


def seconds_to_open(page: Path, program: str) -> float:
    """Open a page in a browser of its own.

    Raises
    ------
    SystemExit
        If its table has no rows, or the console complains.
    """
    with Browser(program) as browser:
        start = time.perf_counter()
        browser.open(page)
        browser.evaluate(_PAINTED)
        took = time.perf_counter() - start
        if not browser.evaluate(_ROWS) or browser.complaints:
            raise SystemExit(f"{page}: the table is empty, or: {browser.complaints}")
    return took


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000, 20_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    arguments = parser.parse_args()
    program = find_browser()
    if program is None:
        sys.exit(f"no browser is installed ({', '.join(NAMES)})")
    print("| recordings | page, MB | seconds to open it |\n|---|---|---|")
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            records = write_linked(folder / "records", count, 100.0)
            out = folder / "out"
            scan(ScanOptions(roots=(records,), labels=LABELS, out=out, bundle=arguments.bundle))
            page = out / "report.html"
            took = median(seconds_to_open(page, program) for _ in range(arguments.rounds))
            megabytes = page.stat().st_size / 1e6
            print(f"| {count:,} | {megabytes:.2f} | {took:.2f} |", flush=True)


if __name__ == "__main__":
    main()
