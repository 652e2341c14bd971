"""Many Gaussian kernels at once: laid along recordings, and summed into dipoles.

A batch of recordings is worked on in one go, because a thousand recordings a second leave
no time for a dozen array operations on each of a recording's waves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.simulate.rhythm import Respiration
from ecgscreen.simulate.waves import FloatArray, Template

REACH_WIDTHS = 4.0
"""A kernel is evaluated this many widths around its middle: e^-8, under 1 uV, is left out."""

_WIDTH_CLASSES_S = 0.004 * 1.25 ** np.arange(15)
"""Kernels of like width, 4 to 90 ms, are evaluated together, on windows of one length."""


@dataclass(frozen=True)
class Series:
    """A template, as one person has it, repeated along a recording.

    Attributes
    ----------
    template
        What is repeated.
    variation
        float64 (n_waves, 5), -1 to 1: how each wave differs in this person from the
        template, in place, width and the three components.
    tempo
        Duration of the waves that are not repolarisation, relative to the template's.
    scale
        Amplitude relative to the template's.
    times_s
        float64 (n_times,): where it is repeated.
    stretch
        float64 (n_times,): duration of repolarisation, relative to the template's.
    unrest
        float64 (n_times,): relative deviation of each repetition's amplitude.
    breath
        Relative depth to which breathing modulates the amplitude.
    respiration
        Breathing.
    """

    template: Template
    variation: FloatArray
    tempo: float
    scale: float
    times_s: FloatArray
    stretch: FloatArray
    unrest: FloatArray
    breath: float
    respiration: Respiration


@dataclass(frozen=True)
class Kernels:
    """Gaussians of a batch of recordings.

    Attributes
    ----------
    row
        int64 (n,): index of the recording.
    at_s
        float64 (n,): middle in seconds.
    width_s
        float64 (n,): standard deviation in seconds.
    vector
        float64 (n, 3): dipole at the middle, in mV of Frank's leads.
    """

    row: NDArray[np.int64]
    at_s: FloatArray
    width_s: FloatArray
    vector: FloatArray


def lay_kernels(recordings: Sequence[Sequence[Series]]) -> Kernels:
    """Lay each recording's series out: a kernel for each wave at each time."""
    series = [one for own in recordings for one in own]
    row = np.repeat(np.arange(len(recordings)), [len(own) for own in recordings])
    n_waves = np.array([one.template.at.size for one in series])
    n_times = np.array([one.times_s.size for one in series])

    # One person's waves: an entry for each wave of each series.
    of_wave = np.repeat(np.arange(len(series)), n_waves)
    late = np.concatenate([one.template.repolarisation for one in series])
    variation = np.concatenate([one.variation for one in series])
    tempo = np.where(late, 1.0, np.array([one.tempo for one in series])[of_wave])
    at = np.concatenate([one.template.at for one in series]) * tempo
    at += np.where(late, 0.010, 0.002) * variation[:, 0]
    width = np.concatenate([one.template.width for one in series]) * tempo
    width *= 1.0 + 0.09 * variation[:, 1]
    vector = np.concatenate([one.template.vector for one in series])
    vector *= np.array([one.scale for one in series])[of_wave, None]
    vector *= 1.0 + 0.2 * variation[:, 2:]

    # Their repetitions: an entry for each time of each series.
    of_time = np.repeat(np.arange(len(series)), n_times)
    times = np.concatenate([one.times_s for one in series])
    stretch = np.concatenate([one.stretch for one in series])
    breathing = np.array(
        [(one.breath, one.respiration.frequency_hz, one.respiration.phase) for one in series]
    )
    depth, frequency, phase = breathing[of_time].T
    gain = 1.0 + depth * np.sin(2 * np.pi * frequency * times + phase)
    gain += np.concatenate([one.unrest for one in series])

    # Every wave at every time of its series: `time` and `wave` index the two lists above.
    repeats = n_waves[of_time]
    time = np.repeat(np.arange(times.size), repeats)
    first = (np.cumsum(n_waves) - n_waves)[of_time] - (np.cumsum(repeats) - repeats)
    wave = np.arange(time.size) + first[time]
    scale = np.where(late[wave], stretch[time], 1.0)
    return Kernels(
        row=row[of_time][time],
        at_s=times[time] + at[wave] * scale,
        width_s=width[wave] * scale,
        vector=gain[time, None] * vector[wave],
    )


def sum_kernels(
    kernels: Kernels, n_recordings: int, n_samples: int, sampling_rate: float
) -> NDArray[np.float64]:
    """Evaluate the dipole of many recordings at once.

    Each kernel is evaluated only where it is not zero. What one recording's samples are
    does not depend on the others in the call.

    Returns
    -------
    float64 (n_recordings, 3, n_samples), in mV of Frank's leads.
    """
    at, width = sampling_rate * kernels.at_s, sampling_rate * kernels.width_s
    reaches = np.ceil(REACH_WIDTHS * sampling_rate * _WIDTH_CLASSES_S).astype(np.int64)
    size_class = np.searchsorted(_WIDTH_CLASSES_S[:-1] * sampling_rate, width)
    inside = (at > -reaches[-1]) & (at < n_samples + reaches[-1])
    classes = [np.flatnonzero(inside & (size_class == index)) for index in range(reaches.size)]
    ends = np.cumsum(
        [one.size * (2 * reach + 1) for one, reach in zip(classes, reaches, strict=True)]
    )
    # A margin on both sides takes what reaches over the ends.
    margin = 2 * int(reaches[-1]) + 1
    padded = n_samples + 2 * margin
    place = np.empty(ends[-1], dtype=np.int64)
    weight = np.empty((3, ends[-1]))
    for chosen, reach, end in zip(classes, reaches, ends, strict=True):
        steps = np.arange(-reach, reach + 1)
        part = slice(end - chosen.size * steps.size, end)
        middle = np.rint(at[chosen]).astype(np.int64)
        distance = ((middle - at[chosen])[:, None] + steps) / width[chosen, None]
        shape = np.exp(np.float32(-0.5) * np.square(distance.astype(np.float32)))
        first = kernels.row[chosen] * padded + margin + middle
        np.add(first[:, None], steps, out=place[part].reshape(-1, steps.size))
        for axis in range(3):
            amplitude = kernels.vector[chosen, axis, None]
            np.multiply(amplitude, shape, out=weight[axis, part].reshape(-1, steps.size))
    dipole = np.empty((n_recordings, 3, n_samples))
    for axis in range(3):
        summed = np.bincount(place, weight[axis], n_recordings * padded)
        dipole[:, axis] = summed.reshape(-1, padded)[:, margin : margin + n_samples]
    return dipole
