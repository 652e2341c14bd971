"""``report.csv``: a row a recording, for a person with a spreadsheet and for scripts."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.reports.content import SEVERITIES, DiagnosisRow, Report, ScoredBlock
from ecgscreen.results import RecordResult, report_text

COLUMNS = ("path", "status", "reason", "quality", "leads", "flagged")
"""The columns before the K scores."""


class CsvReport:
    """Writes RFC 4180: UTF-8, commas, quotes where needed, lines that end in CR LF.

    ``reason`` is the class of fault and, after a colon, what was found: "signal file
    truncated: 60,000 of 120,000 bytes". ``leads`` and the names in ``flagged`` are
    separated by a blank and by "; ". Scores are the shortest decimals that give the float32
    of ``report.h5`` again; a recording without result has empty cells.
    """

    def __init__(self, path: Path, report: Report) -> None:
        self._diagnoses = report.diagnoses
        self._thresholds = report.thresholds
        self._no_scores = [""] * len(self._diagnoses)
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\r\n")
        self._rows.writerow([*COLUMNS, *(text_cell(row.name) for row in self._diagnoses)])

    def write(self, block: ScoredBlock) -> None:
        """Write the block's rows."""
        flagged = (block.flags == 1).any(axis=1)
        for row, result in enumerate(block.results):
            names = self._flagged(block, row) if flagged[row] else ""
            scores = self._no_scores
            if not np.isnan(block.scores[row]).any():
                scores = [str(value) for value in block.scores[row]]
            self._rows.writerow([*_text_cells(result, names), *scores])

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def _flagged(self, block: ScoredBlock, row: int) -> str:
        worst_first = order_flagged(
            self._diagnoses,
            np.flatnonzero(block.flags[row] == 1),
            block.percentiles[row],
            block.scores[row] - self._thresholds,
        )
        return "; ".join(self._diagnoses[k].name for k in worst_first)


def order_flagged(
    diagnoses: tuple[DiagnosisRow, ...],
    flagged: NDArray[np.intp],
    percentile: NDArray[np.float32],
    margin: NDArray[np.float64],
) -> list[int]:
    """Return the flagged diagnoses of a recording, worst first.

    By severity; then by percentile, which unlike the cosine compares across diagnoses, where
    there is one; then by how far the score lies above its threshold; then as in the list.

    Parameters
    ----------
    diagnoses
        All K.
    flagged
        Which of them are flagged.
    percentile
        float32, shape (K,); NaN without reference population.
    margin
        float64, shape (K,): score minus threshold.
    """
    rank = np.where(np.isnan(percentile), 0, percentile)
    return sorted(
        flagged.tolist(),
        key=lambda k: (SEVERITIES.index(diagnoses[k].severity), -rank[k], -margin[k], k),
    )


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


def _text_cells(result: RecordResult, flagged: str) -> list[str]:
    reason = f"{result.reason}: {result.detail}" if result.detail else result.reason
    cells = (
        result.path,
        result.status,
        " ".join(reason.split()),  # one line, whatever the fault quotes
        result.quality,
        " ".join(result.leads),
        flagged,
    )
    return [text_cell(cell) for cell in cells]
