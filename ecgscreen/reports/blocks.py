"""The one pass that all reports are written in: their rows, scored, in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ecgscreen.calibration import probabilities
from ecgscreen.reports.content import Report
from ecgscreen.reports.diagnosis_row import SEVERITIES, DiagnosisRow
from ecgscreen.results import RecordResult
from ecgscreen.scoring import (
    LONG_S,
    flags,
    percentiles,
    record_embedding,
    score,
    worst_windows,
)

TOLD = (
    "path",
    "record_id",
    "status",
    "reason",
    "detail",
    "quality",
    "sampling_rate",
    "duration_s",
    "acquired",
    "leads",
    "notes",
)
"""Of a `RecordResult`, what the forms for programs have."""


@dataclass(frozen=True, eq=False)
class ScoredWindows:
    """The windows of those recordings of a block that have more than one, or are long.

    Attributes
    ----------
    record
        int64, shape (M,): the row of the recording within the block.
    start_s
        float32, shape (M,), in seconds.
    embeddings
        float16, shape (M, D).
    scores
        float32, shape (M, K).
    quality
        M phrases; empty where it is not known, since the recording was scored before it was kept.
    """

    record: NDArray[np.int64]
    start_s: NDArray[np.float32]
    embeddings: NDArray[np.float16]
    scores: NDArray[np.float32]
    quality: list[str]


@dataclass(frozen=True, eq=False)
class ScoredBlock:
    """Consecutive rows of the reports.

    Attributes
    ----------
    first
        The first row's number in the report.
    results
        The n recordings, sorted by path.
    embeddings
        float16, shape (n, D); NaN where there is none.
    scores, percentiles, probabilities
        float32, shape (n, K); NaN where there is none.
    flags
        int8, shape (n, K): -1 no result or no threshold, 0, 1.
    flagged
        Of each row the diagnoses whose flag is 1, see `order_flagged`.
    windows
        Of recordings with several, and of long ones.
    worst_start_s
        float32, shape (n, K): of a long recording (see `ecgscreen.scoring.LONG_S`), where the
        window begins that the score is of; NaN for others, whose score is of all windows.
    is_new
        bool, shape (n,): whether the run, or the interrupted one that it goes on with, made it.
    """

    first: int
    results: list[RecordResult]
    embeddings: NDArray[np.float16]
    scores: NDArray[np.float32]
    percentiles: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    flags: NDArray[np.int8]
    flagged: list[list[int]] = field(repr=False)
    windows: ScoredWindows = field(repr=False)
    worst_start_s: NDArray[np.float32]
    is_new: NDArray[np.bool_]

    @cached_property
    def columns(self) -> Mapping[str, Sequence[Any]]:
        """What programs are told of the recordings: n values of each of `TOLD`."""
        return {name: list(map(attrgetter(name), self.results)) for name in TOLD}

    def __getstate__(self) -> dict[str, Any]:
        """Leave the recordings out: another process, which writes for programs, needs no more."""
        return {**vars(self), "results": [], "columns": self.columns}


class ReportWriter(Protocol):
    """What every form of report that has a row a recording promises."""

    def write(self, block: ScoredBlock) -> None:
        """Write the block's rows. Blocks come in order and leave no gap."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


def scored_blocks(report: Report) -> Iterator[ScoredBlock]:
    """Yield all rows of a report, sorted by path, in bounded memory.

    Raises
    ------
    StoreError
        If the store is damaged.
    """
    first = 0
    thresholds = report.thresholds
    is_finding = np.array([row.is_finding for row in report.diagnoses], np.bool_)
    for rows in report.store.iter_sorted():
        results = [row.result for row in rows]
        embeddings = np.full((len(results), report.directions.shape[1]), np.nan, np.float16)
        for row, result in enumerate(results):
            if result.n_windows:
                embeddings[row] = record_embedding(result.embeddings)
        scores = score(embeddings, report.directions)
        windows = _windows(results, report.directions)
        worst_start_s = _take_worst(scores, results, windows, is_finding)
        ranks = percentiles(scores, report.reference_scores)
        raised = flags(scores, thresholds, report.seen)
        yield ScoredBlock(
            first=first,
            results=results,
            embeddings=embeddings,
            scores=scores,
            percentiles=ranks,
            probabilities=probabilities(scores, [row.platt for row in report.diagnoses]),
            flags=raised,
            flagged=order_flagged(report.diagnoses, raised, ranks, scores - thresholds),
            windows=windows,
            worst_start_s=worst_start_s,
            is_new=np.array([row.run >= report.provenance.first_new for row in rows], np.bool_),
        )
        first += len(results)


def order_flagged(
    diagnoses: tuple[DiagnosisRow, ...],
    flags: NDArray[np.int8],
    percentiles: NDArray[np.float32],
    margins: NDArray[np.float64],
) -> list[list[int]]:
    """Return the flagged diagnoses of every recording, worst first.

    By severity; then by percentile, which unlike the cosine compares across diagnoses, where
    there is one; then by how far the score lies above its threshold; then as in the list.

    Parameters
    ----------
    diagnoses
        All K.
    flags
        int8, shape (n, K): 1 where flagged.
    percentiles
        float32, shape (n, K); NaN without reference population.
    margins
        float64, shape (n, K): score minus threshold.
    """
    rows, ks = np.nonzero(flags == 1)
    severity = np.array([SEVERITIES.index(row.severity) for row in diagnoses], np.intp)
    percentile = percentiles[rows, ks]
    percentile[np.isnan(percentile)] = 0
    order = np.lexsort((ks, -margins[rows, ks], -percentile, severity[ks], rows))
    ordered: list[int] = ks[order].tolist()
    ends = np.cumsum(np.bincount(rows, minlength=len(flags))).tolist()
    return [ordered[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _windows(results: list[RecordResult], directions: NDArray[np.float64]) -> ScoredWindows:
    rows = [row for row, result in enumerate(results) if result.n_windows > 1 or is_long(result)]
    starts = [np.empty(0, np.float32), *(results[row].window_starts_s for row in rows)]
    none = np.empty((0, directions.shape[1]), np.float16)
    embeddings = np.concatenate([none, *(results[row].embeddings for row in rows)])
    counts = [results[row].n_windows for row in rows]
    return ScoredWindows(
        record=np.repeat(np.array(rows, np.int64), counts),
        start_s=np.concatenate(starts),
        embeddings=embeddings,
        scores=score(embeddings, directions),
        quality=[phrase for row in rows for phrase in _window_quality(results[row])],
    )


def _window_quality(result: RecordResult) -> tuple[str, ...]:
    # One that is not long is judged as a whole.
    known = "" if is_long(result) else result.quality
    return result.window_quality or (known,) * result.n_windows


def is_long(result: RecordResult) -> bool:
    """Whether a recording has a result, and is scored by its worst window."""
    return result.n_windows > 0 and result.duration_s > LONG_S


def _take_worst(
    scores: NDArray[np.float32],
    results: list[RecordResult],
    windows: ScoredWindows,
    is_finding: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Give long recordings the scores of their worst windows; return where those begin."""
    starts_s = np.full(scores.shape, np.nan, np.float32)
    for row, result in enumerate(results):
        if is_long(result):
            own = slice(*np.searchsorted(windows.record, (row, row + 1)))
            worst = worst_windows(windows.scores[own], is_finding)
            scores[row] = windows.scores[own][worst, np.arange(len(is_finding))]
            starts_s[row] = windows.start_s[own][worst]
    return starts_s
