"""Measure a bundle on a set of `trainer.datasets`; needs no torch."""

from __future__ import annotations

from ecgscreen.bundle import Bundle
from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import Vocabulary
from engines.base import Engine
from trainer.argmax import ArgmaxEvaluation, evaluate_argmax
from trainer.datasets.case import ALL_ANNOTATED, LabelledSet, classes_of
from trainer.datasets.embedded import embed_set
from trainer.evaluate import Evaluation, check_protocol, evaluate_embeddings


def evaluate_set(
    bundle: Bundle,
    engine: Engine,
    vocabulary: Vocabulary,
    labelled: LabelledSet,
    *,
    task: str | None,
    protocol: str,
    dataset: tuple[str, ...],
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

    Raises
    ------
    UsageError
        If the bundle was trained on the set, or the task or protocol cannot be.
    """
    check_protocol(protocol)
    if trained := set(dataset) & set(bundle.manifest["training"]["dataset"]):
        raise UsageError(
            f"{bundle.name} was trained on {', '.join(sorted(trained))}: measuring there says "
            "nothing",
            "give other recordings, or a bundle that was not trained on these",
        )
    task = task or next(iter(labelled.own_tasks), ALL_ANNOTATED)
    classes = classes_of(labelled, vocabulary, task)
    embedded = embed_set(engine, labelled, bundle.preprocessing)
    evaluate = evaluate_argmax if protocol == "argmax" else evaluate_embeddings
    return evaluate(
        bundle, embedded, embedded.embeddings, classes, task=task, dataset=dataset, folds=()
    )
