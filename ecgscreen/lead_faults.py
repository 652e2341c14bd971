"""Which leads of a recording say nothing of the heart; for one recording, or many of one shape.

Everything here goes along the last axis, recording by recording, so that a result has the same
bits whatever else is in the array.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecgscreen.heard import as_heard
from ecgscreen.quality_mains import MIN_SAMPLING_RATE, without_mains
from ecgscreen.quality_noise import muscle_noise

FLAT_MV = 0.005
"""A second with no larger range is flat: no more than the resolution of 5 uV that IEC 60601-2-25
asks of an electrocardiograph."""

LARGEST_RANGE_MV = 50.0
"""A second with a larger range is no ECG in mV: ten times the largest QRS complexes."""

LARGEST_NUMBER = 1e12
"""A second with a larger range is no signal in any unit: sums of its squares leave float32."""

_FLAT_SHARE = 0.9
_OUT_OF_RANGE_SHARE = 0.5
_CLIPPED_SHARE = 0.01
_CLIPPED_SECONDS = 3
_RAIL_DISTANCE = 0.2
_NOISE_RATIO = 1.25
_NOISE_LAG_S = 0.01


class LeadFault(StrEnum):
    """Why a lead is left out."""

    MISSING = "missing"
    FLAT = "flat"
    CLIPPED = "clipped"
    NON_FINITE = "non-finite"
    NOISY = "noisy"
    MUSCLE_NOISE = "muscle noise"
    OUT_OF_RANGE = "out of range"


def row_means(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """As `rows.mean(axis=-1)`, of which half the time goes into asking what it is to do."""
    sums: NDArray[np.float32] = np.add.reduce(rows, axis=-1)
    return sums / np.float32(rows.shape[-1])


def lead_faults(
    deviation: NDArray[np.float32],
    sampling_rate: float,
    *,
    amplitude_known: bool,
    resampled: NDArray[np.float32] | None = None,
) -> list[list[LeadFault | None]]:
    """Find the first fault of every lead.

    Parameters
    ----------
    deviation
        float32, shape (n_recordings, n_leads, n_samples), contiguous: finite samples less the
        mean of their lead.
    sampling_rate
        In Hz, of all of them; at least a second of samples is expected.
    amplitude_known
        Whether the samples are mV.
    resampled
        See `ecgscreen.heard.as_heard`.

    Returns
    -------
    A list a recording: a fault, or None, a lead.
    """
    n_recordings, n_leads, n_samples = deviation.shape
    n_second = max(1, int(sampling_rate))
    n_seconds = n_samples // n_second
    whole = n_seconds * n_second
    seconds = deviation[..., :whole].reshape(n_recordings, n_leads, n_seconds, n_second)
    highs, lows = _extremes(deviation, n_second)
    ranges = highs - lows
    lag = max(1, round(_NOISE_LAG_S * sampling_rate))
    change = _change(deviation, lag)
    n_changes = np.float32(max(1, n_samples - lag))
    mean_change = _row_sums(change) / n_changes
    evenness = _evenness(change, mean_change, n_changes)
    # The difference over 10 ms has sqrt(2) the size of white noise and twice that of mains
    # hum, but less than half that of an ECG, whatever the sampling rate. Size is the mean
    # absolute value: squares would see nothing but the spikes of a pacemaker.
    size = _row_sums(np.abs(deviation, out=change)) / np.float32(n_samples)
    noisy = mean_change > _NOISE_RATIO * size
    if sampling_rate >= MIN_SAMPLING_RATE and noisy.any():
        # Hum is filtered out before the encoder sees it: what counts is what is left.
        noisy[noisy] = _is_noisy(without_mains(seconds[noisy], sampling_rate), lag)
    # NaN, where the mean itself was beyond float32, is not "at most" either.
    out_of_range = ~(ranges.max(axis=0) <= LARGEST_NUMBER)
    if amplitude_known:
        n_beyond = (ranges[:n_seconds] > LARGEST_RANGE_MV).sum(axis=0)
        out_of_range |= n_beyond >= _OUT_OF_RANGE_SHARE * n_seconds
    flat_range = FLAT_MV if amplitude_known else 0.0
    n_flat = (ranges[:n_seconds] <= flat_range).sum(axis=0)
    heard, rate_heard = as_heard(deviation, sampling_rate, resampled)
    masks = {
        LeadFault.FLAT: n_flat >= _FLAT_SHARE * n_seconds,
        LeadFault.CLIPPED: _is_clipped(deviation, highs, lows, n_seconds),
        LeadFault.NOISY: noisy,
        LeadFault.MUSCLE_NOISE: muscle_noise(heard, rate_heard, evenness),
        LeadFault.OUT_OF_RANGE: out_of_range,
    }
    faults: list[list[LeadFault | None]] = [[None] * n_leads for _ in range(n_recordings)]
    names = list(masks)
    for fault, recording, lead in np.argwhere(np.array(list(masks.values()))).tolist():
        faults[recording][lead] = faults[recording][lead] or names[fault]
    return faults


def _row_sums(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums of what is nowhere negative: as products, in a third of the time."""
    sums: NDArray[np.float32] = np.vecdot(rows, _ones(rows.shape[-1]))
    return sums


@lru_cache(maxsize=16)
def _ones(n: int) -> NDArray[np.float32]:
    return np.ones(n, np.float32)


def _extremes(
    deviation: NDArray[np.float32], n_second: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The highest and the lowest sample of every second, and of what follows the last, if any.

    Of shape (n_seconds, n_recordings, n_leads): what is asked of a lead's seconds is then asked of
    all leads at once.
    """
    n_samples = deviation.shape[-1]
    n_rows = deviation.size // n_samples
    starts = _starts(n_rows, n_samples, n_second)
    line = deviation.reshape(-1)
    highs = np.maximum.reduceat(line, starts).reshape(n_rows, -1).T.copy()
    lows = np.minimum.reduceat(line, starts).reshape(n_rows, -1).T.copy()
    shape = (-1, *deviation.shape[:-1])
    return highs.reshape(shape), lows.reshape(shape)


@lru_cache(maxsize=16)
def _starts(n_rows: int, n_samples: int, n_second: int) -> NDArray[np.intp]:
    """Where seconds begin in rows that stand one behind the other."""
    rows = np.arange(0, n_rows * n_samples, n_samples)
    starts: NDArray[np.intp] = np.add.outer(rows, np.arange(0, n_samples, n_second)).reshape(-1)
    return starts


def _is_clipped(
    deviation: NDArray[np.float32],
    highs: NDArray[np.float32],
    lows: NDArray[np.float32],
    n_seconds: int,
) -> NDArray[np.bool_]:
    """From what `_extremes` finds in leads of so many whole seconds."""
    high, low = highs.max(axis=0), lows.min(axis=0)
    # The quiet line between beats can be an extreme too, and rest on one value where the
    # resolution is coarse; but it lies close to the mean.
    far = _RAIL_DISTANCE * (high - low)
    clipped = np.zeros(deviation.shape[:-1], np.bool_)
    for rail, extremes in ((high, highs), (low, lows)):
        # Recorders hold the last value to fill a recording up: one place, not several.
        n_places = (extremes[:n_seconds] == rail).sum(axis=0)
        suspect = (n_places >= _CLIPPED_SECONDS) & (np.abs(rail) >= far)
        if suspect.any():  # hardly ever is there a row to look at sample by sample
            at_rail = deviation[suspect] == rail[suspect][:, np.newaxis]
            n_stuck = at_rail.sum(axis=-1)
            clipped[suspect] |= n_stuck >= _CLIPPED_SHARE * deviation.shape[-1]
    return clipped


def _change(deviation: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
    """Sizes of the differences over `lag` samples; zeros in the last places of every row."""
    change = np.empty_like(deviation)
    # Row behind row as one line, which takes a third of the time; what is computed across the
    # end of a row is then overwritten.
    line, differences = deviation.reshape(-1), change.reshape(-1)
    np.subtract(line[lag:], line[:-lag], out=differences[:-lag])
    change[..., -lag:] = 0
    np.abs(change, out=change)
    return change


def _is_noisy(seconds: NDArray[np.float32], lag: int) -> NDArray[np.bool_]:
    """Whether leads, shape (n_leads, n_seconds, n), change too much for their size."""
    change = np.abs(seconds[..., lag:] - seconds[..., :-lag])
    mean_change, size = row_means(change).mean(axis=-1), row_means(np.abs(seconds)).mean(axis=-1)
    noisy: NDArray[np.bool_] = mean_change > _NOISE_RATIO * size
    return noisy


def _evenness(
    change: NDArray[np.float32], mean_change: NDArray[np.float32], n_changes: np.float32
) -> NDArray[np.float32]:
    """The mean over the root mean square of each row; 0 in a row of zeros."""
    size = np.sqrt(np.vecdot(change, change) / n_changes)
    evenness: NDArray[np.float32] = np.zeros_like(mean_change)
    np.divide(mean_change, size, out=evenness, where=size > 0)
    return evenness
