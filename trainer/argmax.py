"""Protocol ``argmax``: each case goes to the nearest of several classes that exclude each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.errors import UsageError
from ecgscreen.scoring import quantise_directions, score
from ecgscreen.vocabulary import Concept
from ecgscreen.wording import counted
from trainer.confusion import class_figures, confusion_matrix, macro_figures
from trainer.datasets.embedded import Labels
from trainer.metrics import BaselineFigures, Interval, auc, bootstrap_interval, macro_auc

MIN_CASES = 4
"""A class that fewer cases have as their only one takes no part."""


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares among the others.

    Attributes
    ----------
    n_positive, n_patients
        Cases that have this class and no other, and their patients.
    auc
        Of the cosine, against the cases of the other classes.
    precision, recall, f1
        0 where nothing is called this class.
    threshold
        None: the protocol has none.
    seen
        Whether the concept occurred in the training text.
    """

    n_positive: int
    n_patients: int
    auc: float
    precision: float
    recall: float
    f1: float
    threshold: None
    seen: bool


@dataclass(frozen=True)
class ArgmaxEvaluation:
    """Figures of the protocol.

    Attributes
    ----------
    dataset, folds, task, protocol
        What was measured, on what; no folds but in PTB-XL.
    n, n_patients, n_skipped
        Cases measured, their patients, and recordings that could not be scored.
    n_no_class, n_several, n_rare
        Cases left out: with none of the task's classes, with several, and with one that has
        fewer than `MIN_CASES` cases.
    classes
        Ids, in the order of `confusion`.
    macro_auc, macro_auc_ci
        One class against the others, with its 95 % interval, bootstrap over patients.
    accuracy, accuracy_ci, precision, precision_ci, recall, recall_ci, f1, f1_ci
        Accuracy over the cases, the others averaged over the classes; F1 is the mean of the
        classes' F1. A class that a replicate of the bootstrap has not drawn is left out of that
        replicate's means.
    per_class
        By concept id.
    confusion
        Rows: the class carried; columns: the nearest prompt.
    baselines
        ``majority class``: every case is given the most frequent class; ``prevalence``: a class
        drawn with the classes' frequencies, ``chance``: any class as likely as another, their
        expectations.
    """

    dataset: tuple[str, ...]
    folds: tuple[int, ...]
    task: str
    protocol: str
    n: int
    n_patients: int
    n_skipped: int
    n_no_class: int
    n_several: int
    n_rare: int
    classes: tuple[str, ...]
    macro_auc: float
    macro_auc_ci: Interval
    accuracy: float
    accuracy_ci: Interval
    precision: float
    precision_ci: Interval
    recall: float
    recall_ci: Interval
    f1: float
    f1_ci: Interval
    per_class: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]
    baselines: dict[str, BaselineFigures]


@dataclass(frozen=True)
class SingleClassCases:
    """The cases that the protocol is about.

    Attributes
    ----------
    rows
        intp, shape (n,): their row numbers.
    classes
        Those that take part, K of them, as positions in the list given.
    truth
        int64, shape (n,): position within `classes`.
    n_no_class, n_several, n_rare
        See `ArgmaxEvaluation`.
    """

    rows: NDArray[np.intp]
    classes: tuple[int, ...]
    truth: NDArray[np.int64]
    n_no_class: int
    n_several: int
    n_rare: int


def single_class_cases(
    carried: NDArray[np.bool_], *, min_cases: int = MIN_CASES
) -> SingleClassCases:
    """Select the cases with exactly one class, and the classes that enough of them have.

    Classes are left out after the selection, so that a case with a rare class and a frequent
    one stays a case of two.

    Parameters
    ----------
    carried
        bool, shape (N, K).
    min_cases
        A class with fewer is left out.
    """
    n_carried = carried.sum(axis=1)
    one = np.flatnonzero(n_carried == 1)
    only = carried[one].argmax(axis=1)
    n_cases = np.bincount(only, minlength=carried.shape[1])
    classes = np.flatnonzero(n_cases >= min_cases)
    frequent = np.isin(only, classes)
    return SingleClassCases(
        rows=one[frequent],
        classes=tuple(classes.tolist()),
        truth=np.searchsorted(classes, only[frequent]).astype(np.int64),
        n_no_class=int((n_carried == 0).sum()),
        n_several=int((n_carried > 1).sum()),
        n_rare=int((~frequent).sum()),
    )


def evaluate_argmax(
    bundle: Bundle,
    labels: Labels,
    embeddings: NDArray[np.float16],
    classes: Sequence[Concept],
    *,
    task: str,
    dataset: tuple[str, ...],
    folds: tuple[int, ...] = (),
) -> ArgmaxEvaluation:
    """Give each case with exactly one of the classes the class whose prompt is nearest.

    Parameters
    ----------
    bundle
        Its concepts are the prompts: the mean direction of a concept's wordings.
    labels
        Of N cases.
    embeddings
        float16, shape (N, D).
    classes
        Concepts that the set speaks of.
    task, dataset, folds
        For the record.

    Raises
    ------
    UsageError
        If fewer than two classes have enough cases.
    """
    columns = [labels.concept_ids.index(concept.id) for concept in classes]
    chosen = single_class_cases(labels.carried[:, columns])
    names = [classes[k].id for k in chosen.classes]
    if len(names) < 2:
        found = counted(len(names), "class", "classes")
        raise UsageError(
            f"{found} of the task {task} with {MIN_CASES} cases of that class only",
            "The protocol argmax needs two; use --protocol multilabel.",
        )
    directions = quantise_directions(np.stack([bundle.direction(name) for name in names]))
    scores = score(embeddings[chosen.rows], directions)
    nearest = scores.argmax(axis=1)
    truth, patients = chosen.truth, labels.patients[chosen.rows]
    positive = truth[:, None] == np.arange(len(names))

    def confusion_of(rows: NDArray[np.intp]) -> NDArray[np.int64]:
        return confusion_matrix(truth[rows], nearest[rows], len(names))

    def interval(figure: str) -> Interval:
        return bootstrap_interval(
            lambda rows: float(getattr(macro_figures(confusion_of(rows)), figure)), patients
        )

    confusion = confusion_of(np.arange(len(truth)))
    figures = macro_figures(confusion)
    precision, recall, f1 = class_figures(confusion)
    return ArgmaxEvaluation(
        dataset=dataset,
        folds=folds,
        task=task,
        protocol="argmax",
        n=len(truth),
        n_patients=len(np.unique(patients)),
        n_skipped=len(labels.skipped),
        n_no_class=chosen.n_no_class,
        n_several=chosen.n_several,
        n_rare=chosen.n_rare,
        classes=tuple(names),
        macro_auc=macro_auc(scores, positive),
        macro_auc_ci=bootstrap_interval(
            lambda rows: macro_auc(scores[rows], positive[rows]), patients
        ),
        accuracy=figures.accuracy,
        accuracy_ci=interval("accuracy"),
        precision=figures.precision,
        precision_ci=interval("precision"),
        recall=figures.recall,
        recall_ci=interval("recall"),
        f1=figures.f1,
        f1_ci=interval("f1"),
        per_class={
            name: ClassFigures(
                n_positive=int(confusion[k].sum()),
                n_patients=len(np.unique(patients[truth == k])),
                auc=auc(scores[:, k], positive[:, k]),
                precision=float(precision[k]),
                recall=float(recall[k]),
                f1=float(f1[k]),
                threshold=None,
                seen=name in bundle.seen_concepts,
            )
            for k, name in enumerate(names)
        },
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        baselines=_baselines(confusion.sum(axis=1)),
    )


def _baselines(n_cases: NDArray[np.int64]) -> dict[str, BaselineFigures]:
    k = len(n_cases)
    majority = np.zeros((k, k), dtype=np.int64)
    majority[:, n_cases.argmax()] = n_cases
    share = n_cases / n_cases.sum()
    # Of what is drawn as a class, and of a class's cases, the share that agrees is the class's.
    mean = float(share.mean())
    return {
        "majority class": BaselineFigures(**asdict(macro_figures(majority))),
        "prevalence": BaselineFigures(float(np.square(share).sum()), mean, mean, mean),
        "chance": BaselineFigures(mean, mean, 1 / k, float((2 * share / (1 + k * share)).mean())),
    }
