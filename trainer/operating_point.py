"""Where to put a threshold, and how else it might have come out; numpy only."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import UsageError
from trainer.metrics import Interval, best_f1_threshold, bootstrap_draws

LARGEST_F1 = "largest F1"
YOUDEN = "Youden"
_TARGET = re.compile(r"(sensitivity|specificity)\s+(0?\.\d+)", re.IGNORECASE)
_EXPECTED = f"'{LARGEST_F1}', '{YOUDEN}', 'sensitivity 0.95' or 'specificity 0.98'"
_ROUNDING = 1e-9
_DRAWS_AT_ONCE = 50
THRESHOLD_DRAWS = 200
"""Kept in the file of a calibration: evenly spaced quantiles of all that were drawn."""


@dataclass(frozen=True)
class Criterion:
    """How a threshold is chosen.

    Attributes
    ----------
    kind
        ``sensitivity``, ``specificity``, `LARGEST_F1` or `YOUDEN`.
    target
        Of the first two, above 0 and below 1; NaN for the others.
    """

    kind: str
    target: float = float("nan")

    def __str__(self) -> str:
        return self.kind if math.isnan(self.target) else f"{self.kind} {self.target:g}"

    @property
    def n_needed(self) -> int:
        """Positives (of a specificity: negatives) below which the target cannot be promised."""
        if math.isnan(self.target):
            return 1
        return math.ceil(self.target / (1 - self.target) - _ROUNDING)


def parse_criterion(text: str) -> Criterion:
    """Understand ``sensitivity 0.95``, ``specificity 0.98``, ``largest F1`` or ``Youden``.

    Raises
    ------
    UsageError
        If the text is none of these.
    """
    words = " ".join(text.split())
    for kind in (LARGEST_F1, YOUDEN):
        if words.casefold() == kind.casefold():
            return Criterion(kind)
    if (match := _TARGET.fullmatch(words)) and float(match[2]) > 0:
        return Criterion(match[1].lower(), float(match[2]))
    raise UsageError(f"operating point {text!r}: expected {_EXPECTED}")


def choose_threshold(
    criterion: Criterion, scores: NDArray[np.floating], positive: NDArray[np.bool_]
) -> float:
    """The threshold of a criterion; what scores at least as much is flagged.

    A sensitivity t of n positives lies between the scores of positives where a further one, drawn
    like these, reaches it with a chance of t: at the place (1 - t)(n + 1) among them from below,
    between two neighbours in proportion (the k-th of n leaves k / (n + 1) below it on average:
    Weibull 1939; Hyndman & Fan, American Statistician 1996, definition 6). The share of the n
    themselves would promise too much. The same goes for a specificity and the negatives. Of five
    ways to take the quantile this one came nearest to its target within fold 8 of PTB-XL
    (bench/RESULTS.md). Youden's index is sensitivity + specificity - 1 (Cancer 1950). Where a
    threshold would fall on a score it lies halfway to the next, so that rounding does not decide.

    Parameters
    ----------
    criterion
        At least `Criterion.n_needed` positives (negatives) are there for it.
    scores, positive
        Shape (N,), both kinds.
    """
    if criterion.kind == LARGEST_F1:
        return best_f1_threshold(scores, positive)[0]
    ranked = np.unique(scores.astype(np.float64))  # rising
    if criterion.kind == YOUDEN:
        below = [
            np.searchsorted(np.sort(scores[kind]), ranked) / kind.sum()
            for kind in (~positive, positive)
        ]
        index = below[0] - below[1]  # specificity, less what of the positives is missed
        return _halfway_down(ranked, ranked[int(np.argmax(index))])
    by_positives = criterion.kind == "sensitivity"
    own = np.sort(scores[positive if by_positives else ~positive].astype(np.float64))
    share = 1 - criterion.target if by_positives else criterion.target
    # A draw of the bootstrap may have fewer than are needed.
    place = min(max(share * (len(own) + 1), 1.0), float(len(own)))
    before = math.floor(place + _ROUNDING)
    part = max(place - before, 0.0)
    low, high = own[before - 1], own[min(before, len(own) - 1)]
    if part > _ROUNDING and high > low:
        return float(low + part * (high - low))
    if by_positives:
        return _halfway_down(ranked, float(low))
    above = ranked[ranked > low]
    # Halfway up is halfway down from the next higher score; of the highest there is none.
    return _halfway_down(ranked, above[0]) if len(above) else float(ranked[-1]) + 1e-6


def _halfway_down(ranked: NDArray[np.float64], value: float) -> float:
    below = ranked[ranked < value]
    return float((value + below[-1]) / 2) if len(below) else float(value) - 1e-6


def threshold_draws(
    criterion: Criterion,
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    patients: NDArray[np.str_],
) -> NDArray[np.float64]:
    """Thresholds that the criterion would have chosen on other patients, by bootstrap.

    Parameters
    ----------
    criterion
        See `choose_threshold`.
    scores, positive, patients
        Shape (N,).

    Returns
    -------
    float64, shape (at most `THRESHOLD_DRAWS`,), rising: evenly spaced quantiles of those of 1,000
    draws, since the ends of an interval rest on few draws. A draw without either kind chooses
    none.
    """
    chosen = []
    # Another seed than the rates': a threshold and the patients it is held against are drawn
    # apart.
    for drawn in bootstrap_draws(patients, seed=1):
        kinds = positive[drawn]
        if kinds.any() and not kinds.all():
            chosen.append(choose_threshold(criterion, scores[drawn], kinds))
    if len(chosen) <= THRESHOLD_DRAWS:
        return np.sort(chosen)
    places = (np.arange(THRESHOLD_DRAWS) + 0.5) / THRESHOLD_DRAWS
    return np.quantile(chosen, places, method="inverted_cdf")


def resampled_weights(patients: NDArray[np.str_]) -> Iterator[NDArray[np.float64]]:
    """How often each recording is in each bootstrap draw of patients, some draws at once.

    Parameters
    ----------
    patients
        Shape (N,).

    Yields
    ------
    float64, shape (b, N); the draws are those of `trainer.metrics.bootstrap_draws`.
    """
    draws = bootstrap_draws(patients)
    while block := list(islice(draws, _DRAWS_AT_ONCE)):
        counts = [np.bincount(drawn, minlength=len(patients)) for drawn in block]
        yield np.stack(counts).astype(np.float64)


def resampled_sums(values: NDArray[np.float64], patients: NDArray[np.str_]) -> NDArray[np.float64]:
    """Column sums over each bootstrap draw of patients.

    Parameters
    ----------
    values
        float64, shape (N, M).
    patients
        Shape (N,).

    Returns
    -------
    float64, shape (B, M).
    """
    return np.concatenate([weights @ values for weights in resampled_weights(patients)])


def percentile_interval(replicates: NDArray[np.float64]) -> Interval:
    """95 % of the replicates that are numbers; NaN if there is none."""
    known = replicates[np.isfinite(replicates)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(float(low), float(high))
