"""Signs in words, and the rules that say which recordings show them.

A text encoder trained on diagnoses alone knows the words "second degree AV block", not what a long
PR interval looks like. Signs are the parts that diagnoses are made of: rate, intervals,
axis, polarity. They need no reader, so every recording trains them, and a diagnosis
that no recording carried can be described by them (`Concept.signs`; the idea of describing a
class by what is seen is Menon & Vondrick's, ICLR 2023, and for ECGs that of Liu et al.,
ICML 2024, who let a language model write the descriptions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import LEADS
from trainer.signs.delineation import Delineation, delineate

_REGIONS = {
    "lateral": (("I", "aVL", "V5", "V6"), "I, aVL, V5 and V6"),
    "inferior": (("II", "III", "aVF"), "II, III and aVF"),
    "anterior": (("V2", "V3", "V4"), "V2 to V4"),
}


@dataclass(frozen=True)
class Sign:
    """A sign.

    Attributes
    ----------
    wordings
        Each of them means this sign alone, the first is its name.
    value
        The figure that it is read from; NaN where that cannot be told.
    present, absent
        From the first value on a recording shows the sign, from the second on it does not; a
        figure between the two is not clear enough to learn from.
    """

    wordings: tuple[str, ...]
    value: Callable[[Delineation], float]
    present: float
    absent: float

    def shown(self, figures: Delineation) -> float:
        """1, 0, or NaN where it is not clear."""
        value = self.value(figures)
        up = self.present > self.absent
        if value >= self.present if up else value <= self.present:
            return 1.0
        if value <= self.absent if up else value >= self.absent:
            return 0.0
        return float("nan")


def signs_of(
    windows: NDArray[np.float32], lead_mask: NDArray[np.bool_], sampling_rate: float
) -> NDArray[np.float32]:
    """Which recordings show which of `SIGNS`.

    Parameters
    ----------
    windows
        float32, shape (N, 12, n_samples).
    lead_mask
        bool, shape (N, 12).
    sampling_rate
        In Hz.

    Returns
    -------
    float32, shape (N, len(SIGNS)): 1, 0, or NaN where it is not known: too few beats, a figure on
    the border, a lead missing.
    """
    shown = np.full((len(windows), len(SIGNS)), np.nan, dtype=np.float32)
    # Most signs need most of the leads; who trains on fewer does without all of them.
    for row in np.flatnonzero(lead_mask.all(axis=1)):
        if figures := delineate(windows[row], sampling_rate):
            shown[row] = [sign.shown(figures) for sign in SIGNS]
    return shown


def _rows(*leads: str) -> list[int]:
    return [LEADS.index(lead) for lead in leads]


_V1, _V3 = LEADS.index("V1"), LEADS.index("V3")
_NOT_AVR = [k for k, lead in enumerate(LEADS) if lead not in ("aVR", "V1", "III")]


def _turned(axis: float, towards: float) -> float:
    """Degrees between an axis and a direction, 0 to 180."""
    return abs((axis - towards + 180) % 360 - 180)


def _pr(figures: Delineation) -> float:
    """PR interval where there is a P wave to begin it."""
    return figures.pr_s if figures.p_height > 0.05 and figures.rate < 110 else float("nan")


def _wide_and(figures: Delineation, shape: float) -> float:
    """QRS duration, 0 where the shape is another."""
    return figures.qrs_s if shape > 0 else 0.0


def _by_region() -> list[Sign]:
    found = []
    for region, (leads, named) in _REGIONS.items():
        rows = _rows(*leads)

        def middle(which: str, rows: list[int] = rows) -> Callable[[Delineation], float]:
            return lambda figures: float(np.median(getattr(figures, which)[rows]))

        found += [
            Sign(
                (
                    f"T waves below the baseline in the {region} leads",
                    f"downward T waves in {named}",
                    f"{region} T waves point down",
                ),
                middle("t"),
                -0.06,
                0.02,
            ),
            Sign(
                (
                    f"ST segment below the baseline in the {region} leads",
                    f"lowered ST segment in {named}",
                ),
                middle("st"),
                -0.05,
                -0.01,
            ),
            Sign(
                (
                    f"ST segment above the baseline in the {region} leads",
                    f"raised ST segment in {named}",
                ),
                middle("st"),
                0.08,
                0.03,
            ),
            Sign(
                (
                    f"the QRS complex begins downwards in the {region} leads",
                    f"initial negative deflection of the QRS complex in {named}",
                    f"Q waves in the {region} leads",
                ),
                middle("initial"),
                -0.08,
                0.1,
            ),
        ]
    return found


SIGNS: tuple[Sign, ...] = (
    Sign(
        (
            "fast heart rate",
            "rapid heart rate",
            "heart rate above 100 beats per minute",
            "the heart beats fast",
            "rapid ventricular rate",
        ),
        lambda f: f.rate,
        98.0,
        90.0,
    ),
    Sign(
        (
            "slow heart rate",
            "heart rate below 60 beats per minute",
            "the heart beats slowly",
            "low ventricular rate",
        ),
        lambda f: f.rate,
        60.0,
        65.0,
    ),
    Sign(
        (
            "irregular RR intervals",
            "irregular ventricular rhythm",
            "irregular heartbeat",
            "the beats come at irregular intervals",
            "no two RR intervals are alike",
        ),
        lambda f: f.irregularity,
        0.13,
        0.07,
    ),
    Sign(
        (
            "no P waves",
            "P waves are absent",
            "no atrial wave before the QRS complex",
            "missing P waves",
        ),
        lambda f: f.p_height,
        0.035,
        0.06,
    ),
    Sign(
        (
            "slow conduction from the atria to the ventricles",
            "PR interval longer than 200 ms",
            "the QRS complex follows the P wave late",
            "delayed atrioventricular conduction",
            "slow AV conduction",
        ),
        _pr,
        0.205,
        0.185,
    ),
    Sign(
        (
            "quick conduction from the atria to the ventricles",
            "PR interval shorter than 120 ms",
            "the QRS complex follows the P wave at once",
        ),
        _pr,
        0.128,
        0.145,
    ),
    Sign(
        (
            "wide QRS complex",
            "broad QRS complexes",
            "QRS duration above 120 ms",
            "the ventricles are excited slowly",
        ),
        lambda f: f.qrs_s,
        0.125,
        0.108,
    ),
    Sign(
        (
            "delayed activation of the left ventricle",
            "wide QRS complex that is negative in V1",
            "the left ventricle is excited late",
        ),
        lambda f: _wide_and(f, -float(f.qrs_net[_V1]) - 0.1),
        0.125,
        0.108,
    ),
    Sign(
        (
            "delayed activation of the right ventricle",
            "wide QRS complex that ends positive in V1",
            "the right ventricle is excited late",
        ),
        lambda f: _wide_and(f, float(f.final[_V1]) - 0.05),
        0.12,
        0.108,
    ),
    Sign(
        ("the QRS complex ends upwards in V1", "late R wave in V1", "second R wave in V1"),
        lambda f: float(f.final[_V1]),
        0.03,
        -0.08,
    ),
    Sign(
        (
            "QRS axis turned to the left",
            "leftward QRS axis",
            "QRS axis beyond minus 30 degrees",
            "QRS complex upright in I and downward in II, III and aVF",
        ),
        lambda f: _turned(f.axis, -75),
        45.0,
        60.0,
    ),
    Sign(
        (
            "QRS axis turned to the right",
            "rightward QRS axis",
            "QRS axis beyond plus 90 degrees",
            "QRS complex downward in I and upright in III",
        ),
        lambda f: _turned(f.axis, 140),
        50.0,
        65.0,
    ),
    Sign(
        (
            "small R waves in the anterior leads",
            "hardly any R wave in V3",
            "the R wave does not grow from V1 to V3",
        ),
        lambda f: float(f.r_share[_V3]),
        0.15,
        0.3,
    ),
    Sign(
        (
            "T waves point downwards",
            "T waves below the baseline",
            "T waves turned upside down",
        ),
        lambda f: float(np.sort(f.t[_NOT_AVR])[1]),
        -0.08,
        0.03,
    ),
    *_by_region(),
    Sign(
        ("a beat that comes early", "a beat before its time", "an early beat and a pause"),
        lambda f: f.early_beats - 0.5 * (f.irregularity > 0.2),
        0.05,
        0.0,
    ),
    Sign(
        (
            "an early beat of another shape",
            "an early wide beat",
            "a beat before its time with a strange QRS complex",
        ),
        lambda f: f.early_odd_beats,
        0.05,
        0.0,
    ),
)
"""In a fixed order: that of the columns of `signs_of`. Only what is abnormal: with what most
recordings show, texts of normality crowd one side of the embedding space and what was seen suffers
(superclass macro AUC -.005, form -.010 on fold 9 with eleven such signs at a weight of .5)."""
