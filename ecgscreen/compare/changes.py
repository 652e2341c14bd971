"""What may change between two screenings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ecgscreen.results import Status


class Kind(StrEnum):
    """A way in which a recording, a patient or one of its diagnoses changed."""

    NEWLY_FLAGGED = "newly flagged"
    """A finding is; of what is normal it is NORMAL_FLAGGED. So CLEARED, and NORMAL_CLEARED."""
    RESULT_LOST = "no result any more"
    """It had a score and has none: whatever was flagged is neither confirmed nor gone."""
    APPEARED = "appeared"
    VANISHED = "vanished"
    RESULT_GAINED = "has a result now"
    ROSE = "higher score"
    CLEARED = "no longer flagged"
    FELL = "lower score"
    NORMAL_FLAGGED = "newly flagged as normal"
    NORMAL_CLEARED = "no longer flagged as normal"
    STATUS = "other status"
    QUALITY = "other quality"
    RECORDINGS = "other recordings"
    """Of a patient: how many there are, or how many of them have a result."""


KINDS = tuple(Kind)
NOTHING = -1
"""Where nothing changed, in the place of a number of `KINDS`."""


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
        NEWLY_FLAGGED or CLEARED of a finding, NORMAL_FLAGGED or NORMAL_CLEARED of what is none;
        ROSE, FELL; RESULT_LOST or VANISHED of what was flagged.
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
    int8, shape (n, K): places in `KINDS`, -1 where nothing changed. Findings are not told from what
    is normal here: `ecgscreen.compare.records.make_change` does.
    """
    kinds = np.full(old.flags.shape, NOTHING, np.int8)
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
