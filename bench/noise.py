"""Recorded noise of the MIT-BIH Noise Stress Test database, added at a chosen ratio.

Moody, Muldrow & Mark, Computers in Cardiology 1984. The headers give no gain (0 stands for "not
calibrated"), so that the package's reader refuses them; WFDB takes 200 units for a millivolt then.
The ratio makes the gain meaningless here.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.beats import beat_samples
from ecgscreen.recording import Recording
from ecgscreen.resampling import BandPass, resample

RATE = 360.0
_UNITS_PER_MV = 200
_BAND = BandPass(0.5, 45.0, 50.0)
_QRS_S = 0.05
_TRIMMED = 0.05


class Ratio(StrEnum):
    """What a signal-to-noise ratio divides; the text is the tables'."""

    BAND = "0.5-40 Hz"
    """Variances of what lies where the encoder listens."""
    ALL = "all"
    """Variances of everything."""
    QRS = "QRS"
    """The size of QRS complexes over that of seconds of the noise, as the database itself has it
    (program nst of the WFDB software): drift over more than a second does not count as noise."""


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
    ratio: Ratio,
) -> Recording:
    """Add to each lead a stretch of its own, so loud that the ratio holds in that lead.

    Parameters
    ----------
    recording
        Finite.
    noise
        From `at_rate`, at the recording's rate.
    decibels
        Ten times the decimal logarithm of the ratio.
    rng
        Draws the stretches.
    ratio
        What is divided by what.
    """
    n_leads, n = recording.signal.shape
    starts = rng.integers(0, noise.shape[1] - n, (n_leads, 1))
    channels = rng.integers(0, len(noise), (n_leads, 1))
    drawn = noise[channels, starts + np.arange(n)]
    drawn = drawn - drawn.mean(axis=1, keepdims=True)
    rate = recording.sampling_rate
    if ratio is Ratio.QRS:
        powers = _qrs_power(recording), _noise_power(noise, rate)[channels[:, 0]]
    else:
        in_band = ratio is Ratio.BAND
        powers = _variance(recording.signal, rate, in_band), _variance(drawn, rate, in_band)
    gain = np.sqrt(powers[0] / np.maximum(powers[1], 1e-12)) * 10 ** (-decibels / 20)
    noisy = recording.signal + drawn * gain[:, np.newaxis].astype(np.float32)
    return replace(recording, signal=noisy.astype(np.float32))


def _qrs_power(recording: Recording) -> NDArray[np.float64]:
    """An eighth of the squared mean size of each lead's QRS complexes: that of a sine as large."""
    rate = recording.sampling_rate
    reach = round(_QRS_S * rate)
    beats = beat_samples(recording.signal, rate)
    around = beats[(beats >= reach) & (beats < recording.signal.shape[1] - reach)]
    if not len(around):
        size: NDArray[np.float64] = np.ptp(recording.signal, axis=1).astype(np.float64)
        return size * size / 8
    complexes = recording.signal[:, around[:, np.newaxis] + np.arange(-reach, reach + 1)]
    size = _trimmed_mean(np.ptp(complexes, axis=2))
    return size * size / 8


def _noise_power(noise: NDArray[np.float32], rate: float) -> NDArray[np.float64]:
    """The squared mean size of each channel's seconds, of the whole noise."""
    n_second = int(rate)
    n_seconds = noise.shape[1] // n_second
    seconds = noise[:, : n_seconds * n_second].reshape(len(noise), n_seconds, n_second)
    size = _trimmed_mean(seconds.std(axis=2))
    return size * size


def _trimmed_mean(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each row without its lowest and highest twentieth."""
    ordered = np.sort(values, axis=1)
    n_left_out = int(_TRIMMED * ordered.shape[1])
    kept = ordered[:, n_left_out : ordered.shape[1] - n_left_out]
    mean: NDArray[np.float64] = kept.mean(axis=1, dtype=np.float64)
    return mean


def _variance(signal: NDArray[np.float32], rate: float, in_band: bool) -> NDArray[np.float64]:
    power = np.square(np.abs(np.fft.rfft(signal.astype(np.float64), axis=1)))
    frequency = np.fft.rfftfreq(signal.shape[1], 1 / rate)
    inside = (frequency >= 0.5) & (frequency <= 40) if in_band else frequency > 0
    total: NDArray[np.float64] = power[:, inside].sum(axis=1)
    return total
