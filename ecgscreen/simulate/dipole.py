"""One person's heart: its waves, and how the leads see its dipole."""

from __future__ import annotations

import numpy as np

from ecgscreen.simulate.chance import between
from ecgscreen.simulate.kernels import Series
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

N_PLACEMENT_DRAWS = 12
"""Numbers that say how one person's heart lies and where the electrodes are."""


def projections(draws: FloatArray) -> FloatArray:
    """Make out of numbers how each person's body shows the dipole.

    The heart is turned, as it lies differently in everyone, and each lead's gain varies with
    the electrodes' places.

    Parameters
    ----------
    draws
        float64 (n, 12), uniform from 0 to 1. Uniform, not normal: a rare extreme would no
        longer show what the truth table says.

    Returns
    -------
    float64 (n, 8, 3): `MEASURED_LEADS` from the dipole.
    """
    spread = 2 * draws - 1
    # The axis in the frontal plane, about z, varies most between people.
    rotation = _rotations(spread[:, :3] * np.array([0.16, 0.22, 0.30]))
    gain = 0.92 * np.exp(0.28 * spread[:, 3:4] + 0.14 * spread[:, 4:])
    projection: FloatArray = gain[:, :, None] * (DOWER @ rotation)
    return projection


def _rotations(axes: FloatArray) -> FloatArray:
    """Rotate about each axis (n, 3) by its length in radians (Rodrigues' formula)."""
    x, y, z = axes.T
    zero = np.zeros_like(x)
    cross = np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]).transpose(2, 0, 1)
    angle = np.linalg.norm(axes, axis=1)[:, None, None]
    sine = np.sinc(angle / np.pi)
    versine = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    rotations: FloatArray = np.eye(3) + sine * cross + versine * (cross @ cross)
    return rotations


def draw_series(
    rhythm: Rhythm, timing: Timing, respiration: Respiration, rng: np.random.Generator
) -> tuple[Series, ...]:
    """Draw the waves of one person's beats."""
    breath = between(0.01, 0.06, rng)
    qt_scale = between(0.94, 1.07, rng)

    def series(
        template: Template,
        times_s: FloatArray,
        stretch: FloatArray | None,
        scales: tuple[float, float] | None,
        varies: bool = True,
    ) -> Series:
        n_waves = template.at.size
        return Series(
            template=template,
            variation=2 * rng.random((n_waves, 5)) - 1 if varies else np.zeros((n_waves, 5)),
            # Conduction is faster in one heart than in another: the whole QRS complex scales.
            tempo=between(0.91, 1.07, rng) if varies else 1.0,
            scale=between(*scales, rng) if scales else 1.0,
            times_s=times_s,
            stretch=np.ones(times_s.size) if stretch is None else stretch,
            unrest=0.012 * rng.standard_normal(times_s.size),
            breath=breath,
            respiration=respiration,
        )

    usual = ~timing.premature
    stretch = qt_scale * np.cbrt(timing.qt_rr_s)  # Fridericia 1920
    beats, own_stretch = timing.beats_s[usual], stretch[usual]
    drawn = [series(BEATS[timing.kind], beats, own_stretch, None)]
    if rhythm in INJURY:
        drawn.append(series(INJURY[rhythm], beats, own_stretch, (1.15, 1.8), varies=False))
    if timing.premature.any():
        origin = PVC_ORIGINS[int(rng.integers(len(PVC_ORIGINS)))]
        at = timing.beats_s[timing.premature]
        drawn.append(series(origin, at, stretch[timing.premature], (0.8, 1.2)))
    if timing.p_waves_s.size:
        # With low voltage, the P wave suffers less than the QRS complex.
        scales = (1.8, 2.5) if rhythm is Rhythm.LOW_VOLTAGE else (0.90, 1.25)
        drawn.append(series(P_WAVE, timing.p_waves_s, None, scales))
    if timing.spikes_s.size:
        drawn.append(series(PACING_SPIKE, timing.spikes_s, None, (0.6, 1.3), varies=False))
    return tuple(drawn)
