"""Recorded noise of the MIT-BIH Noise Stress Test database, added at a chosen ratio.

Moody, Muldrow & Mark, Computers in Cardiology 1984. The headers give no gain (0 stands for "not
calibrated"), so that the package's reader refuses them; WFDB takes 200 units for a millivolt then.
The ratio makes the gain meaningless here.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import Recording
from ecgscreen.resampling import BandPass, resample

RATE = 360.0
_UNITS_PER_MV = 200
_BAND = BandPass(0.5, 45.0, 50.0)


def read_noise(folder: Path, name: str) -> NDArray[np.float32]:
    """Read ``ma`` or ``bw``: WFDB format 212, float32 (2, n) at 360 Hz in nominal mV."""
    pairs = np.fromfile(folder / f"{name}.dat", np.uint8).reshape(-1, 3).astype(np.int32)
    first = pairs[:, 0] | (pairs[:, 1] & 15) << 8
    second = pairs[:, 2] | (pairs[:, 1] >> 4) << 8
    samples = np.stack([first, second])
    samples[samples > 2047] -= 4096
    return (samples / _UNITS_PER_MV).astype(np.float32)


def at_rate(noise: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """The noise at a recording's rate: low-passed where that is slower, else interpolated."""
    centred = noise - noise.mean(axis=1, keepdims=True)
    if rate < RATE:
        return resample(centred, RATE, rate, _BAND)
    times = np.arange(int(noise.shape[1] * rate / RATE)) * RATE / rate
    known = np.arange(noise.shape[1])
    return np.stack([np.interp(times, known, row) for row in centred]).astype(np.float32)


def add_noise(
    recording: Recording,
    noise: NDArray[np.float32],
    decibels: float,
    rng: np.random.Generator,
    *,
    in_band: bool,
) -> Recording:
    """Add to each lead a stretch of its own, so loud that the ratio holds in that lead.

    Parameters
    ----------
    recording
        Finite.
    noise
        From `at_rate`, at the recording's rate.
    decibels
        Ten times the decimal logarithm of the lead's variance over the noise's.
    rng
        Draws the stretches.
    in_band
        Whether both variances are taken from 0.5 to 40 Hz, where the encoder listens, or of all.
    """
    n_leads, n = recording.signal.shape
    starts = rng.integers(0, noise.shape[1] - n, (n_leads, 1))
    channels = rng.integers(0, len(noise), (n_leads, 1))
    drawn = noise[channels, starts + np.arange(n)]
    drawn = drawn - drawn.mean(axis=1, keepdims=True)
    rate = recording.sampling_rate
    ratio = _variance(recording.signal, rate, in_band) / np.maximum(
        _variance(drawn, rate, in_band), 1e-12
    )
    gain = np.sqrt(ratio) * 10 ** (-decibels / 20)
    noisy = recording.signal + drawn * gain[:, np.newaxis].astype(np.float32)
    return replace(recording, signal=noisy.astype(np.float32))


def _variance(signal: NDArray[np.float32], rate: float, in_band: bool) -> NDArray[np.float64]:
    power = np.square(np.abs(np.fft.rfft(signal.astype(np.float64), axis=1)))
    frequency = np.fft.rfftfreq(signal.shape[1], 1 / rate)
    inside = (frequency >= 0.5) & (frequency <= 40) if in_band else frequency > 0
    total: NDArray[np.float64] = power[:, inside].sum(axis=1)
    return total
