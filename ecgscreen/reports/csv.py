"""``report.csv``: a row a recording, for a person with a spreadsheet and for scripts."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from ecgscreen.reports.blocks import ScoredBlock
from ecgscreen.reports.content import Report
from ecgscreen.reports.decimals import shortest_decimals
from ecgscreen.results import report_text

COLUMNS = ("path", "status", "reason", "quality", "leads", "flagged")
"""The columns before the K scores."""
_END = "\r\n"


class CsvReport:
    """Writes RFC 4180: UTF-8, commas, quotes where needed, lines that end in CR LF.

    ``reason`` is the class of fault and, after a colon, what was found: "signal file
    truncated: 60,000 of 120,000 bytes". ``leads`` and the names in ``flagged`` are
    separated by a blank and by "; ". Scores are the shortest decimals that give the float32
    of ``report.h5`` again; a recording without result has empty cells.
    """

    def __init__(self, path: Path, report: Report) -> None:
        self._names = [row.name for row in report.diagnoses]
        self._no_scores = [""] * len(self._names)
        self._file = path.open("w", encoding="utf-8", newline="")
        heading = csv.writer(self._file, lineterminator=_END)
        heading.writerow([*COLUMNS, *map(text_cell, self._names)])

    def write(self, block: ScoredBlock) -> None:
        """Write the block's rows."""
        has_score = np.logical_and.reduce(~np.isnan(block.scores), axis=1)
        decimals = iter(shortest_decimals(block.scores[has_score].ravel()))
        k = len(self._names)
        texts = _Lines()
        csv.writer(texts, lineterminator=_END).writerows(self._text_cells(block))
        # Decimals need no quotes: their commas take a third of the writer's time.
        for text, is_known in zip(texts, has_score.tolist(), strict=True):
            scores = islice(decimals, k) if is_known else self._no_scores
            self._file.write(",".join([text.removesuffix(_END), *scores]) + _END)

    def _text_cells(self, block: ScoredBlock) -> Iterator[tuple[str, ...]]:
        told = block.columns
        return zip(
            map(text_cell, told["path"]),
            map(str, told["status"]),
            map(_reason_cell, told["reason"], told["detail"]),
            map(_common_cell, told["quality"]),
            map(" ".join, told["leads"]),
            [_common_cell("; ".join([self._names[k] for k in ks])) for ks in block.flagged],
            strict=True,
        )

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class _Lines(list[str]):
    """Lines that a `csv.writer` takes for a file."""

    write = list.append


_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_EXECUTABLE = re.compile(f"^(?=[{_FORMULA}\t\r\n])|(?<=;)(?=[{_FORMULA}])")


def text_cell(text: str) -> str:
    """Return `text` as a cell that no spreadsheet takes for a formula.

    An apostrophe goes before a first character that begins a formula (``= + - @``, tab and
    line breaks, and the full-width forms of them), as OWASP's page on CSV injection has it;
    also before one that follows a semicolon, where a spreadsheet set to German or French
    begins a new cell. All other text stays as it is.
    """
    return _EXECUTABLE.sub("'", report_text(text))


def _reason_cell(reason: str, detail: str) -> str:
    if detail:
        reason = f"{reason}: {detail}"
    # One line, whatever the fault quotes.
    return text_cell(" ".join(reason.split())) if reason else ""


_common_cell = lru_cache(maxsize=1024)(text_cell)
"""For what many recordings have in common."""
