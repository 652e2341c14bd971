"""Mains hum: named, and no fault, because the filter takes it out.

IEC 60601-2-25 allows an electrocardiograph noise of 30 uV from peak to valley; a hum of that size
is named. That it is a hum, and not muscle noise, shows in that it stands out of what lies 6 Hz to
either side. Under 150 Hz a device has filtered it out, or sampling has folded it onto the heart's
own frequencies: it is not judged there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MAINS_HZ = (50, 60)

MIN_SAMPLING_RATE = 150.0
"""In Hz."""

HUM_MV = 0.03
"""From peak to valley."""

_ASIDE_HZ = 6
_TIMES_ASIDE = 2.0
_OFF_HZ = 0.25


def mains_marks(
    deviation: NDArray[np.float32], sampling_rate: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the leads that hum in half of their seconds or more.

    Parameters
    ----------
    deviation
        As `ecgscreen.quality_remarks.lead_remarks` has it.
    sampling_rate
        In Hz, at least `MIN_SAMPLING_RATE`.

    Returns
    -------
    For each of `MAINS_HZ`, bool, shape (n_recordings, n_leads).
    """
    n_recordings, n_leads, n_samples = deviation.shape
    n_second = int(sampling_rate)
    n_seconds = n_samples // n_second
    seconds = deviation[..., : n_seconds * n_second].reshape(
        n_recordings, n_leads * n_seconds, n_second
    )
    # A product of a fixed shape a recording: its rounding does not depend on the others.
    waves = np.square(seconds @ _waves(n_second, sampling_rate))
    powers = (waves[..., ::2] + waves[..., 1::2]).reshape(n_recordings, n_leads, n_seconds, 2, 3)
    hum, aside = powers[..., 1], np.maximum(powers[..., 0], powers[..., 2])
    heard = (hum > (HUM_MV / 2) ** 2) & (hum > _TIMES_ASIDE**2 * aside)
    marks = 2 * heard.sum(axis=2) >= n_seconds
    return marks[..., 0], marks[..., 1]


def without_mains(seconds: NDArray[np.float32], sampling_rate: float) -> NDArray[np.float32]:
    """Leads less what hums in them at either frequency.

    Parameters
    ----------
    seconds
        float32, shape (n_leads, n_seconds, n): finite leads cut into seconds.
    sampling_rate
        In Hz, at least `MIN_SAMPLING_RATE`.

    Returns
    -------
    float32, of the same shape.
    """
    waves = _plain_waves(seconds.shape[-1], sampling_rate)
    # A product of a fixed shape a lead: its rounding does not depend on the others.
    hum: NDArray[np.float32] = np.matmul(seconds @ waves, waves.T, dtype=np.float32)
    return np.subtract(seconds, hum, out=hum)


@lru_cache(maxsize=16)
def _plain_waves(n: int, sampling_rate: float) -> NDArray[np.float32]:
    """Orthonormal columns that span all hums of a second, also of a mains off by some 0.2 Hz."""
    frequencies = [mains + off for mains in MAINS_HZ for off in (-_OFF_HZ, _OFF_HZ)]
    angles = 2 * np.pi * np.outer(np.arange(n) / sampling_rate, frequencies)
    columns, _ = np.linalg.qr(np.concatenate([np.cos(angles), np.sin(angles)], axis=1))
    return np.ascontiguousarray(columns, np.float32)


@lru_cache(maxsize=16)
def _waves(n: int, sampling_rate: float) -> NDArray[np.float32]:
    """Cosines and sines under a Hann window, whose squares add up to a squared amplitude."""
    times = np.arange(n) / sampling_rate
    window = 1 - np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)
    columns = []
    for mains in MAINS_HZ:
        for frequency in (mains - _ASIDE_HZ, mains, mains + _ASIDE_HZ):
            angle = 2 * np.pi * frequency * times
            columns += [window * np.cos(angle), window * np.sin(angle)]
    matrix = np.stack(columns, axis=1)
    # What is left of a constant under the window.
    matrix -= matrix.mean(axis=0)
    return np.ascontiguousarray(matrix * (2 / n), np.float32)
