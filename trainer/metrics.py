"""Figures of merit with intervals; numpy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

MIN_POSITIVES = 5
"""A class with fewer positives (or negatives) in the set takes no part in macro means."""


_TRIVIAL = ("nothing flagged", "everything flagged", "majority class", "prevalence", "chance")


@dataclass(frozen=True)
class Interval:
    """A 95 % percentile-bootstrap interval."""

    low: float
    high: float


def auc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve, as the Mann-Whitney statistic; ties count half.

    Parameters
    ----------
    scores
        float, shape (N,).
    positive
        bool, shape (N,).

    Returns
    -------
    NaN if one of the two classes is empty.

    Notes
    -----
    Hanley & McNeil, Radiology 1982.
    """
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    ranks = mid_ranks(scores)
    u = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(u / (n_positive * n_negative))


def mid_ranks(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks from 1, equal values share the mean of their ranks; shape (N,)."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return means


def measurable(positive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which classes have enough positives and negatives.

    Parameters
    ----------
    positive
        bool, shape (N, K).

    Returns
    -------
    bool, shape (K,).
    """
    n = positive.sum(axis=0)
    enough: NDArray[np.bool_] = (n >= MIN_POSITIVES) & (len(positive) - n >= MIN_POSITIVES)
    return enough


def macro_auc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Mean AUC over the classes, those without both kinds of recordings left out.

    Parameters
    ----------
    scores, positive
        Shape (N, K).
    """
    values = [auc(scores[:, k], positive[:, k]) for k in range(scores.shape[1])]
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


@dataclass(frozen=True)
class ConfusionFigures:
    """Macro means over classes, each in 0..1; by the protocol ``argmax``, accuracy over cases."""

    accuracy: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class BaselineFigures(ConfusionFigures):
    """What can be had without looking at the ECG.

    Attributes
    ----------
    macro_auc
        Of a score that is the same for all recordings, or drawn: one half.
    """

    macro_auc: float = 0.5


def confusion_figures(flagged: NDArray[np.bool_], positive: NDArray[np.bool_]) -> ConfusionFigures:
    """Accuracy, precision, recall and F1 a class, averaged over the classes.

    A class in which nothing is flagged has precision 0, one without positives recall 0.

    Parameters
    ----------
    flagged, positive
        bool, shape (N, K).
    """
    hits = (flagged & positive).sum(axis=0)
    n_flagged, n_positive = flagged.sum(axis=0), positive.sum(axis=0)
    precision = hits / np.maximum(n_flagged, 1)
    recall = hits / np.maximum(n_positive, 1)
    f1 = 2 * hits / np.maximum(n_flagged + n_positive, 1)
    return ConfusionFigures(
        accuracy=float((flagged == positive).mean()),
        precision=float(precision.mean()),
        recall=float(recall.mean()),
        f1=float(f1.mean()),
    )


def trivial_baselines(positive: NDArray[np.bool_]) -> dict[str, BaselineFigures]:
    """What needs no ECG; see `trainer.evaluate.Evaluation.baselines`.

    Parameters
    ----------
    positive
        bool, shape (N, K); without a class there is no figure.
    """
    share = positive.mean(axis=0)
    if not len(share):
        nan = float("nan")
        return dict.fromkeys(_TRIVIAL, BaselineFigures(nan, nan, nan, nan, nan))
    mean = float(share.mean())

    def constant(flagged: NDArray[np.bool_]) -> BaselineFigures:
        figures = confusion_figures(np.broadcast_to(flagged, positive.shape), positive)
        return BaselineFigures(**asdict(figures))

    # Drawn with probability q, of what is flagged the class's share is right, of its recordings
    # the share q is found.
    found = (
        constant(np.zeros(len(share), dtype=np.bool_)),
        constant(np.ones(len(share), dtype=np.bool_)),
        constant(share >= 0.5),
        BaselineFigures(float((share**2 + (1 - share) ** 2).mean()), mean, mean, mean),
        BaselineFigures(0.5, mean, 0.5, float((share / (share + 0.5)).mean())),
    )
    return dict(zip(_TRIVIAL, found, strict=True))


def best_f1_threshold(
    scores: NDArray[np.floating], positive: NDArray[np.bool_]
) -> tuple[float, float]:
    """The threshold with the largest F1, halfway between two neighbouring scores.

    Parameters
    ----------
    scores, positive
        Shape (N,), at least one positive.

    Returns
    -------
    threshold, F1 at it.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order].astype(np.float64)
    hits = np.cumsum(positive[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + hits[-1])
    f1[:-1][ranked[:-1] == ranked[1:]] = -1.0  # equal scores cannot be parted
    best = int(np.argmax(f1))
    below = ranked[best + 1] if best + 1 < len(ranked) else ranked[best] - 1e-6
    return float((ranked[best] + below) / 2), float(f1[best])


def bootstrap_interval(
    statistic: Callable[[NDArray[np.intp]], float],
    patients: NDArray[np.str_],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Interval:
    """Resample patients with all their recordings (Efron & Tibshirani 1993, chapter 13).

    Parameters
    ----------
    statistic
        Takes row numbers, repeated as drawn, and gives the figure; NaN replicates are left out,
        and where all are NaN so is the interval.
    patients
        Patient of each recording, shape (N,).
    replicates, seed
        Of the bootstrap.
    """
    values = [
        statistic(drawn) for drawn in bootstrap_draws(patients, replicates=replicates, seed=seed)
    ]
    if np.isnan(values).all():
        return Interval(float("nan"), float("nan"))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Interval(float(low), float(high))


def bootstrap_draws(
    patients: NDArray[np.str_], *, replicates: int = 1000, seed: int = 0
) -> Iterator[NDArray[np.intp]]:
    """Row numbers, repeated as drawn; the same for the same patients, so that differences pair.

    See `bootstrap_interval` for the arguments.
    """
    rng = np.random.default_rng(seed)
    _, owner = np.unique(patients, return_inverse=True)
    by_patient = np.argsort(owner, kind="stable")
    ends = np.cumsum(np.bincount(owner))
    groups = np.split(by_patient, ends[:-1])
    for _ in range(replicates):
        drawn = rng.integers(len(groups), size=len(groups))
        yield np.concatenate([groups[i] for i in drawn])
