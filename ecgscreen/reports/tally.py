"""Counts over a run, taken in the same pass as the reports are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ecgscreen.errors import ExitCode
from ecgscreen.reports.blocks import ScoredBlock
from ecgscreen.reports.diagnosis_row import DiagnosisRow
from ecgscreen.results import RecordResult, Status

TOP_RECORDS = 3
NOT_SCORED_SHOWN = 10


@dataclass(frozen=True)
class RankedRecord:
    """A recording that ranks high for a diagnosis.

    Attributes
    ----------
    path
        Its name in the reports.
    score
        Cosine.
    percentile
        Within the reference population, in percent; NaN without.
    """

    path: str
    score: float
    percentile: float


@dataclass(frozen=True)
class DiagnosisSummary:
    """A diagnosis over the whole run.

    Attributes
    ----------
    diagnosis
        The line of the list.
    n_flagged
        Recordings at or above its threshold; 0 without threshold.
    highest
        The recordings with the highest scores, highest first, at most `TOP_RECORDS`.
    """

    diagnosis: DiagnosisRow
    n_flagged: int
    highest: tuple[RankedRecord, ...]


@dataclass(frozen=True)
class RunSummary:
    """A run in numbers.

    Attributes
    ----------
    by_status
        Recordings of every `Status`, also where there is none.
    by_reason
        Recordings without score, by class of fault, commonest first.
    n_flagged
        Recordings with at least one flag.
    n_with_finding
        Those of them with a flag that is not of a normal finding.
    diagnoses
        As in the list.
    not_scored
        The first of the recordings without score, at most `NOT_SCORED_SHOWN`, by path.
    n_new, n_new_scored
        Rows that this run made, and those of them that have a score; None: all.
    fail_if_empty
        Whether a run without a new row has an exit code of its own.
    """

    by_status: Mapping[Status, int]
    by_reason: Mapping[str, int]
    n_flagged: int
    n_with_finding: int
    diagnoses: tuple[DiagnosisSummary, ...]
    not_scored: tuple[RecordResult, ...]
    n_new: int | None = None
    n_new_scored: int | None = None
    fail_if_empty: bool = False

    @property
    def n_records(self) -> int:
        """All recordings."""
        return sum(self.by_status.values())

    @property
    def n_scored(self) -> int:
        """Recordings that have a score."""
        return self.by_status[Status.SCORED]

    @property
    def n_not_scored(self) -> int:
        """Recordings that have none."""
        return self.n_records - self.n_scored

    @property
    def exit_code(self) -> ExitCode:
        """What the run's command ends with: it is about what this run did."""
        n_new = self.n_records if self.n_new is None else self.n_new
        n_new_scored = self.n_scored if self.n_new_scored is None else self.n_new_scored
        if n_new == 0 and self.fail_if_empty:
            return ExitCode.NOTHING_TO_DO
        return ExitCode.SOME_NOT_SCORED if n_new_scored < n_new else ExitCode.OK


class Tally:
    """Counts block by block; memory does not grow with the run."""

    def __init__(self, diagnoses: tuple[DiagnosisRow, ...]) -> None:
        self._diagnoses = diagnoses
        self._by_status: Counter[Status] = Counter()
        self._by_reason: Counter[str] = Counter()
        self._n_flagged = 0
        self._n_with_finding = 0
        self._is_finding = np.array([row.is_finding for row in diagnoses], np.bool_)
        self._flagged = np.zeros(len(diagnoses), np.int64)
        self._highest: list[list[RankedRecord]] = [[] for _ in diagnoses]
        self._not_scored: list[RecordResult] = []

    def write(self, block: ScoredBlock) -> None:
        """Count the block's rows."""
        self._by_status.update(block.columns["status"])
        raised = block.flags == 1
        self._n_flagged += int(raised.any(axis=1).sum())
        self._n_with_finding += int(raised[:, self._is_finding].any(axis=1).sum())
        self._flagged += raised.sum(axis=0)
        missed = [result for result in block.results if result.status is not Status.SCORED]
        self._by_reason.update(result.reason for result in missed)
        self._not_scored += missed[: NOT_SCORED_SHOWN - len(self._not_scored)]
        ranked = np.argsort(-block.scores, axis=0, kind="stable")[:TOP_RECORDS]  # NaN comes last
        for k, rows in enumerate(ranked.T):
            best = [
                RankedRecord(
                    block.results[row].path,
                    float(block.scores[row, k]),
                    float(block.percentiles[row, k]),
                )
                for row in rows
                if not np.isnan(block.scores[row, k])
            ]
            # Sorting is stable: of equal scores the first path stays first.
            both = sorted(self._highest[k] + best, key=lambda record: -record.score)
            self._highest[k] = both[:TOP_RECORDS]

    def close(self) -> None:
        """Nothing is open."""

    def summary(self) -> RunSummary:
        """Return the counts so far."""
        return RunSummary(
            by_status={status: self._by_status[status] for status in Status},
            by_reason=dict(sorted(self._by_reason.items(), key=lambda item: (-item[1], item[0]))),
            n_flagged=self._n_flagged,
            n_with_finding=self._n_with_finding,
            diagnoses=tuple(
                DiagnosisSummary(row, int(count), tuple(highest))
                for row, count, highest in zip(
                    self._diagnoses, self._flagged, self._highest, strict=True
                )
            ),
            not_scored=tuple(self._not_scored),
        )
