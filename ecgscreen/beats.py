"""When the ventricles beat, in a prepared window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_INTEGRATION_S = 0.09
_REFRACTORY_S = 0.28
_THRESHOLD = 0.4


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
        if energy[sample] < threshold or energy[sample] == 0:
            break
        if not taken[max(0, sample - refractory) : sample + refractory + 1].any():
            taken[sample] = True
    return np.flatnonzero(taken)
