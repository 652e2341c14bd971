"""The shape of one heart beat: Gaussian waves of the heart's dipole.

Each wave is a Gaussian kernel in time (McSharry et al., "A dynamical model for
generating synthetic electrocardiogram signals", IEEE Trans Biomed Eng 2003) that acts on
all three components of a dipole (Sameni et al., "Multichannel ECG and noise modeling",
EURASIP J Adv Signal Process 2007). Offsets, widths and vectors are this project's own,
set so that the twelve leads look as a cardiologist expects them.

Axes are those of Frank's leads: x to the left, y to the feet, z to the back. Vectors are
in mV of Frank's leads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.simulate.settings import BeatKind, Rhythm

FloatArray = NDArray[np.float64]

VISIBLE_WIDTHS = 2.3
"""A Gaussian stands out of the baseline for about this many widths on each side."""


@dataclass(frozen=True)
class Template:
    """The waves of one beat.

    Attributes
    ----------
    at
        float64 (n_waves,): middle of each wave in seconds after the beat's main deflection.
    width
        float64 (n_waves,): standard deviation of each Gaussian in seconds.
    vector
        float64 (n_waves, 3): the dipole at the middle of each wave, in mV.
    repolarisation
        bool (n_waves,): waves that move and widen with the QT interval.
    """

    at: FloatArray
    width: FloatArray
    vector: FloatArray
    repolarisation: NDArray[np.bool_]


_Rows = tuple[tuple[float, float, float, float, float], ...]


def _template(depolarisation: _Rows, repolarisation: _Rows = ()) -> Template:
    """Rows are (middle in ms, width in ms, x, y, z in mV)."""
    rows = np.array(depolarisation + repolarisation, dtype=np.float64)
    late = np.arange(len(rows)) >= len(depolarisation)
    return Template(rows[:, 0] / 1000, rows[:, 1] / 1000, rows[:, 2:], late)


_NORMAL_QRS: _Rows = (
    (-22, 8, -0.15, -0.08, -0.30),  # septum: r in V1, q in V6
    (0, 10, 1.05, 0.80, -0.05),  # free wall of the left ventricle: R
    (16, 11, 0.25, 0.00, 0.75),  # to the back: S in V1 to V3
    (32, 9, -0.20, -0.15, 0.25),  # base: the last s
)
_NORMAL_T: _Rows = (
    (225, 50, 0.22, 0.13, -0.11),
    (270, 34, 0.20, 0.12, -0.10),  # the narrower half makes the descent steeper
)

P_WAVE = _template(((-15, 18, 0.04, 0.085, -0.05), (17, 18, 0.08, 0.07, 0.03)))
"""Right atrium, then left; offsets are from the middle of the P wave."""

PACING_SPIKE = _template(((0, 2.5, 0.40, -0.95, 0.55),))
"""An electrode in the right ventricle, as wide as a device's filter leaves the pulse."""

BEATS: dict[BeatKind, Template] = {
    BeatKind.NORMAL: _template(_NORMAL_QRS, _NORMAL_T),
    BeatKind.JUNCTIONAL_ESCAPE: _template(_NORMAL_QRS, _NORMAL_T),
    BeatKind.LBBB: _template(
        (
            (-40, 12, 0.28, 0.20, 0.00),
            (-16, 16, 0.80, 0.35, 0.70),
            (8, 20, 0.05, 0.00, 0.75),
            (28, 16, 0.85, 0.10, 0.60),  # the left side second, by way of the muscle: the notch
            (52, 12, 0.20, -0.05, 0.25),
        ),
        (
            (150, 45, -0.06, -0.02, -0.14),
            (255, 50, -0.16, -0.06, -0.17),
            (300, 33, -0.15, -0.05, -0.14),
        ),
    ),
    BeatKind.RBBB: _template(
        (
            *_NORMAL_QRS[:2],
            (18, 10, 0.20, 0.02, 0.50),
            (57, 16, -0.55, -0.08, -0.70),  # the right ventricle, late: R' in V1, s in V6
        ),
        ((250, 50, 0.22, 0.15, 0.10), (297, 31, 0.20, 0.14, 0.09)),
    ),
    BeatKind.PACED: _template(
        (
            (-42, 14, 0.25, -0.35, 0.10),
            (-13, 19, 0.55, -0.70, 0.70),
            (26, 20, 0.40, -0.85, 0.90),
            (58, 14, 0.10, -0.45, 0.40),
        ),
        (
            (150, 45, -0.08, 0.10, -0.12),
            (260, 50, -0.16, 0.22, -0.20),
            (305, 33, -0.14, 0.19, -0.16),
        ),
    ),
    BeatKind.VENTRICULAR_ESCAPE: _template(
        (
            (-48, 15, 0.25, 0.10, 0.10),
            (-14, 19, 0.75, 0.55, 0.95),
            (32, 20, 0.65, 0.35, 0.95),
            (64, 15, 0.15, 0.05, 0.30),
        ),
        ((270, 52, -0.22, -0.12, -0.20), (318, 34, -0.20, -0.10, -0.18)),
    ),
}
"""The template of each kind of beat but the premature one, which has an origin to draw."""

PVC_ORIGINS: tuple[Template, ...] = (
    _template(  # right ventricular outflow tract: like LBBB, axis to the feet
        (
            (-46, 15, 0.10, 0.40, 0.10),
            (-10, 21, 0.50, 1.25, 0.85),
            (30, 21, 0.40, 0.95, 0.95),
            (62, 15, 0.05, 0.25, 0.30),
        ),
        ((255, 48, -0.20, -0.40, -0.32), (300, 33, -0.18, -0.36, -0.28)),
    ),
    _template(  # free wall of the left ventricle: like RBBB, axis upwards
        (
            (-46, 15, -0.10, -0.20, -0.20),
            (-10, 21, -0.62, -0.80, -0.90),
            (30, 21, -0.70, -0.72, -0.85),
            (62, 15, -0.20, -0.30, -0.30),
        ),
        ((255, 48, 0.26, 0.30, 0.30), (300, 33, 0.24, 0.26, 0.26)),
    ),
    _template(  # right ventricular apex: like LBBB, axis upwards
        (
            (-46, 15, 0.25, -0.20, 0.10),
            (-10, 21, 0.80, -0.80, 0.75),
            (30, 21, 0.78, -0.78, 0.85),
            (62, 15, 0.20, -0.30, 0.30),
        ),
        ((255, 48, -0.30, 0.32, -0.26), (300, 33, -0.26, 0.28, -0.22)),
    ),
)


def _injury(x: float, y: float, z: float) -> Template:
    """Make a current of injury: level from the J point into the T wave."""
    return _template((), tuple((at, 25.0, x, y, z) for at in (60, 95, 130, 165, 200, 235)))


INJURY: dict[Rhythm, Template] = {
    Rhythm.ST_ELEVATION_ANTERIOR: _injury(0.02, -0.02, -0.125),
    Rhythm.ST_ELEVATION_INFERIOR: _injury(-0.03, 0.125, 0.02),
    Rhythm.ST_ELEVATION_LATERAL: _injury(0.17, -0.06, 0.07),
}
"""Neighbouring kernels overlap: the level reached is 1.8 times one kernel's vector."""


def qrs_onset_s(template: Template) -> float:
    """Return where the QRS complex begins, in seconds from the main deflection (negative)."""
    return float(template.at[0] - VISIBLE_WIDTHS * template.width[0])
