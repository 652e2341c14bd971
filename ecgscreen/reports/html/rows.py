"""The rows of ``report.html``: compact, kept on disk, and ordered worst first."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.lead_choice import AMPLITUDE_UNKNOWN
from ecgscreen.reports.blocks import ScoredBlock
from ecgscreen.reports.content import Report
from ecgscreen.reports.diagnosis_row import SEVERITIES
from ecgscreen.reports.html.words import Words, load_words
from ecgscreen.results import Status, printable

STATUSES = tuple(Status)
_STATUS_NUMBERS = {status: number for number, status in enumerate(STATUSES)}


class Row(NamedTuple):
    """A recording as the page holds it; in JSON, an array of these in this order."""

    name: str
    """Printable; told from others by `record_id`."""
    record_id: str
    status: int
    """Index into `STATUSES`."""
    reason: str
    detail: str
    quality: str
    leads: str
    notes: str
    length_s: float | None
    rate: float | None
    flagged: list[int]
    """Which diagnoses, worst first."""
    scores: list[int | None]
    """K cosines in thousandths; empty without result, as the next two are without a value."""
    percentiles: list[int | None]
    """In tenths of a percent."""
    probabilities: list[int | None]
    """In thousandths."""
    start_s: float | None
    """Where the window begins that speaks most for the worst flag, in seconds."""
    path: str
    """The name that it is read by, where that is not printable; else empty."""
    is_new: int
    """1 if this run made the row."""
    acquired: str
    no_amplitude: int
    """1 if the unit is no voltage: what rests on heights is marked."""


class RowStore:
    """Collects the rows of a run in a file without a name; memory holds 32 bytes a row.

    Parameters
    ----------
    folder
        Where the file is made: what it holds belongs to the report's folder.
    report
        What is reported.
    """

    def __init__(self, folder: Path, report: Report) -> None:
        self._thresholds = report.thresholds
        self._said = _Said(load_words(report.language))
        self._encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
        self._normal = [not row.is_finding for row in report.diagnoses]
        self._severity = np.array([SEVERITIES.index(row.severity) for row in report.diagnoses])
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self._sha256 = hashlib.sha256()
        self._ends = array("q")
        self._urgency = array("B")
        self._is_old = array("B")
        self._order: NDArray[np.intp] | None = None
        self.has_acquired = False
        self._percentile = array("f")
        self._margin = array("f")

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def is_mixed(self) -> bool:
        """Whether some rows are of this run and some of those before."""
        return 0 in self._is_old and 1 in self._is_old

    @property
    def digest(self) -> str:
        """SHA-256 of all rows, hexadecimal: the same for the same results."""
        return self._sha256.hexdigest()

    def write(self, block: ScoredBlock) -> None:
        """Add the block's rows."""
        # Stable: findings first.
        flagged = [sorted(each, key=self._normal.__getitem__) for each in block.flagged]
        lines = list(map(self._encode, _rows(block, self._said, flagged)))
        content = "".join([f"{line}\n" for line in lines]).encode("ascii")
        self._file.write(content)
        self._sha256.update(content)
        end = self._ends[-1] if self._ends else 0
        lengths = np.array([len(line) + 1 for line in lines], np.int64)
        self._ends.frombytes((end + lengths.cumsum()).tobytes())
        self._is_old.frombytes((~block.is_new).tobytes())
        self.has_acquired |= any(block.columns["acquired"])
        self._rank(block, flagged)

    def worst_first(self, n: int) -> Iterator[bytes]:
        """Yield the JSON of the `n` rows that come first: those of this run, worst first.

        Worst is what is flagged, then what was not scored. Of the flagged, by severity of the
        worst finding, then by percentile, then by how far the score lies above its threshold.
        Then comes what is not flagged, not even as normal, and last what is flagged as normal
        only. Otherwise as in the other reports, by path. What earlier runs made follows in the
        same order.
        """
        return self._lines(self._in_order()[:n])

    def findings(self, n: int) -> Iterator[bytes]:
        """Yield the JSON of the first `n` rows with a finding, in the same order."""
        order = self._in_order()
        has_finding = np.array(self._urgency)[order] < len(SEVERITIES)
        return self._lines(order[has_finding][:n])

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _in_order(self) -> NDArray[np.intp]:
        if self._order is None or len(self._order) < len(self):
            self._order = np.lexsort(
                (
                    -np.array(self._margin),
                    -np.array(self._percentile),
                    np.array(self._urgency),
                    np.array(self._is_old),
                )
            )
        return self._order

    def _lines(self, indices: NDArray[np.intp]) -> Iterator[bytes]:
        if not len(indices):
            return  # and nothing to map, where there is no row at all
        self._file.flush()
        # Seeking and reading would fill a buffer for each line.
        with mmap(self._file.fileno(), 0, access=ACCESS_READ) as content:
            for index in indices.tolist():
                start = self._ends[index - 1] if index else 0
                yield content[start : self._ends[index] - 1]

    def _rank(self, block: ScoredBlock, flagged: list[list[int]]) -> None:
        """Remember what the block's rows are ordered by."""
        is_scored = [status is Status.SCORED for status in block.columns["status"]]
        is_flagged = np.array([bool(each) for each in flagged], np.bool_)
        urgency = np.where(is_scored, len(SEVERITIES) + 1 + is_flagged, len(SEVERITIES))
        percentile, margin = np.zeros((2, len(flagged)), np.float32)
        worst = [(row, each[0]) for row, each in enumerate(flagged) if each]
        found = [(row, k) for row, k in worst if not self._normal[k]]
        if found:
            rows, ks = np.array(found, np.intp).T
            urgency[rows] = self._severity[ks]
            percentile[rows] = np.nan_to_num(block.percentiles[rows, ks])
            margin[rows] = block.scores[rows, ks] - self._thresholds[ks]
        self._urgency.frombytes(urgency.astype(np.uint8).tobytes())
        self._percentile.frombytes(percentile.tobytes())
        self._margin.frombytes(margin.tobytes())


class _Said:
    """What is said of many recordings in the same words; these are looked up once."""

    def __init__(self, words: Words) -> None:
        remembered = lru_cache(1024)
        self.reason = remembered(lambda text: words.reason(printable(text)))
        self.detail = words.detail  # hardly ever the same
        self.quality = remembered(lambda text: words.quality_phrase(printable(text)))
        self.leads: Callable[[tuple[str, ...]], str] = remembered(" ".join)
        self.notes = remembered(lambda notes: printable("; ".join(map(words.note, notes))))
        self.number = remembered(lambda value: None if math.isnan(value) else round(value, 3))
        self.has_no_amplitude = remembered(
            lambda notes: int(any(note.endswith(AMPLITUDE_UNKNOWN) for note in notes))
        )


def _rows(
    block: ScoredBlock, said: _Said, flagged: list[list[int]]
) -> Iterator[tuple[object, ...]]:
    """The fields of a block's recordings, as `Row` has them."""
    told = block.columns
    names = list(map(printable, told["path"]))
    columns: dict[str, Iterable[object]] = {
        "name": names,
        "record_id": told["record_id"],
        "status": map(_STATUS_NUMBERS.__getitem__, told["status"]),
        "reason": map(said.reason, told["reason"]),
        "detail": [said.detail(result) if result.detail else "" for result in block.results],
        "quality": map(said.quality, told["quality"]),
        "leads": map(said.leads, told["leads"]),
        "notes": map(said.notes, told["notes"]),
        "length_s": map(said.number, told["duration_s"]),
        "rate": map(said.number, told["sampling_rate"]),
        "flagged": flagged,
        "scores": _shown(block.scores, 1000),
        "percentiles": _shown(block.percentiles, 10),
        "probabilities": _shown(block.probabilities, 1000),
        "start_s": [
            _start(block, number, worst_first[0]) if worst_first else None
            for number, worst_first in enumerate(flagged)
        ],
        "path": [
            "" if name == path else path for name, path in zip(names, told["path"], strict=True)
        ],
        "is_new": block.is_new.astype(int).tolist(),
        "acquired": told["acquired"],
        "no_amplitude": map(said.has_no_amplitude, told["notes"]),
    }
    return zip(*(columns[field] for field in Row._fields), strict=True)


def _start(block: ScoredBlock, number: int, worst: int) -> float:
    """Where the window begins that speaks most for a recording's worst flag."""
    result = block.results[number]
    start_s = float(block.worst_start_s[number, worst])
    if not math.isnan(start_s):
        return start_s
    if result.n_windows == 1:
        return float(result.window_starts_s[0])
    rows = np.flatnonzero(block.windows.record == number)
    if not len(rows):
        return float(result.window_starts_s[0])
    best = rows[int(np.argmax(block.windows.scores[rows, worst]))]
    return float(block.windows.start_s[best])


def _shown(values: NDArray[np.float32], factor: int) -> list[list[int | None]]:
    """Whole numbers of every row, None for NaN; nothing where all of a row are."""
    unknown = np.isnan(values)
    whole = np.rint(np.where(unknown, 0, values).astype(np.float64) * factor)
    integers: NDArray[Any] = whole.astype(np.int64)
    if unknown.any():
        integers = integers.astype(object)
        integers[unknown] = None
    shown: list[list[int | None]] = integers.tolist()
    for row in np.flatnonzero(unknown.all(axis=1)).tolist():
        shown[row] = []
    return shown
