"""Learn Platt scalings, and how good they are on recordings that they were not learned on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.calibration import PlattScaling, sigmoid
from trainer.reliability import N_BINS, brier_score, calibration_error

MIN_POSITIVES_TO_LEARN = 20
"""A diagnosis with fewer gets no probability and no threshold: two parameters of twenty cases are
little enough."""
CROSS_FITS = 5
_STEPS = 100
_TOLERANCE = 1e-10


def fit_platt(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept with the largest likelihood of Platt's smoothed targets.

    A positive is held to be one with probability (n+ + 1) / (n+ + 2), a negative with
    1 / (n- + 2): the mean of a Beta posterior with a uniform prior, which keeps the slope finite
    where the scores part the classes without error. Newton's method with halved steps, as Lin, Lin
    & Weng (Machine Learning 2007) propose; the likelihood has one maximum.

    Parameters
    ----------
    scores
        float, shape (N,): finite.
    positive
        bool, shape (N,).

    Returns
    -------
    Slope and intercept; the slope is not above zero where positives do not score higher.
    """
    x = scores.astype(np.float64)
    centre, spread = x.mean(), x.std() or 1.0
    z = (x - centre) / spread
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    design = np.stack([z, np.ones_like(z)], axis=1)

    def loss(parameters: NDArray[np.float64]) -> float:
        logit = design @ parameters
        return float((np.logaddexp(0.0, logit) - target * logit).sum())

    parameters = np.array([0.0, np.log((n_positive + 1) / (n_negative + 1))])
    value = loss(parameters)
    for _ in range(_STEPS):
        p = sigmoid(design @ parameters)
        gradient = design.T @ (p - target)
        # The ridge only matters where all scores are the same, and leaves the slope at zero.
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + 1e-12 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        length = 1.0
        while (smaller := loss(parameters - length * step)) > value and length > _TOLERANCE:
            length /= 2
        if value - smaller <= _TOLERANCE:
            break
        parameters, value = parameters - length * step, smaller
    slope = float(parameters[0] / spread)
    return slope, float(parameters[1] - slope * centre)


def cross_fitted(
    scores: NDArray[np.floating], positive: NDArray[np.bool_], patients: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Probabilities, each from a scaling that was learned without the recording's patient.

    Patients are dealt to `CROSS_FITS` parts, those with a positive recording in turns, so that no
    part is without.

    Parameters
    ----------
    scores, positive, patients
        Shape (N,).

    Returns
    -------
    float64, shape (N,).
    """
    names, owner = np.unique(patients, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(names))
    has_positive = np.bincount(owner, weights=positive) > 0
    dealt = order[np.argsort(~has_positive[order], kind="stable")]
    part_of_patient = np.empty(len(names), dtype=np.intp)
    part_of_patient[dealt] = np.arange(len(names)) % CROSS_FITS
    part = part_of_patient[owner]
    result = np.empty(len(scores), dtype=np.float64)
    for k in range(CROSS_FITS):
        held_out = part == k
        if held_out.any() and not held_out.all():
            slope, intercept = fit_platt(scores[~held_out], positive[~held_out])
            result[held_out] = sigmoid(scores[held_out] * slope + intercept)
        else:  # one patient: there is nobody to learn from
            result[held_out] = np.nan
    return result


@dataclass(frozen=True)
class LearnedProbability:
    """A scaling, and what it is worth.

    Attributes
    ----------
    scaling
        Learned on all recordings.
    n_positive, n
        Of them.
    cross_fitted
        float64, shape (n,): see `cross_fitted`.
    brier
        Mean squared error of `cross_fitted` (`brier_score`).
    calibration_error
        Of `cross_fitted` (`trainer.reliability.calibration_error`).
    """

    scaling: PlattScaling
    n_positive: int
    n: int
    cross_fitted: NDArray[np.float64]
    brier: float
    calibration_error: float


def learn_probability(
    scores: NDArray[np.floating], positive: NDArray[np.bool_], patients: NDArray[np.str_]
) -> LearnedProbability | None:
    """Learn a scaling and measure it by cross-fitting over patients.

    Parameters
    ----------
    scores, positive, patients
        Shape (N,).

    Returns
    -------
    None where positives do not score higher than negatives.
    """
    slope, intercept = fit_platt(scores, positive)
    if slope <= 0:
        return None
    held_out = cross_fitted(scores, positive, patients)
    return LearnedProbability(
        scaling=PlattScaling(slope, intercept),
        n_positive=int(positive.sum()),
        n=len(positive),
        cross_fitted=held_out,
        brier=brier_score(held_out, positive),
        calibration_error=calibration_error(held_out, positive),
    )


def learn_probabilities(
    scores: NDArray[np.float32],
    carried: NDArray[np.bool_],
    patients: NDArray[np.str_],
    concept_ids: Sequence[str],
    wanted: Iterable[str],
) -> dict[str, LearnedProbability]:
    """Learn scalings of those wanted concepts that have enough positives and negatives.

    Enough are `MIN_POSITIVES_TO_LEARN` of either.

    Parameters
    ----------
    scores, carried
        Shape (N, K).
    patients
        Shape (N,).
    concept_ids
        The K concepts.
    wanted
        Those to learn, such as the concepts that the bundle has seen.
    """
    learned = {}
    chosen = set(wanted)
    for k, concept in enumerate(concept_ids):
        n_positive = int(carried[:, k].sum())
        enough = min(n_positive, len(carried) - n_positive) >= MIN_POSITIVES_TO_LEARN
        if concept in chosen and enough:
            found = learn_probability(scores[:, k], carried[:, k], patients)
            if found is not None:
                learned[concept] = found
    return learned


def calibration_record(
    learned: Mapping[str, LearnedProbability], carried: Mapping[str, NDArray[np.bool_]], where: str
) -> dict[str, Any]:
    """What a bundle's manifest says of its probabilities.

    Parameters
    ----------
    learned
        By concept id.
    carried
        By concept id, bool, shape (N,).
    where
        The set that they were learned on.
    """
    document: dict[str, Any] = {
        "set": where,
        "method": "Platt scaling, smoothed targets",
        "measured_by": f"cross-fitting over patients, {CROSS_FITS} parts of the same set",
        "n_bins": N_BINS,
        "concepts": {
            concept: {
                "n_positive": each.n_positive,
                "brier": round(each.brier, 5),
                "calibration_error": round(each.calibration_error, 5),
            }
            for concept, each in learned.items()
        },
    }
    if learned:
        pooled = np.concatenate([each.cross_fitted for each in learned.values()])
        truth = np.concatenate([carried[concept] for concept in learned])
        document["brier"] = round(brier_score(pooled, truth), 5)
        document["calibration_error"] = round(calibration_error(pooled, truth), 5)
    return document
