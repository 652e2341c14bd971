"""What may change between two screenings, and which change comes first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ecgscreen.reports.diagnosis_row import SEVERITIES, DiagnosisRow
from ecgscreen.results import Status


class Kind(StrEnum):
    """A way in which a recording, a patient or one of its diagnoses changed."""

    NEWLY_FLAGGED = "newly flagged"
    RESULT_LOST = "no result any more"
    """It had a score and has none: whatever was flagged is neither confirmed nor gone."""
    APPEARED = "appeared"
    VANISHED = "vanished"
    RESULT_GAINED = "has a result now"
    ROSE = "higher score"
    CLEARED = "no longer flagged"
    FELL = "lower score"
    STATUS = "other status"
    QUALITY = "other quality"
    RECORDINGS = "other recordings"
    """Of a patient: how many there are, or how many of them have a result."""


KINDS = tuple(Kind)
_NOTHING = -1


@dataclass(frozen=True, slots=True)
class State:
    """What one screening says of a recording or a patient.

    Attributes
    ----------
    status
        Of a recording: of `ecgscreen.results.Status`. Of a patient: scored if any of the
        recordings is, else error.
    reason
        Why there is no score; empty when scored, and for a patient.
    quality
        The quality phrase of a recording; empty for a patient.
    n_scored, n_recordings
        How many recordings of a patient have a result, of how many; 0 for a recording.
    """

    status: str
    reason: str
    quality: str
    n_scored: int = 0
    n_recordings: int = 0

    @property
    def is_scored(self) -> bool:
        """Whether there is a result."""
        return self.status == Status.SCORED


@dataclass(frozen=True, slots=True)
class Finding:
    """How one diagnosis changed.

    Attributes
    ----------
    diagnosis
        Its place among the diagnoses that are compared.
    kind
        NEWLY_FLAGGED, CLEARED, ROSE, FELL; RESULT_LOST or VANISHED of what was flagged.
    old_score, new_score
        Cosines; NaN where there is no result.
    old_percentile, new_percentile
        In percent; NaN where there is none.
    """

    diagnosis: int
    kind: Kind
    old_score: float
    new_score: float
    old_percentile: float
    new_percentile: float


@dataclass(frozen=True, slots=True)
class Change:
    """A recording or a patient that is not as it was.

    Attributes
    ----------
    name
        The recording's path in the reports, or the patient as the table has it.
    patient
        Of a recording, where the table knows; of a patient empty.
    kinds
        What changed, in the order of `Kind`; at least one.
    old, new
        The two states; None where it is not there.
    findings
        The diagnoses that changed, worst first.
    """

    name: str
    patient: str
    kinds: tuple[Kind, ...]
    old: State | None
    new: State | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Moves:
    """From where on a score or a percentile has moved.

    Attributes
    ----------
    score
        In cosine; infinite where scores are not comparable.
    percentile
        In points of a percent, likewise.
    """

    score: float = 0.1
    percentile: float = 10.0


@dataclass(frozen=True, eq=False)
class Figures:
    """What one screening found for n recordings or patients and the K diagnoses compared.

    Attributes
    ----------
    scores, percentiles
        float32, shape (n, K); NaN where there is none.
    flags
        int8, shape (n, K): -1, 0, 1 as in ``report.h5``.
    """

    scores: NDArray[np.float32]
    percentiles: NDArray[np.float32]
    flags: NDArray[np.int8]

    @classmethod
    def nothing(cls, n: int, n_diagnoses: int) -> Figures:
        """Where there is no recording: no score, no percentile, no flag."""
        empty = np.full((n, n_diagnoses), np.nan, np.float32)
        return cls(empty, empty.copy(), np.full((n, n_diagnoses), -1, np.int8))


def finding_kinds(old: Figures, new: Figures, moves: Moves) -> NDArray[np.int8]:
    """Return what became of every diagnosis.

    A diagnosis that was flagged and has no result any more is RESULT_LOST, never CLEARED.

    Parameters
    ----------
    old, new
        The same n recordings or patients in both screenings.
    moves
        What counts as a move: of the score or of the percentile.

    Returns
    -------
    int8, shape (n, K): places in `KINDS`, -1 where nothing changed.
    """
    kinds = np.full(old.flags.shape, _NOTHING, np.int8)
    score = new.scores.astype(np.float64) - old.scores  # NaN where either has none
    percentile = new.percentiles.astype(np.float64) - old.percentiles
    moved = (np.abs(score) >= moves.score) | (np.abs(percentile) >= moves.percentile)
    was, is_now = old.flags == 1, new.flags == 1
    has_result = ~np.isnan(new.scores)
    for where, kind in (
        (moved & (score > 0), Kind.ROSE),
        (moved & (score < 0), Kind.FELL),
        (was & ~is_now & has_result, Kind.CLEARED),
        (was & ~has_result, Kind.RESULT_LOST),
        (is_now & ~was, Kind.NEWLY_FLAGGED),
    ):
        kinds[where] = KINDS.index(kind)
    return kinds


def state_kinds(old: State | None, new: State | None) -> list[Kind]:
    """Return how presence, status and quality changed."""
    if old is None or new is None:
        return [Kind.APPEARED if old is None else Kind.VANISHED]
    if old.is_scored != new.is_scored:
        return [Kind.RESULT_GAINED if new.is_scored else Kind.RESULT_LOST]
    if old.status != new.status or old.reason != new.reason:
        return [Kind.STATUS]
    if (old.n_scored, old.n_recordings) != (new.n_scored, new.n_recordings):
        return [Kind.RECORDINGS]
    return [Kind.QUALITY] if old.quality != new.quality else []


def make_change(
    *,
    name: str,
    patient: str,
    states: tuple[State | None, State | None],
    kinds: NDArray[np.int8],
    figures: tuple[Figures, Figures],
    row: int,
    diagnoses: Sequence[DiagnosisRow],
) -> Change | None:
    """Put together what changed for one recording or patient; None where nothing did.

    Parameters
    ----------
    name, patient
        See `Change`.
    states
        Old and new.
    kinds
        From `finding_kinds`, shape (n, K).
    figures
        Old and new, of n recordings.
    row
        Which of the n.
    diagnoses
        The K that are compared.
    """
    old, new = states
    of_state = state_kinds(old, new)
    before, after = figures
    findings = [
        Finding(
            diagnosis=k,
            # Of a recording that is gone, nothing can be said any more, whatever was flagged.
            kind=Kind.VANISHED if new is None else KINDS[kinds[row, k]],
            old_score=float(before.scores[row, k]),
            new_score=float(after.scores[row, k]),
            old_percentile=float(before.percentiles[row, k]),
            new_percentile=float(after.percentiles[row, k]),
        )
        for k in np.flatnonzero(kinds[row] != _NOTHING).tolist()
    ]
    if not of_state and not findings:
        return None
    present = {*of_state, *(finding.kind for finding in findings)}
    return Change(
        name=name,
        patient=patient,
        kinds=tuple(kind for kind in Kind if kind in present),
        old=old,
        new=new,
        findings=tuple(sorted(findings, key=lambda each: _finding_urgency(each, diagnoses))),
    )


_RANKS = {
    Kind.NEWLY_FLAGGED: 0,
    Kind.RESULT_LOST: 1,
    Kind.VANISHED: 2,
    Kind.ROSE: 4,
    Kind.CLEARED: 5,
    Kind.FELL: 6,
}
_NO_RESULT = 3
_NORMAL, _OTHER = 7, 8


def urgency(change: Change, diagnoses: Sequence[DiagnosisRow]) -> tuple[float, ...]:
    """Return what changes are sorted by, worst first: smaller is more urgent.

    First what is newly flagged, by severity and percentile; then flags whose result is lost or
    whose recording is gone; then what newly has no result; scores that rose; flags that are no
    longer raised; scores that fell; flags that stand for a normal ECG; all else.
    """
    worst = min(
        (_finding_urgency(each, diagnoses) for each in change.findings),
        default=(float(_OTHER), 0.0, 0.0, 0.0),
    )
    lost = change.new is not None and not change.new.is_scored
    if lost and (change.old is None or change.old.is_scored):
        return min(worst, (float(_NO_RESULT), 0.0, 0.0, 0.0))
    return worst


def _finding_urgency(
    finding: Finding, diagnoses: Sequence[DiagnosisRow]
) -> tuple[float, float, float, float]:
    row = diagnoses[finding.diagnosis]
    rank = _RANKS[finding.kind] if row.is_finding else _NORMAL
    shown = finding.old_percentile if math.isnan(finding.new_score) else finding.new_percentile
    percentile = 0.0 if math.isnan(shown) else shown
    moved = finding.new_score - finding.old_score
    size = 0.0 if math.isnan(moved) else abs(moved)
    return float(rank), float(SEVERITIES.index(row.severity)), -percentile, -size


def is_worse(change: Change, diagnoses: Sequence[DiagnosisRow]) -> bool:
    """Whether a finding is newly flagged, or what had a result has none any more."""
    return Kind.RESULT_LOST in change.kinds or any(
        each.kind is Kind.NEWLY_FLAGGED and diagnoses[each.diagnosis].is_finding
        for each in change.findings
    )
