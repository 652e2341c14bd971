"""Atria that do not beat: the waves of fibrillation and flutter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgscreen.simulate.chance import between
from ecgscreen.simulate.waves import FloatArray

_FIBRILLATION_VECTORS = np.array([[-0.30, 0.35, -0.80], [0.20, 0.55, -0.35]])
"""Two sources; both are largest in V1, where the right atrium is near."""

_FLUTTER_VECTOR = np.array([0.0, 1.0, 0.45])
"""Up and down the right atrium's septum: the sawtooth of II, III and aVF."""


def draw_fibrillation(times_s: FloatArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw f waves, 4 to 9 Hz.

    A sawtooth made of a sine and its harmonics whose frequency and amplitude wander
    (Stridh and Sornmo, "Spatiotemporal QRST cancellation techniques for analysis of atrial
    fibrillation", IEEE Trans Biomed Eng 2001, section III-A), for each of two sources.

    Parameters
    ----------
    times_s
        float64 (n_samples,): seconds.

    Returns
    -------
    float64 (3, n_samples): dipole in mV of Frank's leads.
    """
    level_mv = between(0.04, 0.12, rng)
    rate_hz = between(4.8, 7.6, rng)
    dipole = np.zeros((3, times_s.size))
    for vector, share in zip(_FIBRILLATION_VECTORS, (1.0, 0.7), strict=True):
        draw = rng.random(6)
        slow, fast = 0.08 + 0.25 * draw[0], 0.7 + 0.8 * draw[1]
        # The deviation of the frequency is each term's amplitude times 2 pi its frequency.
        cycles = (
            rate_hz * (0.97 + 0.06 * draw[2]) * times_s
            + (0.25 / (2 * np.pi * slow)) * _sine(slow * times_s + draw[3])
            + (0.45 / (2 * np.pi * fast)) * _sine(fast * times_s + draw[4])
        )
        swell = 1.0 + 0.35 * _sine(0.6 * fast * times_s + draw[5])
        wave = level_mv * share * swell * (_sine(cycles) + 0.35 * _sine(2 * cycles))
        dipole += vector[:, None] * wave
    return dipole


def draw_flutter(
    times_s: FloatArray, rate_hz: float, start_s: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw F waves: a slow fall and a quick rise in II, III and aVF, some 300 a minute.

    Parameters
    ----------
    times_s
        float64 (n_samples,): seconds.
    rate_hz
        Atrial cycles a second.
    start_s
        A time at which a cycle begins.

    Returns
    -------
    float64 (3, n_samples): dipole in mV of Frank's leads.
    """
    level_mv = between(0.16, 0.26, rng)
    lag = between(0.2, 0.6, rng)
    cycles = (times_s - start_s) * rate_hz - lag
    # The first terms of a sawtooth's Fourier series, tapered so that it does not ring.
    harmonics = np.arange(1, 5)[:, None]
    terms = np.sinc(harmonics / 5) * _sine(harmonics * cycles) / harmonics
    vector = _FLUTTER_VECTOR * rng.uniform(0.85, 1.15, 3)
    dipole: NDArray[np.float64] = level_mv * vector[:, None] * terms.sum(axis=0)
    return dipole


def _sine(cycles: FloatArray) -> FloatArray:
    """Return the sine of whole turns, to six digits, in a tenth of the time of `numpy.sin`.

    Only what is left of a turn is turned to single precision, so that hours lose nothing.
    """
    part = (cycles - np.floor(cycles)).astype(np.float32)
    sine: FloatArray = np.sin(np.float32(2 * np.pi) * part).astype(np.float64)
    return sine
