"""Collects the rows of a run and makes the page of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ecgscreen.reports.beside import Beside
from ecgscreen.reports.blocks import ScoredBlock
from ecgscreen.reports.content import Report
from ecgscreen.reports.html.flagged import flagged_section
from ecgscreen.reports.html.frame import foot, head
from ecgscreen.reports.html.overview import overview
from ecgscreen.reports.html.provenance import provenance_section
from ecgscreen.reports.html.rows import STATUSES, Row, RowStore
from ecgscreen.reports.html.words import Words, load_words
from ecgscreen.reports.tally import RunSummary, Tally
from ecgscreen.results import printable
from ecgscreen.scoring import LONG_S

MAX_ROWS = 20_000
"""Rows of the table: what a browser opens in a second or two. report.csv has all."""

MAX_STRIPS = 100
"""Strips of the page: a morning's reading, and about 2 MB."""

ROWS_AT_ONCE = 512
"""Rows of the table that are written in one piece, some 200 kB."""

RUN_DIGITS = 16


class HtmlReport:
    """Writes ``report.html`` when all rows are known, since the worst come first.

    The page needs nothing but itself: style and script are part of it and named to the browser
    by their hashes (Content-Security-Policy), so that nothing else can run or be fetched. Every
    text of the run is escaped, file names above all. The same run gives the same bytes.

    Parameters
    ----------
    path
        The file.
    report
        What is reported.
    tally
        Has counted all rows when the page is written.
    beside
        Another process, which draws some of the strips.
    """

    def __init__(
        self, path: Path, report: Report, tally: Tally, beside: Beside | None = None
    ) -> None:
        self._path = path
        self._report = report
        self._beside = beside
        self._tally = tally
        self._rows = RowStore(path.parent, report)

    def write(self, block: ScoredBlock) -> None:
        """Take the block's rows."""
        self._rows.write(block)

    def close(self) -> None:
        """Write the page."""
        try:
            # A run that broke off has fewer rows; nothing is drawn for it.
            if len(self._rows) == self._report.store.n_records:
                with self._path.open("wb") as file:
                    file.writelines(self._page())
        finally:
            self._rows.close()

    def _page(self) -> Iterator[bytes]:
        words = load_words(self._report.language)
        summary = self._tally.summary()
        run = self._rows.digest[:RUN_DIGITS]
        n_strips = min(MAX_STRIPS, summary.n_with_finding)
        strips = [Row(*json.loads(line)) for line in self._rows.findings(n_strips)]
        yield head(words, self._report.provenance).encode()
        yield overview(summary, self._report.provenance, words).encode()
        yield _table(summary, words, is_mixed=self._rows.is_mixed).encode()
        for part in flagged_section(strips, summary, self._report, words, self._beside):
            yield part.encode()
        yield provenance_section(self._report.provenance, run, words).encode()
        yield b'<script type="application/json" id="content">'
        yield from self._content(run, n_strips, words)
        yield b"</script>\n"
        yield foot().encode()

    def _content(self, run: str, n_strips: int, words: Words) -> Iterator[bytes]:
        """The rows as JSON that no HTML parser finds an end tag in."""
        meta = {
            "run": run,
            "language": words.language,
            "words": {**words.page, **words.script},
            "statuses": [words[f"status_{status}"] for status in STATUSES],
            "status_names": list(STATUSES),
            "diagnoses": [
                {
                    "name": printable(row.name),
                    "shown": words.diagnosis(row.name),
                    "group": printable(row.group),
                    "severity": row.severity,
                    "finding": row.is_finding,
                    "voltage": row.rests_on_voltage,
                }
                for row in self._report.diagnoses
            ],
            "strips": n_strips,
            "percentiles": self._report.has_percentiles,
            "probabilities": self._report.has_probabilities,
            "acquired": self._rows.has_acquired,
            "flags": any(row.can_be_flagged for row in self._report.diagnoses),
            "mixed": self._rows.is_mixed,
            "long_s": LONG_S,
        }
        yield b'{"meta":' + _inert(json.dumps(meta, separators=(",", ":")).encode())
        yield b',"rows":['
        separator = b""
        lines = self._rows.worst_first(MAX_ROWS)
        while some := list(islice(lines, ROWS_AT_ONCE)):
            yield separator + _inert(b",\n".join(some))
            separator = b",\n"
        yield b"]}"


def _table(summary: RunSummary, words: Words, *, is_mixed: bool) -> str:
    """The place of the table, which the script fills."""
    capped = f"<p>{words['table_new']}</p>" if is_mixed else ""
    if summary.n_records > MAX_ROWS:
        shown, n = words.count(MAX_ROWS), words.count(summary.n_records)
        capped += f"<p>{words['table_worst'].format(shown=shown, n=n)}</p>"
    return (
        f'<section aria-labelledby="table-title"><h2 id="table-title" tabindex="-1">'
        f"{words['table']}</h2>{capped}"
        f'<div id="table"><noscript><p>{words["no_script"]}</p></noscript></div></section>\n'
    )


def _inert(content: bytes) -> bytes:
    # ASCII it is already (json.dumps); "<" would begin "</script>" or "<!--".
    return content.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
