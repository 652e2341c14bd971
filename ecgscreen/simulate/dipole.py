"""The moving dipole of one heart, and the leads that see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.simulate.chance import between
from ecgscreen.simulate.rhythm import Respiration, Timing
from ecgscreen.simulate.settings import Rhythm
from ecgscreen.simulate.waves import (
    BEATS,
    INJURY,
    P_WAVE,
    PACING_SPIKE,
    PVC_ORIGINS,
    FloatArray,
    Template,
)

MEASURED_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
"""The eight independent leads; the other four are sums and differences of I and II."""

DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
"""float64 (8, 3): `MEASURED_LEADS` from Frank's x, y, z (Dower, Machado and Osborne, "On
deriving the electrocardiogram from vectorcardiographic leads", Clin Cardiol 1980; its
pseudo-inverse is the matrix of Edenbrandt and Pahlm, J Electrocardiol 1988)."""

REACH_WIDTHS = 4.0
"""A kernel is evaluated this many widths around its middle: e^-8, under 1 uV, is left out."""

_WIDTH_CLASSES_S = 0.004 * 1.25 ** np.arange(15)
"""Kernels of like width, 4 to 90 ms, are evaluated together, on windows of one length."""


@dataclass(frozen=True)
class Kernels:
    """Gaussians of one recording.

    Attributes
    ----------
    at_s
        float64 (n,): middle in seconds.
    width_s
        float64 (n,): standard deviation in seconds.
    vector
        float64 (n, 3): dipole at the middle, in mV of Frank's leads.
    """

    at_s: FloatArray
    width_s: FloatArray
    vector: FloatArray


def draw_projection(rng: np.random.Generator) -> FloatArray:
    """Draw how one person's body shows the dipole.

    The heart is turned about the three axes, as it lies differently in everyone, and each
    lead's gain varies with the electrodes' places.

    Returns
    -------
    float64 (8, 3): `MEASURED_LEADS` from the dipole.
    """
    # Uniform, not normal: a rare extreme would no longer show what the truth table says.
    turn_x, turn_y, turn_z, loud, *gain = (2 * rng.random(12) - 1).tolist()
    amplitude = 0.92 * math.exp(0.28 * loud)
    gains = amplitude * np.exp(0.14 * np.array(gain))
    # The axis in the frontal plane, about z, varies most between people.
    turned: FloatArray = DOWER @ _rotation(0.16 * turn_x, 0.22 * turn_y, 0.30 * turn_z)
    projection: FloatArray = gains[:, None] * turned
    return projection


_IDENTITY: FloatArray = np.eye(3)


def _rotation(x: float, y: float, z: float) -> FloatArray:
    """Rotate about an axis, by its length in radians (Rodrigues' formula)."""
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = math.hypot(x, y, z)
    if angle == 0:
        return _IDENTITY
    sine, versine = math.sin(angle) / angle, (1 - math.cos(angle)) / angle**2
    rotation: FloatArray = _IDENTITY + sine * cross + versine * (cross @ cross)
    return rotation


def draw_kernels(
    rhythm: Rhythm, timing: Timing, respiration: Respiration, rng: np.random.Generator
) -> Kernels:
    """Draw the waves of one person's beats and lay them along the recording."""
    breath = between(0.01, 0.06, rng)
    qt_scale = between(0.94, 1.07, rng)
    beat = _vary(BEATS[timing.kind], rng)
    if rhythm in INJURY:
        beat = beat.with_waves(_scaled(INJURY[rhythm], between(1.15, 1.8, rng)))
    usual = ~timing.premature
    stretch = qt_scale * np.cbrt(timing.qt_rr_s)  # Fridericia 1920
    parts = [_lay(beat, timing.beats_s[usual], stretch[usual], breath, respiration, rng)]
    if timing.premature.any():
        origin = PVC_ORIGINS[int(rng.integers(len(PVC_ORIGINS)))]
        early = _scaled(_vary(origin, rng), between(0.8, 1.2, rng))
        at = timing.beats_s[timing.premature]
        parts.append(_lay(early, at, stretch[timing.premature], breath, respiration, rng))
    if timing.p_waves_s.size:
        p_wave = _scaled(_vary(P_WAVE, rng), between(0.90, 1.25, rng))
        if rhythm is Rhythm.LOW_VOLTAGE:
            p_wave = _scaled(p_wave, 2.0)  # the P wave suffers less than the QRS complex
        parts.append(_lay(p_wave, timing.p_waves_s, None, breath, respiration, rng))
    if timing.spikes_s.size:
        spike = _scaled(PACING_SPIKE, between(0.6, 1.3, rng))
        parts.append(_lay(spike, timing.spikes_s, None, 0.0, respiration, rng))
    return Kernels(
        np.concatenate([part.at_s for part in parts]),
        np.concatenate([part.width_s for part in parts]),
        np.concatenate([part.vector for part in parts]),
    )


def _vary(template: Template, rng: np.random.Generator) -> Template:
    """One person's version of a template."""
    draw = 2 * rng.random((template.at.size, 5)) - 1
    # Conduction is faster in one heart than in another: the whole QRS complex scales.
    tempo = np.where(template.repolarisation, 1.0, between(0.91, 1.07, rng))
    return Template(
        at=template.at * tempo + np.where(template.repolarisation, 0.010, 0.002) * draw[:, 0],
        width=template.width * tempo * (1.0 + 0.09 * draw[:, 1]),
        vector=template.vector * (1.0 + 0.2 * draw[:, 2:]),
        repolarisation=template.repolarisation,
    )


def _scaled(template: Template, factor: float) -> Template:
    return Template(template.at, template.width, factor * template.vector, template.repolarisation)


def _lay(
    template: Template,
    times_s: FloatArray,
    stretch: FloatArray | None,
    breath: float,
    respiration: Respiration,
    rng: np.random.Generator,
) -> Kernels:
    """Repeat a template at `times_s`, a little different at every beat."""
    gain = 1.0 + breath * respiration.at(times_s) + 0.012 * rng.standard_normal(times_s.size)
    if stretch is None:
        stretch = np.ones(times_s.size)
    scale = np.where(template.repolarisation, stretch[:, None], 1.0)
    return Kernels(
        at_s=(times_s[:, None] + template.at * scale).ravel(),
        width_s=(template.width * scale).ravel(),
        vector=(gain[:, None, None] * template.vector).reshape(-1, 3),
    )


def sum_kernels(
    kernels: Sequence[Kernels], n_samples: int, sampling_rate: float
) -> NDArray[np.float64]:
    """Evaluate the dipole of many recordings at once.

    Each kernel is evaluated only where it is not zero. What one recording's samples are
    does not depend on the others in the call.

    Returns
    -------
    float64 (n_recordings, 3, n_samples), in mV of Frank's leads.
    """
    counts = [one.at_s.size for one in kernels]
    row = np.repeat(np.arange(len(kernels)), counts)
    at = sampling_rate * np.concatenate([one.at_s for one in kernels])
    width = sampling_rate * np.concatenate([one.width_s for one in kernels])
    vector = np.concatenate([one.vector for one in kernels])
    reaches = np.ceil(REACH_WIDTHS * sampling_rate * _WIDTH_CLASSES_S).astype(np.int64)
    size_class = np.searchsorted(_WIDTH_CLASSES_S[:-1] * sampling_rate, width)

    # A margin on both sides takes what reaches over the ends.
    margin = 2 * int(reaches[-1]) + 1
    padded = n_samples + 2 * margin
    inside = (at > -reaches[-1]) & (at < n_samples + reaches[-1])
    classes = [np.flatnonzero(inside & (size_class == index)) for index in range(reaches.size)]
    ends = np.cumsum(
        [one.size * (2 * reach + 1) for one, reach in zip(classes, reaches, strict=True)]
    )
    place = np.empty(ends[-1], dtype=np.int64)
    weight = np.empty((3, ends[-1]))
    for chosen, reach, end in zip(classes, reaches, ends, strict=True):
        steps = np.arange(-reach, reach + 1)
        part = slice(end - chosen.size * steps.size, end)
        middle = np.rint(at[chosen]).astype(np.int64)
        distance = ((middle - at[chosen])[:, None] + steps) / width[chosen, None]
        shape = np.exp(np.float32(-0.5) * np.square(distance.astype(np.float32)))
        first = row[chosen] * padded + margin + middle
        np.add(first[:, None], steps, out=place[part].reshape(-1, steps.size))
        for axis in range(3):
            amplitude = vector[chosen, axis, None]
            np.multiply(amplitude, shape, out=weight[axis, part].reshape(-1, steps.size))
    dipole = np.empty((len(kernels), 3, n_samples))
    for axis in range(3):
        summed = np.bincount(place, weight[axis], len(kernels) * padded)
        dipole[:, axis] = summed.reshape(-1, padded)[:, margin : margin + n_samples]
    return dipole
