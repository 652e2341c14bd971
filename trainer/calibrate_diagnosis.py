"""One diagnosis of a calibration: threshold, probability, and how sure both are; numpy only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.diagnoses import Diagnosis
from ecgscreen.wording import counted
from trainer.metrics import Interval
from trainer.operating_point import Criterion, choose_threshold, threshold_draws
from trainer.platt import MIN_POSITIVES_TO_LEARN, LearnedProbability, learn_probability
from trainer.rates import Promise, Rates, learned_rates, rates_at
from trainer.reliability import calibration_intervals

_NO_INTERVAL = Interval(float("nan"), float("nan"))


@dataclass(frozen=True)
class LeftOut:
    """A line that was not calibrated.

    Attributes
    ----------
    name
        As written.
    n_positive
        Recordings that carry it.
    reason
        What is missing.
    """

    name: str
    n_positive: int
    reason: str


@dataclass(frozen=True, eq=False)
class CalibratedDiagnosis:
    """What was learned for a line.

    Attributes
    ----------
    name, concepts
        The line as written, and the concepts that it means.
    positive
        bool, shape (N,): the recordings that carry one of them.
    criterion, threshold
        See `choose_threshold`.
    threshold_draws
        float64, shape (B,): see `trainer.operating_point.threshold_draws`.
    rates
        At the threshold, on the recordings that it was chosen on.
    promise
        None where the criterion promises no rate.
    probability
        None where positives do not score higher.
    brier_ci, calibration_error_ci
        95 %, over patients, of what was cross-fitted.
    """

    name: str
    concepts: tuple[str, ...]
    positive: NDArray[np.bool_]
    criterion: Criterion
    threshold: float
    threshold_draws: NDArray[np.float64]
    rates: Rates
    promise: Promise | None
    probability: LearnedProbability | None
    brier_ci: Interval
    calibration_error_ci: Interval

    @property
    def n_positive(self) -> int:
        """How many recordings carry it."""
        return int(self.positive.sum())

    def to_json(self) -> dict[str, Any]:
        """As the file holds it."""
        document: dict[str, Any] = {
            "name": self.name,
            "concepts": list(self.concepts),
            "n_positive": self.n_positive,
            "n": len(self.positive),
            "criterion": str(self.criterion),
            "threshold": self.threshold,
            "n_independent": None if self.promise is None else self.promise.n_learned,
            "threshold_draws": np.round(self.threshold_draws, 6).tolist(),
            "sensitivity": self.rates.sensitivity,
            "sensitivity_ci": asdict(self.rates.sensitivity_ci),
            "sensitivity_op_ci": asdict(self.rates.sensitivity_op_ci),
            "specificity": self.rates.specificity,
            "specificity_ci": asdict(self.rates.specificity_ci),
            "specificity_op_ci": asdict(self.rates.specificity_op_ci),
            "platt": None,
        }
        if self.probability is not None:
            document |= {
                "platt": asdict(self.probability.scaling),
                "brier": self.probability.brier,
                "brier_ci": asdict(self.brier_ci),
                "calibration_error": self.probability.calibration_error,
                "calibration_error_ci": asdict(self.calibration_error_ci),
            }
        return document


def calibrate_diagnosis(
    diagnosis: Diagnosis,
    scores: NDArray[np.float32],
    positive: NDArray[np.bool_],
    patients: NDArray[np.str_],
    criterion: Criterion,
) -> CalibratedDiagnosis | LeftOut:
    """Learn a threshold and a probability, if there are enough recordings.

    Parameters
    ----------
    diagnosis
        The line.
    scores, positive, patients
        Shape (N,).
    criterion
        Of the threshold.
    """
    n_positive = int(positive.sum())
    needed = {"positive": MIN_POSITIVES_TO_LEARN, "negative": MIN_POSITIVES_TO_LEARN}
    promised = "negative" if criterion.kind == "specificity" else "positive"
    needed[promised] = max(needed[promised], criterion.n_needed)
    for kind, found in (("positive", n_positive), ("negative", len(positive) - n_positive)):
        if found < needed[kind]:
            missing = needed[kind] - found
            return LeftOut(
                diagnosis.name,
                n_positive,
                f"{counted(found, f'{kind} recording')}, {missing} missing to {needed[kind]}",
            )
    threshold = choose_threshold(criterion, scores, positive)
    drawn = threshold_draws(criterion, scores, positive, patients)
    rates = rates_at(threshold, scores, positive, patients, drawn)
    rates, promise = learned_rates(criterion, rates)
    probability = learn_probability(scores, positive, patients)
    brier_ci = error_ci = _NO_INTERVAL
    if probability is not None:
        brier_ci, error_ci = calibration_intervals(probability.cross_fitted, positive, patients)
    return CalibratedDiagnosis(
        name=diagnosis.name,
        concepts=diagnosis.concept_ids,
        positive=positive,
        criterion=criterion,
        threshold=threshold,
        threshold_draws=drawn,
        rates=rates,
        promise=promise,
        probability=probability,
        brier_ci=brier_ci,
        calibration_error_ci=error_ci,
    )
