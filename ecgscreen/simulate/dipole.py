"""The moving dipole of one heart, and the leads that see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

_WIDTH_CLASSES_S = np.array([0.004, 0.009, 0.013, 0.02, 0.03, 0.045, 0.068, 0.1])
"""Kernels of like width are evaluated together, on windows of one length."""


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


def draw_projection(rhythm: Rhythm, rng: np.random.Generator) -> FloatArray:
    """Draw how one person's body shows the dipole.

    The heart is turned about the three axes, as it lies differently in everyone, and each
    lead's gain varies with the electrodes' places.

    Returns
    -------
    float64 (8, 3): `MEASURED_LEADS` from the dipole.
    """
    frontal, sagittal, transverse = (float(angle) for angle in rng.normal(0.0, (0.20, 0.10, 0.14)))
    about_z = _rotation(frontal, 0, 1)
    about_x = _rotation(sagittal, 1, 2)
    about_y = _rotation(transverse, 2, 0)
    gain = np.exp(rng.normal(0.0, 0.09, (8, 1)))
    amplitude = 0.92 * math.exp(rng.normal(0.0, 0.16))
    if rhythm is Rhythm.LOW_VOLTAGE:
        # Limb leads under 0.5 mV and chest leads under 1 mV, peak to peak.
        amplitude = float(rng.uniform(0.22, 0.31))
    projection: FloatArray = amplitude * gain * (DOWER @ about_z @ about_x @ about_y)
    return projection


def _rotation(angle: float, first: int, second: int) -> FloatArray:
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = math.cos(angle)
    matrix[second, first] = math.sin(angle)
    matrix[first, second] = -math.sin(angle)
    return matrix


def draw_kernels(
    rhythm: Rhythm, timing: Timing, respiration: Respiration, rng: np.random.Generator
) -> Kernels:
    """Draw the waves of one person's beats and lay them along the recording."""
    breath = float(rng.uniform(0.01, 0.06))
    qt_scale = float(rng.normal(1.0, 0.04))
    beat = _vary(BEATS[timing.kind], rng)
    if rhythm in INJURY:
        beat = beat.with_waves(_scaled(INJURY[rhythm], float(rng.uniform(0.9, 1.6))))
    usual = ~timing.premature
    stretch = qt_scale * np.cbrt(timing.qt_rr_s)  # Fridericia 1920
    parts = [_lay(beat, timing.beats_s[usual], stretch[usual], breath, respiration, rng)]
    if timing.premature.any():
        origin = PVC_ORIGINS[int(rng.integers(len(PVC_ORIGINS)))]
        early = _scaled(_vary(origin, rng), float(rng.uniform(0.8, 1.2)))
        at = timing.beats_s[timing.premature]
        parts.append(_lay(early, at, stretch[timing.premature], breath, respiration, rng))
    if timing.p_waves_s.size:
        p_wave = _scaled(_vary(P_WAVE, rng), float(rng.uniform(0.8, 1.25)))
        if rhythm is Rhythm.LOW_VOLTAGE:
            p_wave = _scaled(p_wave, 2.0)  # the P wave suffers less than the QRS complex
        parts.append(_lay(p_wave, timing.p_waves_s, None, breath, respiration, rng))
    if timing.spikes_s.size:
        spike = _scaled(PACING_SPIKE, float(rng.uniform(0.6, 1.3)))
        parts.append(_lay(spike, timing.spikes_s, None, 0.0, respiration, rng))
    return Kernels(
        np.concatenate([part.at_s for part in parts]),
        np.concatenate([part.width_s for part in parts]),
        np.concatenate([part.vector for part in parts]),
    )


def _vary(template: Template, rng: np.random.Generator) -> Template:
    """One person's version of a template."""
    n_waves = template.at.size
    normal = rng.standard_normal((n_waves, 5))
    shift = np.where(template.repolarisation, 0.006, 0.0012)
    return Template(
        at=template.at + shift * normal[:, 0],
        width=template.width * np.exp(0.05 * normal[:, 1]),
        vector=template.vector * (1.0 + 0.12 * normal[:, 2:]),
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
        scale = np.ones((times_s.size, template.at.size))
    else:
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
    dipole = np.zeros((3, len(kernels) * padded))
    inside = (at > -reaches[-1]) & (at < n_samples + reaches[-1])
    for index, reach in enumerate(reaches):
        chosen = np.flatnonzero(inside & (size_class == index))
        if not chosen.size:
            continue
        middle = np.rint(at[chosen]).astype(np.int64)
        steps = np.arange(-reach, reach + 1)
        distance = ((middle - at[chosen])[:, None] + steps) / width[chosen, None]
        shape = np.exp(np.float32(-0.5) * np.square(distance.astype(np.float32)))
        where = ((row[chosen] * padded + margin + middle)[:, None] + steps).ravel()
        for axis in range(3):
            weights = (vector[chosen, axis, None] * shape).ravel()
            dipole[axis] += np.bincount(where, weights, dipole.shape[1])
    cut = dipole.reshape(3, len(kernels), padded)[:, :, margin : margin + n_samples]
    return np.ascontiguousarray(cut.transpose(1, 0, 2))
