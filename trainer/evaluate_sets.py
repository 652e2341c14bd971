"""Measure a bundle on a set of `trainer.datasets`; needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ecgscreen.bundle import Bundle
from ecgscreen.errors import UsageError
from ecgscreen.recording import LEADS
from ecgscreen.site_calibration import SiteCalibration
from ecgscreen.vocabulary import Concept, Vocabulary
from engines.base import Engine
from trainer.argmax import ArgmaxEvaluation, evaluate_argmax
from trainer.calibration_check import check_not_learned_on
from trainer.datasets.case import ALL_ANNOTATED, LabelledSet, classes_of
from trainer.datasets.embedded import embed_set
from trainer.datasets.ptbxl import ptbxl_set
from trainer.evaluate import (
    Evaluation,
    OnScores,
    check_protocol,
    evaluate_embeddings,
    no_scores,
)
from trainer.lead_subset import only_leads

CONCEPTS = "concepts"
"""The task of concepts that were named one by one."""


def evaluate_ptbxl(
    bundle: Bundle,
    engine: Engine,
    vocabulary: Vocabulary,
    folders: Sequence[Path],
    *,
    task: str | None,
    folds: Sequence[int],
    protocol: str = "multilabel",
    leads: Sequence[str] = LEADS,
    concepts: Sequence[str] = (),
    calibration: SiteCalibration | None = None,
    on_scores: OnScores = no_scores,
) -> Evaluation | ArgmaxEvaluation:
    """Score the recordings of some folds against the classes of a task, by their names.

    See `evaluate_set`; without a task and concepts, the task is ``superclass``.

    Raises
    ------
    UsageError
        If the bundle was trained on one of the folds, a folder is not in PTB-XL's layout, or
        there is no such protocol.
    CalibrationError
        If the calibration was learned on some of the recordings.
    """
    check_not_trained_on_folds(bundle, folds)
    return _evaluate(
        bundle,
        engine,
        vocabulary,
        ptbxl_set(folders, folds, vocabulary),
        task=task if task or concepts else "superclass",
        protocol=protocol,
        dataset=tuple(folder.name for folder in folders),
        folds=tuple(folds),
        leads=leads,
        concepts=concepts,
        calibration=calibration,
        on_scores=on_scores,
    )


def evaluate_set(
    bundle: Bundle,
    engine: Engine,
    vocabulary: Vocabulary,
    labelled: LabelledSet,
    *,
    task: str | None,
    protocol: str,
    dataset: tuple[str, ...],
    leads: Sequence[str] = LEADS,
    concepts: Sequence[str] = (),
    calibration: SiteCalibration | None = None,
    on_scores: OnScores = no_scores,
) -> Evaluation | ArgmaxEvaluation:
    """Score the cases of a set against the classes of a task, by their names.

    Parameters
    ----------
    bundle, engine, vocabulary
        What is measured.
    labelled
        The set.
    task
        See `classes_of`; None stands for the set's own first task, or all it speaks of.
    protocol
        One of `PROTOCOLS`.
    dataset
        The names of the set's folders or tables.
    leads
        The others are masked before scoring.
    concepts
        Ids, names or codes: these alone, instead of a task.
    calibration
        A site's thresholds and probabilities instead of the bundle's.
    on_scores
        Is given the scores, for curves; not with ``argmax``.

    Raises
    ------
    UsageError
        If the bundle was trained on the set, or the task, the concepts or the protocol cannot
        be.
    CalibrationError
        If the calibration was learned on some of the recordings.
    """
    if not labelled.held_out_only:
        check_not_trained_on(bundle, dataset)
    return _evaluate(
        bundle,
        engine,
        vocabulary,
        labelled,
        task=task,
        protocol=protocol,
        dataset=dataset,
        folds=(),
        leads=leads,
        concepts=concepts,
        calibration=calibration,
        on_scores=on_scores,
    )


def check_not_trained_on_folds(bundle: Bundle, folds: Sequence[int]) -> None:
    """Raise `UsageError` if the bundle was trained on one of these folds."""
    trained = set(folds) & set(bundle.manifest["training"].get("train_folds", []))
    if trained:
        raise UsageError(
            f"{bundle.name} was trained on folds {sorted(trained)}: measuring there says nothing",
            "Give other folds, or a bundle that was not trained on these.",
        )


def trained_site_folds(bundle: Bundle, tables: Sequence[Path]) -> tuple[int, ...]:
    """Folds of `patient_fold` that must not be measured on; all patients of other tables may be.

    Parameters
    ----------
    bundle
        That is measured.
    tables
        A site's, known again by their names.
    """
    training = bundle.manifest["training"]
    if not {table.name for table in tables} & set(training["dataset"]):
        return ()
    return tuple(training.get("site_folds", ()))


def check_not_trained_on(bundle: Bundle, dataset: Sequence[str]) -> None:
    """Raise `UsageError` if the bundle was trained on a set of one of these names."""
    if trained := set(dataset) & set(bundle.manifest["training"]["dataset"]):
        raise UsageError(
            f"{bundle.name} was trained on {', '.join(sorted(trained))}: measuring there says "
            "nothing",
            "Give other recordings, or a bundle that was not trained on these.",
        )


def named_concepts(
    labelled: LabelledSet, vocabulary: Vocabulary, words: Sequence[str]
) -> tuple[Concept, ...]:
    """Concepts by id, name or code, each once, in the order given.

    Raises
    ------
    UsageError
        If the vocabulary does not know one, or the set does not speak of it.
    """
    found: dict[str, Concept] = {}
    for word in words:
        concept = vocabulary.find(word)
        if concept is None:
            nearest = ", ".join(near.id for near in vocabulary.nearest(word))
            raise UsageError(
                f"concept {word!r} is not in the vocabulary", f"The nearest are {nearest}."
            )
        if concept.id not in labelled.annotated:
            raise UsageError(
                f"{labelled.name} does not speak of {concept.id} ({concept.name}): a recording "
                "without it is not known to be negative",
                "Leave it out, or measure on a set whose readers looked for it.",
            )
        found[concept.id] = concept
    return tuple(found.values())


def _evaluate(
    bundle: Bundle,
    engine: Engine,
    vocabulary: Vocabulary,
    labelled: LabelledSet,
    *,
    task: str | None,
    protocol: str,
    dataset: tuple[str, ...],
    folds: tuple[int, ...],
    leads: Sequence[str],
    concepts: Sequence[str],
    calibration: SiteCalibration | None,
    on_scores: OnScores,
) -> Evaluation | ArgmaxEvaluation:
    check_protocol(protocol)
    if calibration is not None:
        if protocol == "argmax":
            raise UsageError(
                "the protocol argmax has no thresholds", "Leave --calibration out, or --protocol."
            )
        check_not_learned_on(calibration, dataset, folds)
    if concepts and task:
        raise UsageError(
            f"both a task, {task}, and concepts are given", "Give --task or --concepts."
        )
    if concepts:
        task, classes = CONCEPTS, named_concepts(labelled, vocabulary, concepts)
    else:
        task = task or next(iter(labelled.own_tasks), ALL_ANNOTATED)
        classes = classes_of(labelled, vocabulary, task)
    found = embed_set(engine, only_leads(labelled, leads), bundle.preprocessing)
    if calibration is not None:
        check_not_learned_on(calibration, dataset, folds, found.fingerprints)
    if protocol == "argmax":
        return evaluate_argmax(
            bundle, found, found.embeddings, classes, task=task, dataset=dataset, folds=folds
        )
    return evaluate_embeddings(
        bundle,
        found,
        found.embeddings,
        classes,
        task=task,
        dataset=dataset,
        folds=folds,
        calibration=calibration,
        on_scores=on_scores,
    )
