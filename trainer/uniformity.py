"""How far percentiles of recordings that the reference does not hold are from uniform; numpy only.

A percentile says where a score lies among the reference population. For recordings drawn like that
population the percentiles are uniform, for any wording. They are not if the recordings are of
another kind, or if the encoder was trained on the reference and is surer there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.scoring import percentiles
from trainer.metrics import Interval
from trainer.operating_point import percentile_interval, resampled_weights

_KOLMOGOROV_95 = 1.3581
"""The 95 % quantile of Kolmogorov's distribution."""


@dataclass(frozen=True)
class PercentileCheck:
    """The percentiles of one concept.

    Attributes
    ----------
    ks
        Kolmogorov-Smirnov distance from uniform: the largest gap between the share of the
        recordings below a percentile and that percentile, 0 to 1.
    ks_ci
        95 %, over patients; a draw lies off by more than the recordings themselves do, so that it
        lies rather too high.
    mean
        Of the percentiles; 50 if uniform, above where these recordings score higher.
    """

    ks: float
    ks_ci: Interval
    mean: float


@dataclass(frozen=True)
class UniformityCheck:
    """The percentiles of some recordings.

    Attributes
    ----------
    n_reference
        Recordings of the bundle's reference population.
    by_chance
        The distance that recordings of that very population exceed once in twenty times (Smirnov,
        Annals of Mathematical Statistics 1948), were each of another patient.
    median
        Of the distances of all concepts.
    per_concept
        By id.
    """

    n_reference: int
    by_chance: float
    median: float
    per_concept: dict[str, PercentileCheck]


def check_uniformity(
    concept_ids: Sequence[str],
    scores: NDArray[np.float32],
    reference_scores: NDArray[np.float32] | None,
    patients: NDArray[np.str_],
) -> UniformityCheck | None:
    """Measure the percentiles of recordings whose scores are known.

    Parameters
    ----------
    concept_ids
        K of them.
    scores
        float32, shape (N, K).
    reference_scores
        float32, shape (R, K): of the bundle's reference population.
    patients
        Shape (N,).

    Returns
    -------
    None without a reference population, or without concepts.
    """
    if reference_scores is None or not len(reference_scores) or not concept_ids:
        return None
    ranks = percentiles(scores, reference_scores).astype(np.float64) / 100
    whole = np.ones((1, len(ranks)))
    # Draws outside, concepts inside: the weights of all draws would not fit for large sets.
    drawn = [
        [ks_distances(column, weights) for column in ranks.T]
        for weights in resampled_weights(patients)
    ]
    found = {
        concept: PercentileCheck(
            ks=float(ks_distances(ranks[:, k], whole)[0]),
            ks_ci=percentile_interval(np.concatenate([block[k] for block in drawn])),
            mean=float(100 * ranks[:, k].mean()),
        )
        for k, concept in enumerate(concept_ids)
    }
    n, n_reference = len(scores), len(reference_scores)
    return UniformityCheck(
        n_reference=n_reference,
        by_chance=_KOLMOGOROV_95 * math.sqrt(1 / n + 1 / n_reference),
        median=float(np.median([each.ks for each in found.values()])),
        per_concept=found,
    )


def ks_distances(ranks: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kolmogorov-Smirnov distances from uniform of weighted samples.

    Parameters
    ----------
    ranks
        float64, shape (N,): 0 to 1.
    weights
        float64, shape (B, N): how often each is in a sample.

    Returns
    -------
    float64, shape (B,).
    """
    order = np.argsort(ranks, kind="stable")
    ordered = ranks[order]
    below = np.cumsum(weights[:, order], axis=1)
    below /= below[:, -1:]
    # The share jumps at each rank: both ends of the jump count; equal ranks jump together.
    last = np.append(ordered[1:] != ordered[:-1], True)
    first = np.append(True, last[:-1])
    above = np.abs(below[:, last] - ordered[last]).max(axis=1)
    before = np.concatenate([np.zeros((len(below), 1)), below[:, :-1]], axis=1)
    under = np.abs(before[:, first] - ordered[first]).max(axis=1)
    largest: NDArray[np.float64] = np.maximum(above, under)
    return largest
