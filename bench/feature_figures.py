"""Macro AUC of probes by group of concepts, with paired differences over the same patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.feature_cells import Cell
from ecgscreen.vocabulary import Vocabulary
from trainer.data import LabelledRecordings
from trainer.metrics import MIN_POSITIVES, Interval, bootstrap_draws, measurable
from trainer.splits import rows_of_folds

STATEMENT_TASKS = ("diagnostic", "form", "rhythm")
RARE = "rarest third"


@dataclass(frozen=True)
class Measured:
    """What is true of the recordings that were scored.

    Attributes
    ----------
    groups
        Columns of the concepts by name of the group: the superclasses; the statements of
        `STATEMENT_TASKS`; and of these the third with the fewest positives in training. All are
        `trainer.metrics.measurable` here and have a positive in training.
    positive
        bool, shape (N, K).
    counts
        float64, shape (1 + replicates, N): how often a recording counts, first as it is, then in
        each resampling of the patients.
    rare_at_most
        Positives in training of the commonest statement in the rarest third.
    """

    groups: Mapping[str, NDArray[np.intp]]
    positive: NDArray[np.bool_]
    counts: NDArray[np.float64]
    rare_at_most: int


def measured(
    recordings: LabelledRecordings,
    train_folds: Sequence[int],
    fold: int,
    vocabulary: Vocabulary,
    *,
    replicates: int = 1000,
) -> Measured:
    """Choose the concepts that can be measured on a fold.

    Parameters
    ----------
    recordings
        Of the training folds and the measured one.
    train_folds
        Whose positives say how rare a statement is.
    fold
        Scored.
    vocabulary
        Gives the classes.
    replicates
        Of the bootstrap over patients.
    """
    rows = rows_of_folds(recordings.folds, [fold])
    positive = recordings.carried[rows]
    n_train = recordings.carried[rows_of_folds(recordings.folds, train_folds)].sum(axis=0)
    counted = measurable(positive) & (n_train > 0)

    def columns(*tasks: str) -> NDArray[np.intp]:
        ids = [concept.id for task in tasks for concept in vocabulary.task(task)]
        return np.flatnonzero(np.isin(recordings.concept_ids, ids) & counted)

    statements = columns(*STATEMENT_TASKS)
    by_rarity = statements[np.argsort(n_train[statements], kind="stable")]
    rare = by_rarity[: len(statements) // 3]
    draws = bootstrap_draws(recordings.patients[rows], replicates=replicates)
    counts = [np.ones(len(rows)), *(np.bincount(drawn, minlength=len(rows)) for drawn in draws)]
    return Measured(
        {"superclass": columns("superclass"), "statements": statements, RARE: np.sort(rare)},
        positive,
        np.stack(counts).astype(np.float64),
        int(n_train[rare].max(initial=0)),
    )


def macro_aucs(cell: Cell, truth: Measured) -> dict[tuple[str, float], NDArray[np.float64]]:
    """Macro AUC by group and share, mean over draws of labels; shape (1 + replicates,).

    Raises
    ------
    ValueError
        If the cell is of other recordings.
    """
    found = {}
    wanted = np.unique(np.concatenate(list(truth.groups.values())))
    for share, draws in cell.scores.items():
        if draws.shape[1:] != truth.positive.shape:
            raise ValueError(
                f"a cell holds scores of shape {draws.shape[1:]}, the labels are "
                f"{truth.positive.shape}: the recordings have changed, remove the cell"
            )
        each = np.array(
            [
                [replicated_auc(s[:, k], truth.positive[:, k], truth.counts) for k in wanted]
                for s in draws
            ]
        )
        for group, columns in truth.groups.items():
            own = each[:, np.isin(wanted, columns)]
            found[group, share] = _mean_of_known(own).mean(axis=0)
    return found


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over axis 1 without NaN; NaN where there is nothing else."""
    known = np.isfinite(values)
    n = known.sum(axis=1)
    total = np.where(known, values, 0).sum(axis=1)
    means: NDArray[np.float64] = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return means


def replicated_auc(
    scores: NDArray[np.floating], positive: NDArray[np.bool_], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`trainer.metrics.auc` where recordings count several times, all replicates at once.

    Parameters
    ----------
    scores, positive
        Shape (N,).
    counts
        Shape (R, N).

    Returns
    -------
    Shape (R,); NaN where one of the two classes counts for nothing.
    """
    ours, theirs = scores[positive][:, None], scores[~positive][None, :]
    wins = (ours > theirs) + 0.5 * (ours == theirs)
    n_ours, n_theirs = counts[:, positive], counts[:, ~positive]
    won = ((n_ours @ wins) * n_theirs).sum(axis=1)
    pairs = n_ours.sum(axis=1) * n_theirs.sum(axis=1)
    values: NDArray[np.float64] = np.where(pairs > 0, won / np.maximum(pairs, 1), np.nan)
    return values


def about(truth: Measured) -> str:
    """The groups in words."""
    n = {group: len(columns) for group, columns in truth.groups.items()}
    return (
        f"superclass: {n['superclass']} classes. statements: the {n['statements']} diagnostic, "
        f"form and rhythm statements with at least {MIN_POSITIVES} positives and negatives here "
        f"and a positive in training. {RARE}: the {n[RARE]} of these with the fewest positives in "
        f"training, {truth.rare_at_most} at most."
    )


@dataclass(frozen=True)
class Difference:
    """An arm less another on the same patients, seeds and labels.

    Attributes
    ----------
    values
        Of the other arm, then of this one: means over seeds.
    value, interval
        Of the mean difference over seeds; 95 %, over patients.
    by_seed
        The difference of each seed.
    """

    values: tuple[float, float]
    value: float
    interval: Interval
    by_seed: tuple[float, ...]

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.interval.low > 0 or self.interval.high < 0


def difference(
    ours: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]]
) -> Difference:
    """Compare what `macro_aucs` gave of the same group and share, a seed an entry."""
    paired = np.stack(ours) - np.stack(other)
    mean = paired.mean(axis=0)
    low, high = np.nanpercentile(mean[1:], [2.5, 97.5])
    return Difference(
        (float(np.mean([o[0] for o in other])), float(np.mean([o[0] for o in ours]))),
        float(mean[0]),
        Interval(float(low), float(high)),
        tuple(float(value) for value in paired[:, 0]),
    )
