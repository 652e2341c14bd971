"""The threshold of a list's line, before a site's calibration is asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.diagnoses import Diagnosis
from ecgscreen.scoring import score

_NONE = float("nan")


@dataclass(frozen=True)
class Threshold:
    """A threshold and where it comes from.

    Attributes
    ----------
    value
        Flagged where the score is at least this; NaN without.
    criterion
        How it was chosen, and by whom; empty without.
    note
        Why there is none although the list asks for one; else empty.
    """

    value: float = _NONE
    criterion: str = ""
    note: str = ""


def list_threshold(
    diagnosis: Diagnosis, bundle: Bundle, direction: NDArray[np.float64]
) -> Threshold:
    """Return what the list asks for, as far as the list and the bundle can give it.

    Parameters
    ----------
    diagnosis
        A line of the list; without a threshold of its own it gets the bundle's.
    bundle
        Its operating points are about a concept's own direction: a line with counter-prompts
        takes none of them.
    direction
        float64, shape (D,): the line's, from `ecgscreen.scoring.quantise_directions`.
    """
    asked = diagnosis.asked
    point = None if diagnosis.has_counter else bundle.operating_points.get(diagnosis.code)
    own = (
        Threshold()
        if point is None
        else Threshold(point.threshold, f"{point.criterion}, the bundle's validation set")
    )
    if asked is None:
        return own
    if asked.kind == "score":
        return Threshold(asked.value, "the list")
    if asked.kind == "top":
        return _top(asked.text, asked.value, bundle, direction)
    if point is not None and point.criterion == asked.text:
        return own
    if diagnosis.has_counter:
        return Threshold(note=f"{asked.text}: nobody measures a line with counter-prompts")
    has = "no threshold for it" if point is None else f"the {point.criterion} only"
    return Threshold(
        note=f"{asked.text}: the bundle has {has}; learn it on labelled recordings "
        f"(ecgscreen calibrate --operating-point '{asked.text}') and give --calibration"
    )


def top_threshold(reference_scores: NDArray[np.float32], percent: float) -> float:
    """The lowest score that at most a share of the reference population reaches.

    Parameters
    ----------
    reference_scores
        float32, shape (R,), no NaN.
    percent
        Above 0, below 100.

    Returns
    -------
    One of the scores; NaN where even the highest is reached by more, as in a small population.
    """
    values, counts = np.unique(reference_scores, return_counts=True)
    reached_by = np.cumsum(counts[::-1])[::-1]
    allowed = values[100.0 * reached_by <= percent * len(reference_scores)]
    return float(allowed[0]) if len(allowed) else _NONE


def _top(text: str, percent: float, bundle: Bundle, direction: NDArray[np.float64]) -> Threshold:
    reference = bundle.reference
    if reference is None:
        return Threshold(note=f"{text}: the bundle has no reference population")
    found = top_threshold(score(reference, direction[None])[:, 0], percent)
    if np.isnan(found):
        return Threshold(note=f"{text}: {len(reference)} recordings of reference are too few")
    return Threshold(found, f"{text} of the reference population of {len(reference)}")
