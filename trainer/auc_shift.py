"""How far an engine moves what was measured: macro AUC on labelled recordings. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgscreen.bundle import Bundle
from ecgscreen.errors import UsageError
from ecgscreen.scoring import quantise_directions, score
from ecgscreen.vocabulary import load_vocabulary
from ecgscreen.vocabulary.concept import TASKS
from ecgscreen.wording import counted
from engines.base import Engine
from trainer.data import load_ptbxl
from trainer.evaluate import embed
from trainer.metrics import macro_auc, measurable
from trainer.splits import parse_folds

ALLOWED = 1e-3


@dataclass(frozen=True)
class AucShift:
    """One task of PTB-XL.

    Attributes
    ----------
    task
        Its name.
    n, n_classes
        Recordings, and classes in the mean.
    shift
        Macro AUC with the engine, less that with the reference.
    """

    task: str
    n: int
    n_classes: int
    shift: float

    @property
    def holds(self) -> bool:
        """Whether it moves by no more than `ALLOWED`; NaN does."""
        return abs(self.shift) <= ALLOWED

    def line(self) -> str:
        """What a person reads."""
        return (
            f"  macro AUC of {self.task} moves by {self.shift:+.5f} "
            f"({counted(self.n_classes, 'class', 'classes')}, "
            f"{counted(self.n, 'recording')}): {'passed' if self.holds else 'FAILED'}"
        )


def auc_shifts(
    bundle: Bundle, engine: Engine, reference: Engine, folders: Sequence[Path], folds: str
) -> Iterator[AucShift]:
    """Compare two engines on recordings with statements, task by task.

    This says nothing about accuracy, so recordings that the bundle was trained on will do.

    Parameters
    ----------
    bundle, engine, reference
        See `ecgscreen.verify.verify_engine`.
    folders
        In PTB-XL's layout.
    folds
        Such as ``9``.

    Raises
    ------
    UsageError
        If the folds or a folder are not usable.
    """
    try:
        numbers = parse_folds(folds)
    except ValueError as error:
        raise UsageError(str(error)) from error
    vocabulary = load_vocabulary()
    recordings = load_ptbxl(folders, numbers, vocabulary, bundle.preprocessing)
    embeddings = [embed(each, recordings) for each in (engine, reference)]
    for task in TASKS:
        names = [concept.id for concept in vocabulary.task(task)]
        positive = recordings.carried[:, [recordings.concept_ids.index(name) for name in names]]
        counted = measurable(positive)
        if not counted.any():
            continue
        directions = quantise_directions(np.stack([bundle.direction(name) for name in names]))
        found, expected = (
            macro_auc(score(rows, directions)[:, counted], positive[:, counted])
            for rows in embeddings
        )
        yield AucShift(task, len(positive), int(counted.sum()), found - expected)
