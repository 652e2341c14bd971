"""Whether a scan of many recordings takes more memory, or more time a recording, than a small one.

``python -m bench.scale`` scans 2,000, 20,000 and 200,000 recordings at 100 Hz, which takes
minutes, and prints a Markdown table. Memory is the largest sum of the resident sets of the command
and its workers, looked at ten times a second; pages that they share count more than once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.linked_records import write_linked
from bench.scan import LABELS, ROOT
from ecgscreen.bundle import default_bundle

COUNTS = (2_000, 20_000, 200_000)
MOST_MORE_MB, MOST_TIMES = 50.0, 10.5
_SECONDS_BETWEEN = 0.1


def measure(records: Path, out: Path, bundle: Path) -> tuple[float, float]:
    """Scan a folder.

    Parameters
    ----------
    records
        The folder.
    out
        Where the reports go; does not exist.
    bundle
        The model.

    Returns
    -------
    Seconds, and the largest memory in MB.
    """
    options = ["--labels", LABELS, "--out", str(out), "--bundle", str(bundle), "-q"]
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "ecgscreen", "scan", str(records), *options],
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        most = 0
        while process.poll() is None:
            most = max(most, resident_bytes(process.pid))
            time.sleep(_SECONDS_BETWEEN)
        took = time.perf_counter() - start
    if process.returncode != 0:
        raise SystemExit(f"the scan of {records} ended with exit code {process.returncode}")
    return took, most / 1e6


def resident_bytes(session: int) -> int:
    """Sum the resident sets of the processes of a session."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                total += 4096 * int(fields[21])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--counts", type=int, nargs=3, default=COUNTS, metavar="N")
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--folder", type=Path, help="for the recordings, which are removed again")
    arguments = parser.parse_args()
    print("| recordings | seconds | records/s | largest memory, MB |\n|---|---|---|---|")
    found = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        for count in arguments.counts:
            records = write_linked(Path(name) / str(count), count, 100.0)
            took, megabytes = measure(records, Path(name) / f"out{count}", arguments.bundle)
            found.append((took, megabytes))
            print(f"| {count:,} | {took:.1f} | {count / took:.0f} | {megabytes:.0f} |", flush=True)
    few, some, many = arguments.counts
    (_, least), (some_took, _), (many_took, most) = found
    print(
        f"\nFrom {few:,} to {many:,}: {most - least:+.0f} MB, at most {MOST_MORE_MB:+.0f} MB "
        f"wanted. From {some:,} to {many:,}: {many_took / some_took:.2f} x the time, at most "
        f"{MOST_TIMES * many / some / 10:g} x wanted."
    )


if __name__ == "__main__":
    main()
