"""Wander and steps of the baseline: named, and no fault, because the filter takes them out.

Clifford et al. (Physiological Measurement 2012, 33: 1419-1433) have an index of the baseline,
basSQI: the share of the power up to 40 Hz that lies above 1 Hz. Zhao & Zhang (Frontiers in
Physiology 2018, 9: 727) take a lead below .90 for unqualified. That is an index for recordings
that were filtered: of PTB-XL's leads as they came it condemns half (docs/quality.md). So here
stands the size of what the index measures: how far the baseline below 0.5 Hz, which is what the
encoder's filter removes, goes up and down within ten seconds. Jekova et al. (same volume as
Clifford: 1463-1477) likewise score drift lead by lead in millivolts.

A step is a baseline that moves to another level at once, as where an electrode is touched;
Langley et al. (Computing in Cardiology 2011, 38: 281-284) have a steep slope among their marks of
an unacceptable lead. QRS complexes are steep too. So the slope is looked for in the baseline
alone, which medians of 0.6 s give (de Chazal, O'Dwyer & Reilly, IEEE TBME 2004, 51: 1196-1206):
its jump is what a cubic on both sides, which follows wander, leaves over.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WANDER_MV = 0.7
"""A baseline that moves further within a window wanders; docs/quality.md says what other limits
would name."""

STEP_MV = 0.5
"""A larger jump of the baseline is a step."""

_WINDOW_S = 10
_WANDER_HZ = 0.5
_POINTS_A_SECOND = 4
_SUSPECT_POINTS = 5
_SUSPECT_SHARE = 0.7
"""Of a step's height, that the slow baseline moves by within so many points; it lost one in twenty
of PTB-XL's steps, close to an end or just above the limit, and spares nine leads in ten."""

_BIN_S = 0.04
_MEDIAN_BINS = 15
_STRIDE = 5
"""Bins from a median to the next: 0.2 s."""
_HALF = 7
"""Medians on either side of a jump: 1.4 s."""
_DEGREE = 3


def baseline_marks(
    deviation: NDArray[np.float32], sampling_rate: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the leads whose baseline wanders, and those whose baseline steps.

    Parameters
    ----------
    deviation, sampling_rate
        What `ecgscreen.heard.as_heard` gives of what `ecgscreen.quality_remarks.lead_remarks` has.

    Returns
    -------
    wander, steps
        bool, shape (n_recordings, n_leads): whether in some window of 10 s; where it steps, that
        it moves besides is not said. What follows the last whole window is not looked at.
    """
    n_recordings, n_leads, n_samples = deviation.shape
    n_second = max(1, int(sampling_rate))
    n_seconds = min(_WINDOW_S, n_samples // n_second)
    length = n_seconds * n_second
    n_windows = n_samples // length
    windows = deviation[..., : n_windows * length].reshape(
        n_recordings, n_leads * n_windows, length
    )
    analysis, synthesis = _slow_waves(length, sampling_rate)
    # A product of a fixed shape a recording: its rounding does not depend on the others. Points
    # stand first, so that what is asked of a window's points is asked of all windows at once.
    slow = np.empty((len(synthesis), n_recordings, n_leads * n_windows), np.float32)
    waves = (windows @ analysis).swapaxes(1, 2)
    np.matmul(synthesis, waves, out=slow.transpose(1, 0, 2))
    slow = slow.reshape(len(synthesis), -1)
    moved = slow.max(axis=0) - slow.min(axis=0)
    steps = np.zeros(moved.size, np.bool_)
    suspect = np.flatnonzero(_moves_soon(slow) > _SUSPECT_SHARE * STEP_MV)
    if len(suspect):
        rows = windows.reshape(-1, length).take(suspect, axis=0)
        steps[suspect] = _jumps(rows, sampling_rate) > STEP_MV
    shape = (n_recordings, n_leads, n_windows)
    wander = (moved > WANDER_MV) & ~steps
    return (
        np.logical_or.reduce(wander.reshape(shape), axis=-1),
        np.logical_or.reduce(steps.reshape(shape), axis=-1),
    )


@lru_cache(maxsize=16)
def _slow_waves(
    length: int, sampling_rate: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Matrices from samples to the cosines up to 0.5 Hz, and from these to four points a second."""
    duration_s = length / sampling_rate
    k = np.arange(1, max(1, round(2 * duration_s * _WANDER_HZ)) + 1)
    n_points = max(2, round(_POINTS_A_SECOND * duration_s))
    times = (np.arange(length) + 0.5) / length
    points = (np.arange(n_points) + 0.5) / n_points
    analysis = np.cos(np.pi * times[:, np.newaxis] * k) * (2 / length)
    synthesis = np.cos(np.pi * points[:, np.newaxis] * k)
    return np.ascontiguousarray(analysis, np.float32), synthesis.astype(np.float32)


def _moves_soon(slow: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far slow baselines (n_points, n) move at most from a point to one that follows soon."""
    change = slow[_SUSPECT_POINTS:] - slow[:-_SUSPECT_POINTS]
    if not len(change):  # too short to tell a step
        return np.zeros(slow.shape[1:], np.float32)
    largest: NDArray[np.float32] = np.abs(change, out=change).max(axis=0)
    return largest


def _jumps(rows: NDArray[np.float32], sampling_rate: float) -> NDArray[np.float32]:
    """The largest jump of each row's baseline, in mV; 0 in rows too short to tell."""
    n_bin = max(1, round(_BIN_S * sampling_rate))
    n_bins = rows.shape[-1] // n_bin
    if n_bins < _MEDIAN_BINS + (2 * _HALF - 1) * _STRIDE:
        return np.zeros(len(rows), np.float32)
    # Sums of slices: a mean over the few samples of a bin takes eight times as long.
    bins = rows[:, : n_bins * n_bin : n_bin].copy()
    for sample in range(1, n_bin):
        bins += rows[:, sample : n_bins * n_bin : n_bin]
    # As `sliding_window_view`, which takes as long as all the rest here.
    of_window: NDArray[np.float32] = np.ndarray(
        (len(bins), (n_bins - _MEDIAN_BINS) // _STRIDE + 1, _MEDIAN_BINS),
        np.float32,
        bins,
        strides=(bins.strides[0], _STRIDE * bins.itemsize, bins.itemsize),
    )
    middle = _MEDIAN_BINS // 2
    baseline = np.partition(of_window, middle, axis=-1)[:, np.newaxis, :, middle]
    # A product for each row by itself, so that its rounding does not depend on the others.
    jumps = np.abs(baseline @ _jump_weights(baseline.shape[-1]))
    largest: NDArray[np.float32] = jumps.max(axis=(1, 2)) / np.float32(n_bin)
    return largest


@lru_cache(maxsize=16)
def _jump_weights(n_medians: int) -> NDArray[np.float32]:
    """A column a place between medians: what makes the height of a jump there, by least squares."""
    times = np.arange(-_HALF, _HALF) + 0.5
    terms = [*(times**power for power in range(_DEGREE + 1)), np.sign(times) / 2]
    weights = np.linalg.pinv(np.stack(terms, axis=1))[-1]
    places = np.zeros((n_medians, n_medians - 2 * _HALF + 1), np.float32)
    for place in range(places.shape[1]):
        places[place : place + 2 * _HALF, place] = weights
    return places
