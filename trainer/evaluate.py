"""Measure a bundle on labelled recordings; needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.calibration import probabilities
from ecgscreen.errors import UsageError
from ecgscreen.scoring import quantise_directions, score
from ecgscreen.site_calibration import SiteCalibration
from ecgscreen.vocabulary import Concept
from engines.base import Engine
from trainer.calibration_check import (
    CalibrationCheck,
    check_calibration,
    of_bundle,
    single_concepts,
)
from trainer.curves import Scored
from trainer.data import LabelledRecordings
from trainer.datasets.embedded import Labels
from trainer.metrics import (
    BaselineFigures,
    ConfusionFigures,
    Interval,
    auc,
    bootstrap_interval,
    confusion_figures,
    macro_auc,
    measurable,
    trivial_baselines,
)
from trainer.uniformity import UniformityCheck, check_uniformity

PROTOCOLS = ("multilabel", "argmax")

SUBSET_TASKS = frozenset({"form", "rhythm"})
"""Reported on all recordings and on those with at least one statement of the task as well."""


OnScores: TypeAlias = Callable[[Scored], None]
"""Is given what the figures are made of."""


@dataclass(frozen=True)
class ClassResult:
    """How one class is told apart.

    Attributes
    ----------
    auc
        NaN where the set has too few positives or negatives.
    n_positive
        Recordings of the set that carry it.
    threshold
        Of the bundle, or of the calibration given; NaN where there is none.
    seen
        Whether the concept occurred in the training text.
    """

    auc: float
    n_positive: int
    threshold: float
    seen: bool


@dataclass(frozen=True)
class Evaluation:
    """Protocol ``multilabel``: every class on its own, all recordings.

    Attributes
    ----------
    dataset, folds, task, protocol
        What was measured, on what.
    n, n_patients, n_skipped
        Recordings measured, their patients, and recordings that could not be scored.
    n_classes
        Classes in the macro means: those with `trainer.metrics.MIN_POSITIVES` positives and as
        many negatives, or more.
    macro_auc, macro_auc_ci
        With its 95 % interval, bootstrap over patients.
    n_thresholds
        Classes with an operating point, over which the next figures go.
    accuracy, precision, recall, f1
        Macro means at frozen operating points, of the bundle or of the calibration given; NaN
        without any.
    f1_ci
        With such points: the 95 % interval of F1. A class of which a replicate has drawn no
        positive is left out of that replicate's mean.
    n_labelled, macro_auc_labelled, macro_auc_labelled_ci
        The same on recordings with at least one statement of the task (form and rhythm).
    per_class
        By concept id.
    baselines
        What flagging nothing, flagging everything, the commoner of the two (``majority
        class``), flagging at random as often as a class occurs (``prevalence``) and by the
        throw of a coin (``chance``, both as expectations) would give on the same classes.
    calibration
        What the probabilities and operating points are worth here.
    percentiles
        How far they are from uniform; None without a reference population.
    """

    dataset: tuple[str, ...]
    folds: tuple[int, ...]
    task: str
    protocol: str
    n: int
    n_patients: int
    n_skipped: int
    n_classes: int
    macro_auc: float
    macro_auc_ci: Interval
    n_thresholds: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    f1_ci: Interval | None
    n_labelled: int
    macro_auc_labelled: float
    macro_auc_labelled_ci: Interval | None
    per_class: dict[str, ClassResult]
    baselines: dict[str, BaselineFigures]
    calibration: CalibrationCheck
    percentiles: UniformityCheck | None


def thresholds_from(bundle: Bundle, folds: Sequence[int]) -> tuple[int, ...]:
    """Folds among these that the bundle's thresholds come from.

    Accuracy, precision, recall and F1 at those thresholds would be figures of the set that they
    were fitted to, so `evaluate_embeddings` gives none there.
    """
    fitted = bundle.manifest["training"].get("validation_folds", [])
    return tuple(sorted(set(folds) & set(fitted)))


def no_scores(_scored: Scored) -> None:
    """Nobody wants to draw them."""


def check_protocol(protocol: str) -> None:
    """Raise `UsageError` if there is no such protocol."""
    if protocol not in PROTOCOLS:
        raise UsageError(
            f"protocol {protocol!r} is not one of {', '.join(PROTOCOLS)}",
            "Give multilabel (every class on its own), or argmax (the nearest of classes that "
            "exclude each other).",
        )


def embed(engine: Engine, recordings: LabelledRecordings) -> NDArray[np.float16]:
    """Embeddings as a scan stores them: float16, shape (N, D)."""
    return engine.embed(recordings.windows, recordings.lead_mask).astype(np.float16)


def evaluate_embeddings(
    bundle: Bundle,
    recordings: Labels,
    embeddings: NDArray[np.float16],
    classes: Sequence[Concept],
    *,
    task: str,
    dataset: tuple[str, ...],
    folds: tuple[int, ...],
    calibration: SiteCalibration | None = None,
    on_scores: OnScores = no_scores,
) -> Evaluation:
    """Hold embeddings against what the recordings carry.

    Parameters
    ----------
    bundle
        Its concepts are the prompts.
    recordings
        Of N recordings.
    embeddings
        float16, shape (N, D).
    classes
        Concepts that the set speaks of.
    task, dataset, folds
        For the record; at the bundle's own thresholds no figure is given on the folds that
        they come from.
    calibration
        Its thresholds instead of the bundle's; not learned on these recordings.
    on_scores
        Is given the scores, for curves.
    """
    names = [concept.id for concept in classes]
    directions = quantise_directions(np.stack([bundle.direction(name) for name in names]))
    scores = score(embeddings, directions)
    columns = [recordings.concept_ids.index(name) for name in names]
    positive = recordings.carried[:, columns]
    counted = measurable(positive)
    patients = recordings.patients

    def interval(rows: NDArray[np.intp]) -> tuple[float, Interval]:
        s, p = scores[np.ix_(rows, counted)], positive[np.ix_(rows, counted)]
        return macro_auc(s, p), bootstrap_interval(
            lambda drawn: macro_auc(s[drawn], p[drawn]), patients[rows]
        )

    value, value_interval = interval(np.arange(len(scores)))
    labelled = np.flatnonzero(positive.any(axis=1))
    labelled_value, labelled_interval = (
        interval(labelled) if task in SUBSET_TASKS else (float("nan"), None)
    )
    if calibration is not None:
        calibrated = single_concepts(calibration)
    else:
        calibrated = {} if thresholds_from(bundle, folds) else of_bundle(bundle)
    levels = np.array([calibrated[c].threshold if c in calibrated else np.nan for c in names])
    at_threshold = np.isfinite(levels) & counted
    scalings = [calibrated[c].platt if c in calibrated else None for c in names]
    on_scores(Scored(tuple(names), scores, positive, levels, probabilities(scores, scalings)))
    reference = bundle.reference
    figures = _figures(scores, levels, positive, at_threshold)
    return Evaluation(
        dataset=dataset,
        folds=folds,
        task=task,
        protocol="multilabel",
        n=len(scores),
        n_patients=len(np.unique(patients)),
        n_skipped=len(recordings.skipped),
        n_classes=int(counted.sum()),
        macro_auc=value,
        macro_auc_ci=value_interval,
        n_thresholds=int(at_threshold.sum()),
        **asdict(figures),
        f1_ci=_f1_interval(scores, levels, positive, at_threshold, patients),
        n_labelled=len(labelled),
        macro_auc_labelled=labelled_value,
        macro_auc_labelled_ci=labelled_interval,
        per_class={
            name: ClassResult(
                auc=auc(scores[:, k], positive[:, k]) if counted[k] else float("nan"),
                n_positive=int(positive[:, k].sum()),
                threshold=float(levels[k]),
                seen=name in bundle.seen_concepts,
            )
            for k, name in enumerate(names)
        },
        baselines=trivial_baselines(positive[:, counted]),
        calibration=check_calibration(
            calibrated,
            names,
            scores,
            positive,
            patients,
            source="bundle" if calibration is None else calibration.path.name,
            sha256="" if calibration is None else calibration.sha256,
        ),
        percentiles=check_uniformity(
            names, scores, None if reference is None else score(reference, directions), patients
        ),
    )


def _figures(
    scores: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    positive: NDArray[np.bool_],
    columns: NDArray[np.bool_],
) -> ConfusionFigures:
    if not columns.any():
        nan = float("nan")
        return ConfusionFigures(nan, nan, nan, nan)
    flagged = scores[:, columns] >= thresholds[columns]
    return confusion_figures(flagged, positive[:, columns])


def _f1_interval(
    scores: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    positive: NDArray[np.bool_],
    columns: NDArray[np.bool_],
    patients: NDArray[np.str_],
) -> Interval | None:
    if not columns.any():
        return None
    flagged, carried = scores[:, columns] >= thresholds[columns], positive[:, columns]

    def f1(drawn: NDArray[np.intp]) -> float:
        # Of a set with few patients many replicates lack a class: it is not told badly there.
        present = carried[drawn].any(axis=0)
        if not present.any():
            return float("nan")
        return confusion_figures(flagged[drawn][:, present], carried[drawn][:, present]).f1

    return bootstrap_interval(f1, patients)
