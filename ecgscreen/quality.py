"""Whether a recording can be scored, and which of its leads to leave out.

The signal is judged as it came, before any filter, but only for what the filter leaves in it. A
lead is left out for what makes it meaningless, not for what makes it ugly. An unusable recording
is a result of its own, never "negative".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ecgscreen.quality_noise import muscle_noise
from ecgscreen.recording import LEADS, Recording, SkipReason

MIN_DURATION_S = 5.0
"""A shorter strip holds too few beats for any statement on rhythm."""

FLAT_MV = 0.005
"""A second with a smaller range is flat: below the resolution of 5 uV that IEC 60601-2-25
asks of an electrocardiograph."""

LARGEST_RANGE_MV = 50.0
"""A second with a larger range is no ECG in mV: ten times the largest QRS complexes."""

_FLAT_SHARE = 0.9
_OUT_OF_RANGE_SHARE = 0.5
_CLIPPED_SHARE = 0.01
_CLIPPED_SECONDS = 3
_RAIL_DISTANCE = 0.2
_NOISE_RATIO = 1.25
_NOISE_LAG_S = 0.01
_BLOCK_SAMPLES = 1 << 22
_FEW = 3


class Grade(StrEnum):
    """What to expect of a recording's scores."""

    GOOD = "good"
    """All twelve leads, none with a fault."""
    USABLE = "usable"
    """Some leads are missing or left out; at least one is not."""
    UNUSABLE = "unusable"


class LeadFault(StrEnum):
    """Why a lead is left out."""

    MISSING = "missing"
    FLAT = "flat"
    CLIPPED = "clipped"
    NON_FINITE = "non-finite"
    NOISY = "noisy"
    MUSCLE_NOISE = "muscle noise"
    OUT_OF_RANGE = "out of range"


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
        A phrase for the report: ``good``, ``usable: V3 flat, V5 clipped``.
    """

    grade: Grade
    leads: tuple[LeadQuality, ...]
    usable: NDArray[np.bool_]
    reason: SkipReason | None
    detail: str
    summary: str


def assess_quality(recording: Recording) -> Quality:
    """Assess a recording and its leads.

    A lead is left out if it is *missing*; holds a *non-finite* sample; is *flat* (nine of ten
    seconds range over less than `FLAT_MV`, or over nothing at all where the amplitude is
    unknown); is *clipped* (1 % of its samples stand exactly at its extreme, in several places,
    and that extreme is far from its mean); is *noisy* (what changes within 10 ms is larger than
    what stays); is full of *muscle noise* (see `ecgscreen.quality_noise`: by itself, or with all
    others where they say so together); or is *out of range* (half of its seconds range over more
    than `LARGEST_RANGE_MV`). Wander is no fault: the filter takes it out.

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
            _lead_qualities(recording, [None] * len(recording.lead_names)),
            SkipReason.TOO_SHORT,
            f"{recording.duration_s:.3g} s, expected at least {MIN_DURATION_S:g} s",
        )
    leads = _lead_qualities(recording, list(_faults(recording)))
    usable = np.array([lead.fault is None for lead in leads])
    if usable.all():
        return Quality(Grade.GOOD, leads, usable, None, "", "good")
    if not usable.any():
        return _unusable(leads, SkipReason.NO_USABLE_LEAD, _phrase(leads))
    return Quality(Grade.USABLE, leads, usable, None, "", f"usable: {_phrase(leads)}")


def _unusable(leads: tuple[LeadQuality, ...], reason: SkipReason, detail: str) -> Quality:
    return Quality(
        Grade.UNUSABLE, leads, np.zeros(len(LEADS), bool), reason, detail, f"unusable: {detail}"
    )


_FAULTLESS = tuple([LeadQuality(name, None) for name in LEADS])


def _lead_qualities(
    recording: Recording, faults: list[LeadFault | None]
) -> tuple[LeadQuality, ...]:
    if recording.lead_names == LEADS and not any(faults):
        return _FAULTLESS
    found = dict(zip(recording.lead_names, faults, strict=True))
    return tuple([LeadQuality(name, found.get(name, LeadFault.MISSING)) for name in LEADS])


def _faults(recording: Recording) -> Iterator[LeadFault | None]:
    """One fault (or None) a row of the signal."""
    signal = recording.signal
    # A day-long recording is taken lead by lead: the intermediate arrays are as large as it.
    n_rows = max(1, _BLOCK_SAMPLES // signal.shape[1])
    for start in range(0, len(signal), n_rows):
        rows = signal[start : start + n_rows]
        finite = np.logical_and.reduce(np.isfinite(rows), axis=1)
        # A file's absurd gain may take squares beyond float32: infinite is large enough here.
        with np.errstate(over="ignore", invalid="ignore"):
            faults = iter(
                _finite_faults(
                    rows if finite.all() else rows[finite],
                    recording.sampling_rate,
                    recording.amplitude_known,
                )
            )
        for is_finite in finite:
            yield next(faults) if is_finite else LeadFault.NON_FINITE


def _finite_faults(
    rows: NDArray[np.float32], sampling_rate: float, amplitude_known: bool
) -> list[LeadFault | None]:
    if not len(rows):
        return []
    deviation = rows - _row_means(rows)[:, np.newaxis]
    n_second = max(1, int(sampling_rate))
    n_seconds = deviation.shape[1] // n_second
    seconds = deviation[:, : n_seconds * n_second].reshape(len(rows), n_seconds, n_second)
    second_high, second_low = seconds.max(axis=2), seconds.min(axis=2)
    second_range = second_high - second_low
    change = _change(deviation, sampling_rate)
    mean_change = _row_means(change)
    flat_range = FLAT_MV if amplitude_known else 0.0
    masks = {
        LeadFault.FLAT: (second_range <= flat_range).sum(axis=1) >= _FLAT_SHARE * n_seconds,
        LeadFault.CLIPPED: _is_clipped(
            deviation, second_high, second_low, deviation[:, n_seconds * n_second :]
        ),
        LeadFault.NOISY: _is_noisy(deviation, mean_change),
        LeadFault.MUSCLE_NOISE: muscle_noise(
            seconds, sampling_rate, _evenness(change, mean_change)
        ),
    }
    if amplitude_known:
        n_beyond = (second_range > LARGEST_RANGE_MV).sum(axis=1)
        masks[LeadFault.OUT_OF_RANGE] = n_beyond >= _OUT_OF_RANGE_SHARE * n_seconds
    faults: list[LeadFault | None] = [None] * len(rows)
    for fault, mask in masks.items():
        if True in (found := mask.tolist()):
            faults = [
                old or (fault if new else None) for old, new in zip(faults, found, strict=True)
            ]
    return faults


def _row_means(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """As `rows.mean(axis=1)`, of which half the time goes into asking what it is to do."""
    sums: NDArray[np.float32] = np.add.reduce(rows, axis=1)
    return sums / np.float32(rows.shape[1])


def _is_clipped(
    deviation: NDArray[np.float32],
    second_high: NDArray[np.float32],
    second_low: NDArray[np.float32],
    rest: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """`rest` are the samples after the last whole second."""
    high = np.maximum(second_high.max(axis=1), rest.max(axis=1, initial=-np.inf))[:, np.newaxis]
    low = np.minimum(second_low.min(axis=1), rest.min(axis=1, initial=np.inf))[:, np.newaxis]
    # The quiet line between beats can be an extreme too, and rest on one value where the
    # resolution is coarse; but it lies close to the mean.
    far = _RAIL_DISTANCE * (high - low)
    clipped = np.zeros(len(deviation), np.bool_)
    for rail, second_extreme in ((high, second_high), (low, second_low)):
        # Recorders hold the last value to fill a recording up: one place, not several.
        n_seconds = (second_extreme == rail).sum(axis=1)
        suspect = (n_seconds >= _CLIPPED_SECONDS) & (np.abs(rail) >= far)[:, 0]
        if suspect.any():  # hardly ever is there a row to look at sample by sample
            rows = np.flatnonzero(suspect)
            n_stuck = (deviation[rows] == rail[rows]).sum(axis=1)
            clipped[rows] |= n_stuck >= _CLIPPED_SHARE * deviation.shape[1]
    return clipped


def _change(deviation: NDArray[np.float32], sampling_rate: float) -> NDArray[np.float32]:
    """Sizes of the differences over 10 ms."""
    lag = max(1, round(_NOISE_LAG_S * sampling_rate))
    change: NDArray[np.float32] = deviation[:, lag:] - deviation[:, :-lag]
    np.abs(change, out=change)
    return change


def _is_noisy(
    deviation: NDArray[np.float32], mean_change: NDArray[np.float32]
) -> NDArray[np.bool_]:
    # The difference over 10 ms has sqrt(2) the size of white noise and twice that of mains
    # hum, but less than half that of an ECG, whatever the sampling rate. Size is the mean
    # absolute value: squares would see nothing but the spikes of a pacemaker.
    noisy: NDArray[np.bool_] = mean_change > _NOISE_RATIO * _row_means(np.abs(deviation))
    return noisy


def _evenness(change: NDArray[np.float32], mean_change: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean over the root mean square of each row; 0 in a row of zeros."""
    size = np.sqrt(np.einsum("ij,ij->i", change, change) / np.float32(change.shape[1]))
    evenness: NDArray[np.float32] = np.zeros_like(mean_change)
    np.divide(mean_change, size, out=evenness, where=size > 0)
    return evenness


def _phrase(leads: tuple[LeadQuality, ...]) -> str:
    """Name the faulty leads, or count them where they are many: ``V3 flat, 9 leads missing``."""
    phrases = []
    for fault in LeadFault:
        names = [lead.name for lead in leads if lead.fault is fault]
        if len(names) > _FEW:
            phrases.append(f"{len(names)} leads {fault}")
        else:
            phrases.extend(f"{name} {fault}" for name in names)
    return ", ".join(phrases)
