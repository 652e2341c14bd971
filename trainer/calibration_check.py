"""A calibration held against recordings that it was not learned on; numpy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.calibration import Calibrated, probabilities
from ecgscreen.errors import CalibrationError
from ecgscreen.site_calibration import SiteCalibration
from trainer.metrics import Interval
from trainer.operating_point import parse_criterion
from trainer.platt import MIN_POSITIVES_TO_LEARN
from trainer.rates import Promise, rates_at
from trainer.reliability import brier_score, calibration_error, calibration_intervals


@dataclass(frozen=True)
class ConceptCheck:
    """A calibrated concept on recordings that are new to it.

    Attributes
    ----------
    n_positive
        Recordings that carry it.
    criterion
        What was promised, such as ``sensitivity 0.9``.
    sensitivity, sensitivity_ci, specificity, specificity_ci
        At its threshold.
    sensitivity_op_ci, specificity_op_ci
        Of the operating point: the threshold might have come out otherwise, since it was chosen
        on few (`trainer.rates.rates_at`). None for the bundle's own.
    brier, calibration_error
        Of its probability; NaN without one.
    """

    n_positive: int
    criterion: str
    sensitivity: float
    sensitivity_ci: Interval
    sensitivity_op_ci: Interval | None
    specificity: float
    specificity_ci: Interval
    specificity_op_ci: Interval | None
    brier: float
    calibration_error: float


@dataclass(frozen=True)
class CalibrationCheck:
    """What a calibration is worth.

    Attributes
    ----------
    source
        ``bundle``, or the file's name.
    sha256
        Of the file; empty for the bundle's own.
    n_concepts
        Concepts with a probability and `trainer.platt.MIN_POSITIVES_TO_LEARN` positives here,
        over which the next figures are pooled.
    brier, brier_ci, calibration_error, calibration_error_ci
        NaN and None without such a concept.
    per_concept
        By id: the calibrated concepts with as many positives.
    """

    source: str
    sha256: str
    n_concepts: int
    brier: float
    brier_ci: Interval | None
    calibration_error: float
    calibration_error_ci: Interval | None
    per_concept: dict[str, ConceptCheck]


def check_calibration(
    calibrated: Mapping[str, Calibrated],
    concept_ids: Sequence[str],
    scores: NDArray[np.float32],
    positive: NDArray[np.bool_],
    patients: NDArray[np.str_],
    *,
    source: str,
    sha256: str = "",
) -> CalibrationCheck:
    """Measure what a calibration promises.

    Parameters
    ----------
    calibrated
        By concept id.
    concept_ids
        The K concepts of the columns.
    scores, positive
        Shape (N, K).
    patients
        Shape (N,).
    source, sha256
        For the record.
    """
    n_positive = positive.sum(axis=0)
    enough = np.minimum(n_positive, len(positive) - n_positive) >= MIN_POSITIVES_TO_LEARN
    per_concept, pooled, truth = {}, [], []
    for k, concept in enumerate(concept_ids):
        if concept not in calibrated or not enough[k]:
            continue
        found = calibrated[concept]
        rates = rates_at(
            *(found.threshold, scores[:, k], positive[:, k], patients),
            found.threshold_draws,
            _promise(found),
        )
        p = probabilities(scores[:, [k]], [found.platt])[:, 0]
        per_concept[concept] = ConceptCheck(
            n_positive=int(n_positive[k]),
            criterion=found.criterion,
            sensitivity=rates.sensitivity,
            sensitivity_ci=rates.sensitivity_ci,
            sensitivity_op_ci=rates.sensitivity_op_ci if found.threshold_draws else None,
            specificity=rates.specificity,
            specificity_ci=rates.specificity_ci,
            specificity_op_ci=rates.specificity_op_ci if found.threshold_draws else None,
            brier=brier_score(p, positive[:, k]),
            calibration_error=(
                float("nan") if found.platt is None else calibration_error(p, positive[:, k])
            ),
        )
        if found.platt is not None:
            pooled.append(p)
            truth.append(positive[:, k])
    all_p = np.concatenate([np.empty(0, np.float32), *pooled])
    all_truth = np.concatenate([np.empty(0, np.bool_), *truth])
    brier_ci = error_ci = None
    if pooled:
        brier_ci, error_ci = calibration_intervals(all_p, all_truth, np.tile(patients, len(pooled)))
    return CalibrationCheck(
        source=source,
        sha256=sha256,
        n_concepts=len(pooled),
        brier=brier_score(all_p, all_truth),
        brier_ci=brier_ci,
        calibration_error=calibration_error(all_p, all_truth),
        calibration_error_ci=error_ci,
        per_concept=per_concept,
    )


def _promise(found: Calibrated) -> Promise | None:
    """None of a criterion without target, and of files that were made before it was kept."""
    if found.n_independent is None:
        return None
    return Promise(parse_criterion(found.criterion), found.n_independent)


def single_concepts(calibration: SiteCalibration) -> dict[str, Calibrated]:
    """Those diagnoses of a calibration that mean one concept, by its id."""
    return {
        next(iter(concepts)): found
        for concepts, found in calibration.diagnoses.items()
        if len(concepts) == 1
    }


def of_bundle(bundle: Bundle) -> dict[str, Calibrated]:
    """What the bundle itself brings, by concept id."""
    return {
        concept: Calibrated(point.threshold, point.criterion, bundle.platt_scalings.get(concept))
        for concept, point in bundle.operating_points.items()
    }


def check_not_learned_on(
    calibration: SiteCalibration,
    dataset: Sequence[str],
    folds: Sequence[int],
    fingerprints: frozenset[str] = frozenset(),
) -> None:
    """Make sure that a calibration is not measured on what it was learned on.

    By the names of folders and their folds, before anything is read; by the recordings' signals,
    whatever the files are called.

    Raises
    ------
    CalibrationError
        If it is; says how many recordings, never which.
    """
    advice = "Measure on recordings of other patients."
    same = set(folds) & set(calibration.folds)
    if same and set(dataset) & set(calibration.dataset):
        raise CalibrationError(
            f"{calibration.path} was learned on folds {sorted(same)}: measuring there says nothing",
            advice,
        )
    if n := len(fingerprints & calibration.signals):
        raise CalibrationError(
            f"{calibration.path} was learned on {n} of these recordings: measuring there says "
            "nothing",
            advice,
        )
