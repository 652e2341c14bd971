"""What is learned on labelled recordings besides the model: thresholds and probabilities.

Here they are applied, with numpy alone; `trainer.platt` and `trainer.operating_point` learn them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold on the score of a concept, and how it was chosen.

    Attributes
    ----------
    threshold
        Flagged where the score is at least this.
    n_positive, n
        Recordings of the set with the concept, and all of them.
    criterion
        Such as "largest F1".

    Raises
    ------
    ValueError
        If the threshold is not finite: a flag at "not a number" would never be raised.
    """

    threshold: float
    n_positive: int
    n: int
    criterion: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold):
            raise ValueError(f"a threshold of {self.threshold}, expected a finite number")


@dataclass(frozen=True)
class PlattScaling:
    """Two numbers that turn the score of one diagnosis into a probability.

    ``p = 1 / (1 + exp(-(slope * score + intercept)))``: Platt, Advances in Large Margin
    Classifiers, 1999, with the signs of both parameters turned, so that a larger score is a larger
    probability.

    Attributes
    ----------
    slope
        Above zero: a scaling that turned the order of the scores around would not be one.
    intercept
        Depends on how frequent the diagnosis was where it was learned.

    Raises
    ------
    ValueError
        If one of them is not finite, or the slope is not above zero.
    """

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept) and self.slope > 0):
            raise ValueError(
                f"slope {self.slope} and intercept {self.intercept}, expected finite numbers and a "
                "slope above zero"
            )


@dataclass(frozen=True)
class Calibrated:
    """What is known of a diagnosis's scores.

    Attributes
    ----------
    threshold
        Flagged where the score is at least this.
    criterion
        How it was chosen, such as ``sensitivity 0.95``.
    platt
        None where no probability could be learned.
    threshold_draws
        Thresholds that other patients would have given, by bootstrap; empty where nobody drew.
    n_independent
        As how many independent recordings those count that a promised sensitivity or specificity
        was learned on; None where nothing was promised.
    """

    threshold: float
    criterion: str
    platt: PlattScaling | None
    threshold_draws: tuple[float, ...] = ()
    n_independent: float | None = None


def probabilities(
    scores: NDArray[np.float32], scalings: Sequence[PlattScaling | None]
) -> NDArray[np.float32]:
    """Probabilities of the diagnoses that have a scaling.

    Parameters
    ----------
    scores
        float32, shape (N, K); NaN where there is none.
    scalings
        K of them; None for a diagnosis without calibration.

    Returns
    -------
    float32, shape (N, K); NaN without score or without scaling, never a guess.
    """
    if scores.shape[1] != len(scalings):
        raise ValueError(f"{len(scalings)} scalings for {scores.shape[1]} diagnoses")
    nan = float("nan")
    slopes = np.array([nan if each is None else each.slope for each in scalings])
    intercepts = np.array([nan if each is None else each.intercept for each in scalings])
    return sigmoid(scores * slopes + intercepts).astype(np.float32)


def sigmoid(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """``1 / (1 + exp(-x))``, without overflow at either end; float64, the shape of `x`."""
    small = np.exp(-np.abs(x.astype(np.float64)))
    result: NDArray[np.float64] = np.where(x >= 0, 1.0, small) / (1.0 + small)
    return result
