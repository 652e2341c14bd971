"""Beat times and what they say of the rhythm, as targets that train the encoder on the side.

Rhythm statements are rare in a small training set; the rate and its regularity can be
measured on every recording. Regressing them teaches the encoder what a fast, a slow and an
irregular rhythm are long before the statements could.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_RHYTHM_FIGURES = 3
_INTEGRATION_S = 0.09
_REFRACTORY_S = 0.28
_THRESHOLD = 0.4
_MIN_BEATS = 4


def beat_samples(window: NDArray[np.float32], sampling_rate: float) -> NDArray[np.intp]:
    """Samples at which the ventricles beat.

    Slopes of all leads, each relative to its own steep ones, are added and smoothed over the
    length of a QRS complex; the highest places come first, and nothing within the refractory
    time around one already taken (slope energy and a refractory time as in Pan & Tompkins, IEEE
    TBME 1985; leads combined and no thresholds carried from beat to beat).

    Parameters
    ----------
    window
        float32, shape (n_leads, n_samples); missing leads are zeros.
    sampling_rate
        In Hz.

    Returns
    -------
    Sample numbers in rising order, shape (n_beats,).
    """
    slope = np.abs(np.diff(window, axis=1))
    steep = np.percentile(slope, 98, axis=1, keepdims=True) + 1e-3
    energy = np.minimum(slope / steep, 2.0).mean(axis=0)
    width = round(_INTEGRATION_S * sampling_rate)
    energy = np.convolve(energy, np.ones(width) / width, "same")
    threshold = _THRESHOLD * np.percentile(energy, 98)
    refractory = round(_REFRACTORY_S * sampling_rate)
    taken = np.zeros(len(energy), dtype=np.bool_)
    for sample in np.argsort(-energy, kind="stable"):
        if energy[sample] < threshold:
            break
        if not taken[max(0, sample - refractory) : sample + refractory + 1].any():
            taken[sample] = True
    return np.flatnonzero(taken)


def rhythm_figures(windows: NDArray[np.float32], sampling_rate: float) -> NDArray[np.float32]:
    """Rate and irregularity of each window.

    Parameters
    ----------
    windows
        float32, shape (N, n_leads, n_samples).
    sampling_rate
        In Hz.

    Returns
    -------
    float32, shape (N, 3): logarithms of the median RR interval in seconds, of its coefficient of
    variation, and of the mean absolute difference of neighbouring intervals over their mean;
    NaN where fewer than four beats were found.
    """
    figures = np.full((len(windows), N_RHYTHM_FIGURES), np.nan, dtype=np.float32)
    for row, window in zip(figures, windows, strict=True):
        beats = beat_samples(window, sampling_rate)
        if len(beats) >= _MIN_BEATS:
            intervals = np.diff(beats) / sampling_rate
            mean = intervals.mean()
            row[0] = np.log(np.median(intervals))
            row[1] = np.log(intervals.std() / mean + 0.01)
            row[2] = np.log(np.abs(np.diff(intervals)).mean() / mean + 0.01)
    return figures
