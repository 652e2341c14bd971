"""The curves of a class: receiver operating characteristic, precision and recall; numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Scored:
    """The scores of a task's classes on recordings whose truth is known.

    Attributes
    ----------
    names
        Ids of the K classes.
    scores
        float32, shape (N, K).
    positive
        bool, shape (N, K).
    thresholds
        float64, shape (K,); NaN without.
    probabilities
        float32, shape (N, K); NaN where there is no calibration.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float32]
    positive: NDArray[np.bool_]
    thresholds: NDArray[np.float64]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Curve:
    """What each threshold gives, from the highest to the lowest.

    Attributes
    ----------
    false_positive_rate, recall, precision
        float64, shape (T,): of what scores at least a threshold, a distinct score each.
    average_precision
        The precision at each threshold, weighted by what it adds to the recall. No line is drawn
        between points: precision does not change in proportion (Davis & Goadrich, ICML 2006).
    prevalence
        Share of the positives: the precision of flagging at random.
    """

    false_positive_rate: NDArray[np.float64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    average_precision: float
    prevalence: float


def curve(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> Curve:
    """Both curves of a class.

    Parameters
    ----------
    scores, positive
        Shape (N,), both kinds; equal scores are one threshold.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(positive[order])
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    found, flagged = hits[ends].astype(np.float64), ends + 1.0
    n_positive = float(hits[-1])
    recall, precision = found / n_positive, found / flagged
    return Curve(
        false_positive_rate=(flagged - found) / (len(scores) - n_positive),
        recall=recall,
        precision=precision,
        average_precision=float((np.diff(recall, prepend=0.0) * precision).sum()),
        prevalence=n_positive / len(scores),
    )
