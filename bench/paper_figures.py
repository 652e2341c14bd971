"""Figures of the tables with intervals and paired differences; and the paper's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.paper_cells import Cell
from trainer.argmax import single_class_cases
from trainer.confusion import confusion_matrix, macro_figures
from trainer.metrics import (
    Interval,
    best_f1_threshold,
    bootstrap_draws,
    confusion_figures,
    macro_auc,
    measurable,
)

MIN_POSITIVES_FOR_THRESHOLD = 20
"""As in an exported bundle: fewer on fold 8, and a class has no threshold."""

AT_THRESHOLDS = ("accuracy", "precision", "recall", "F1")

PAPER = {
    "superclass": {
        "clip": (0.842, 0.694, 0.626, 0.657),
        "supervised-plain": (0.894, 0.811, 0.745, 0.776),
        "simclr-5": (0.648, 0.545, 0.443, 0.485),
        "random-5": (0.581, 0.438, 0.421, 0.429),
    },
    "form": {
        "clip": (0.734, 0.537, 0.503, 0.518),
        "supervised-plain": (0.724, 0.520, 0.508, 0.509),
        "simclr-5": (0.660, 0.446, 0.471, 0.456),
        "random-5": (0.603, 0.364, 0.342, 0.351),
    },
    "mit-bih": {
        "clip": (0.794, 0.680, 0.735, 0.706),
        "supervised-plain": (0.836, 0.697, 0.712, 0.704),
        "simclr-5": (0.749, 0.642, 0.610, 0.624),
        "random-5": (0.565, 0.468, 0.499, 0.483),
    },
}
"""Li 2024: accuracy, precision, recall, F1 of its rows that are like ours."""


@dataclass(frozen=True)
class Labels:
    """What is true of the recordings that cells hold scores of.

    Attributes
    ----------
    concept_ids
        K ids.
    validation, test
        bool, shapes (N8, K) and (N9, K).
    patients
        Of the test recordings, shape (N9,).
    """

    concept_ids: tuple[str, ...]
    validation: NDArray[np.bool_]
    test: NDArray[np.bool_]
    patients: NDArray[np.str_]


@dataclass(frozen=True)
class TaskFigures:
    """A table of one task.

    Attributes
    ----------
    names
        Of F figures.
    about
        What they were measured on, in words.
    values
        By row, shape (F,): means over seeds.
    replicates
        By row, shape (replicates, F): the same on resampled patients, the same in every row.
    """

    names: tuple[str, ...]
    about: str
    values: Mapping[str, NDArray[np.float64]]
    replicates: Mapping[str, NDArray[np.float64]]

    def interval(self, row: str, figure: int) -> Interval:
        """95 %, over patients, of the mean over seeds."""
        return _interval(self.replicates[row][:, figure])

    def difference(self, row: str, other: str, figure: int) -> tuple[float, Interval]:
        """A row less another on the same patients, with its 95 % interval."""
        value = float(self.values[row][figure] - self.values[other][figure])
        paired = self.replicates[row][:, figure] - self.replicates[other][:, figure]
        return value, _interval(paired)


def multilabel_figures(
    cells: Mapping[str, Sequence[Cell]],
    labels: Labels,
    classes: Sequence[str],
    *,
    replicates: int = 1000,
) -> TaskFigures:
    """Protocol ``multilabel`` of every row on the same classes: macro AUC, then `AT_THRESHOLDS`.

    Classes are those of the task with enough positives in the test set, told by every row.
    Thresholds are those of largest F1 on the validation fold, for classes with
    `MIN_POSITIVES_FOR_THRESHOLD` positives there.

    Parameters
    ----------
    cells
        By row, a cell a seed.
    labels
        Of the recordings that the cells hold scores of.
    classes
        Concept ids of the task.
    replicates
        Of the bootstrap over patients.
    """
    told = _told(cells, labels, "test")
    in_task = np.isin(labels.concept_ids, classes)
    columns = np.flatnonzero(in_task & told & measurable(labels.test))
    enough = labels.validation[:, columns].sum(axis=0) >= MIN_POSITIVES_FOR_THRESHOLD
    positive = labels.test[:, columns]
    with_threshold = positive[:, enough]
    flagged = {
        id(cell): _flagged(cell, labels, columns[enough])
        for seeds in cells.values()
        for cell in seeds
    }

    def figures(cell: Cell, rows: NDArray[np.intp]) -> list[float]:
        value = macro_auc(cell.test[np.ix_(rows, columns)], positive[rows])
        if not enough.any():
            return [value, *[np.nan] * len(AT_THRESHOLDS)]
        at = confusion_figures(flagged[id(cell)][rows], with_threshold[rows])
        return [value, at.accuracy, at.precision, at.recall, at.f1]

    return _task_figures(
        ("macro AUC", *AT_THRESHOLDS),
        f"{len(positive)} recordings, {len(columns)} classes, {int(enough.sum())} with a threshold",
        cells,
        labels.patients,
        figures,
        replicates,
    )


def argmax_figures(
    cells: Mapping[str, Sequence[Cell]],
    labels: Labels,
    classes: Sequence[str],
    *,
    which: str = "test",
    replicates: int = 1000,
) -> TaskFigures:
    """Protocol ``argmax`` of every row on the same cases; see `trainer.argmax`.

    Parameters
    ----------
    cells, labels, classes, replicates
        See `multilabel_figures`.
    which
        ``test``, or ``elsewhere``: the labels are then those of that set.
    """
    told = _told(cells, labels, which)
    columns = np.flatnonzero(np.isin(labels.concept_ids, classes) & told)
    chosen = single_class_cases(labels.test[:, columns])
    columns = columns[list(chosen.classes)]

    def figures(cell: Cell, rows: NDArray[np.intp]) -> list[float]:
        scores = _scores(cell, which)[np.ix_(chosen.rows[rows], columns)]
        confusion = confusion_matrix(chosen.truth[rows], scores.argmax(axis=1), len(columns))
        found = macro_figures(confusion)
        return [found.accuracy, found.precision, found.recall, found.f1]

    return _task_figures(
        AT_THRESHOLDS,
        f"{len(chosen.rows)} cases with exactly one of {len(columns)} classes",
        cells,
        labels.patients[chosen.rows],
        figures,
        replicates,
    )


def _task_figures(
    names: tuple[str, ...],
    about: str,
    cells: Mapping[str, Sequence[Cell]],
    patients: NDArray[np.str_],
    figures: Callable[[Cell, NDArray[np.intp]], list[float]],
    replicates: int,
) -> TaskFigures:
    def over_seeds(row: str, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        each = np.array([figures(cell, rows) for cell in cells[row]], dtype=np.float64)
        mean: NDArray[np.float64] = each.mean(axis=0)
        return mean

    everyone = np.arange(len(patients))
    draws = list(bootstrap_draws(patients, replicates=replicates))
    return TaskFigures(
        names=names,
        about=about,
        values={row: over_seeds(row, everyone) for row in cells},
        replicates={row: np.stack([over_seeds(row, drawn) for drawn in draws]) for row in cells},
    )


def _scores(cell: Cell, which: str) -> NDArray[np.float32]:
    scores = cell.elsewhere if which == "elsewhere" else cell.test
    if scores is None:
        raise ValueError("a cell has no scores of the other set")
    return scores


def _told(cells: Mapping[str, Sequence[Cell]], labels: Labels, which: str) -> NDArray[np.bool_]:
    """Concepts that every row can tell, shape (K,)."""
    told = np.ones(len(labels.concept_ids), dtype=np.bool_)
    for row, seeds in cells.items():
        for cell in seeds:
            if (found := _scores(cell, which).shape) != labels.test.shape:
                raise ValueError(
                    f"a cell of {row} holds scores of shape {found}, the labels are "
                    f"{labels.test.shape}: the recordings have changed, remove the cell"
                )
            told &= np.isfinite(_scores(cell, which)).all(axis=0)
    return told


def _flagged(cell: Cell, labels: Labels, columns: NDArray[np.intp]) -> NDArray[np.bool_]:
    thresholds = [
        best_f1_threshold(cell.validation[:, k], labels.validation[:, k])[0] for k in columns
    ]
    above: NDArray[np.bool_] = cell.test[:, columns] >= np.array(thresholds, dtype=np.float64)
    return above


def _interval(replicates: NDArray[np.float64]) -> Interval:
    low, high = np.nanpercentile(replicates, [2.5, 97.5])
    return Interval(float(low), float(high))
