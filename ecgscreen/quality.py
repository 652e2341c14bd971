"""Whether a recording can be scored, and which of its leads to leave out.

The signal is judged as it came, before any filter, but only for what the filter leaves in it. A
lead is left out for what makes it meaningless, not for what makes it ugly, which is named. An
unusable recording is a result of its own, never "negative".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecgscreen.heard import as_heard
from ecgscreen.lead_faults import LeadFault, lead_faults, row_means
from ecgscreen.quality_remarks import Marks, Noted, Remark, lead_remarks
from ecgscreen.recording import LEADS, Recording, SkipReason

__all__ = [
    "Grade",
    "LeadFault",
    "LeadQuality",
    "Quality",
    "Remark",
    "assess_quality",
    "quality_of",
]

MIN_DURATION_S = 5.0
"""A shorter strip holds too few beats for any statement on rhythm."""

_BLOCK_SAMPLES = 1 << 22
_PIECE_S = 600
_FEW = 3


class Grade(StrEnum):
    """What to expect of a recording's scores."""

    GOOD = "good"
    """All twelve leads, none with a fault; what is named besides is no fault."""
    USABLE = "usable"
    """Some leads are missing or left out; at least one is not."""
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class LeadQuality:
    """A standard lead and what is wrong with it (None: nothing)."""

    name: str
    fault: LeadFault | None


@dataclass(frozen=True)
class Quality:
    """What was found.

    Attributes
    ----------
    grade
        Of the whole recording.
    leads
        All twelve, in the order of `LEADS`.
    usable
        bool, shape (12,), in the order of `LEADS`: the leads to score.
    reason
        Why the recording is unusable, else None.
    detail
        To `reason`: the value found and the value expected.
    summary
        A phrase for the report: ``good``, ``usable: V3 flat, V5 clipped; noted: V1 wander``.
    remarks
        What was named and is no fault, each with the names of leads that are usable.
    """

    grade: Grade
    leads: tuple[LeadQuality, ...]
    usable: NDArray[np.bool_]
    reason: SkipReason | None
    detail: str
    summary: str
    remarks: tuple[tuple[Remark, tuple[str, ...]], ...] = ()


def assess_quality(recording: Recording) -> Quality:
    """Assess a recording and its leads.

    A lead is left out if it is *missing*; holds a *non-finite* sample; is *flat* (nine of ten
    seconds range over `FLAT_MV` or less, or over nothing at all where the amplitude is
    unknown); is *clipped* (1 % of its samples stand exactly at its extreme, in several places,
    and that extreme is far from its mean); is *noisy* (what changes within 10 ms is larger than
    what stays); is full of *muscle noise* (see `ecgscreen.quality_noise`: by itself, or with all
    others where they say so together); or is *out of range* (half of its seconds range over more
    than `LARGEST_RANGE_MV`); limits are those of `ecgscreen.lead_faults`. Named, and no fault,
    are wander, steps, mains hum and pacing spikes (`ecgscreen.quality_remarks`): the filter takes
    them out, or they are no artefact.

    Parameters
    ----------
    recording
        Any; its signal is not changed.

    Returns
    -------
    The grade, the mask of usable leads, and the reason if there is none.
    """
    if recording.duration_s < MIN_DURATION_S:
        return _unusable(
            _lead_qualities(recording.lead_names, [None] * len(recording.lead_names)),
            SkipReason.TOO_SHORT,
            f"{recording.duration_s:.3g} s, expected at least {MIN_DURATION_S:g} s",
        )
    is_short = recording.signal.size <= _BLOCK_SAMPLES and recording.duration_s <= _PIECE_S
    faults, marks = _of_short(recording) if is_short else (_faults(recording), _marks(recording))
    return quality_of(recording.lead_names, tuple(faults), marks)


@lru_cache(maxsize=1024)
def quality_of(
    lead_names: tuple[str, ...], faults: tuple[LeadFault | None, ...], marks: Marks = ()
) -> Quality:
    """Make one of what is wrong with the leads, and what is named of them.

    Parameters
    ----------
    lead_names, faults
        Of the leads that are there, in the same order.
    marks
        With rows that count in that order; of leads with a fault, nothing is named.

    Returns
    -------
    The same one for all recordings of which this is found.
    """
    found = _of_faults(lead_names, faults)
    if not marks or found.reason is not None:
        return found
    remarks = tuple(_remarks(lead_names, faults, marks))
    if not remarks:
        return found
    noted = ", ".join(_named(names, remark) for remark, names in remarks)
    summary = f"{found.summary}; noted: {noted}"
    return Quality(found.grade, found.leads, found.usable, None, "", summary, remarks)


def _of_faults(lead_names: tuple[str, ...], faults: Sequence[LeadFault | None]) -> Quality:
    if lead_names == LEADS and not any(faults):
        return _FAULTLESS
    leads = _lead_qualities(lead_names, faults)
    usable = np.array([lead.fault is None for lead in leads])
    usable.flags.writeable = False  # one serves all recordings with these faults
    if usable.all():
        return _FAULTLESS
    if not usable.any():
        return _unusable(leads, SkipReason.NO_USABLE_LEAD, _phrase(leads))
    return Quality(Grade.USABLE, leads, usable, None, "", f"usable: {_phrase(leads)}")


def _remarks(
    lead_names: tuple[str, ...], faults: Sequence[LeadFault | None], marks: Marks
) -> Iterator[tuple[Remark, tuple[str, ...]]]:
    for noted in marks:
        names = [lead_names[row] for row in noted.rows if faults[row] is None]
        if names:
            yield noted.remark, tuple(sorted(names, key=LEADS.index))


def _unusable(leads: tuple[LeadQuality, ...], reason: SkipReason, detail: str) -> Quality:
    return Quality(
        Grade.UNUSABLE, leads, np.zeros(len(LEADS), bool), reason, detail, f"unusable: {detail}"
    )


def _lead_qualities(
    lead_names: tuple[str, ...], faults: Sequence[LeadFault | None]
) -> tuple[LeadQuality, ...]:
    found = dict(zip(lead_names, faults, strict=True))
    return tuple([LeadQuality(name, found.get(name, LeadFault.MISSING)) for name in LEADS])


def _faultless() -> Quality:
    usable = np.ones(len(LEADS), np.bool_)
    usable.flags.writeable = False  # one serves all recordings
    return Quality(
        Grade.GOOD, _lead_qualities(LEADS, [None] * len(LEADS)), usable, None, "", "good"
    )


_FAULTLESS = _faultless()


def _of_short(recording: Recording) -> tuple[list[LeadFault | None], Marks]:
    """`_faults` and `_marks`, from one and the same array."""
    signal, rate = recording.signal, recording.sampling_rate
    finite = np.logical_and.reduce(np.isfinite(signal), axis=1)
    rows = np.flatnonzero(finite).tolist()
    faults: list[LeadFault | None] = [LeadFault.NON_FINITE] * len(signal)
    if not rows:
        return faults, ()
    chosen = signal if finite.all() else signal[finite]
    noted: Marks = ()
    # A file's absurd gain may take squares beyond float32: infinite is large enough here.
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = (chosen - row_means(chosen)[:, np.newaxis])[np.newaxis]
        resampled, _ = as_heard(deviation, rate)
        (found,) = lead_faults(
            deviation, rate, amplitude_known=recording.amplitude_known, resampled=resampled
        )
        if recording.amplitude_known:
            (noted,) = lead_remarks(deviation, rate, resampled)
    for row, fault in zip(rows, found, strict=True):
        faults[row] = fault
    return faults, tuple(
        Noted(one.remark, tuple(rows[number] for number in one.rows)) for one in noted
    )


def _faults(recording: Recording) -> Iterator[LeadFault | None]:
    """One fault (or None) a row of the signal."""
    signal = recording.signal
    # A day-long recording is taken lead by lead: the intermediate arrays are as large as it.
    n_rows = max(1, _BLOCK_SAMPLES // signal.shape[1])
    for start in range(0, len(signal), n_rows):
        rows = signal[start : start + n_rows]
        finite = np.logical_and.reduce(np.isfinite(rows), axis=1)
        rows = rows if finite.all() else rows[finite]
        faults: Iterator[LeadFault | None] = iter(())
        with np.errstate(over="ignore", invalid="ignore"):  # as in `_of_short`
            if len(rows):
                deviation = rows - row_means(rows)[:, np.newaxis]
                (found,) = lead_faults(
                    deviation[np.newaxis],
                    recording.sampling_rate,
                    amplitude_known=recording.amplitude_known,
                )
                faults = iter(found)
        for is_finite in finite:
            yield next(faults) if is_finite else LeadFault.NON_FINITE


def _marks(recording: Recording) -> Marks:
    """What is named of each row of the signal."""
    if not recording.amplitude_known:
        return ()
    signal = recording.signal
    found: dict[Remark, set[int]] = {}
    # A day-long recording is taken piece by piece.
    n_piece = round(_PIECE_S * recording.sampling_rate)
    for start in range(0, signal.shape[1], n_piece):
        piece = signal[:, start : start + n_piece]
        if piece.shape[1] < MIN_DURATION_S * recording.sampling_rate:
            continue
        rows = np.flatnonzero(np.logical_and.reduce(np.isfinite(piece), axis=1))
        with np.errstate(over="ignore", invalid="ignore"):  # as in `_of_short`
            deviation = piece[rows] - row_means(piece[rows])[:, np.newaxis]
            (marks,) = lead_remarks(deviation[np.newaxis], recording.sampling_rate)
        for noted in marks:
            found.setdefault(noted.remark, set()).update(rows[list(noted.rows)].tolist())
    return tuple(Noted(one, tuple(sorted(found[one]))) for one in Remark if one in found)


def _phrase(leads: tuple[LeadQuality, ...]) -> str:
    """Name the faulty leads, or count them where they are many: ``V3 flat, 9 leads missing``."""
    found = [(fault, [lead.name for lead in leads if lead.fault is fault]) for fault in LeadFault]
    return ", ".join(_named(names, fault) for fault, names in found if names)


def _named(names: Sequence[str], what: str) -> str:
    if len(names) > _FEW:
        return f"{len(names)} leads {what}"
    return ", ".join(f"{name} {what}" for name in names)
