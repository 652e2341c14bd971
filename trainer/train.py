"""The training loop, readable from top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.errors import UsageError
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.vocabulary import Vocabulary
from trainer import distributed
from trainer.base import blend_with_base, start_from
from trainer.checkpoint import RECORDINGS, Checkpoint, content_sha256
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.metrics import macro_auc, measurable
from trainer.model import EcgTextModel
from trainer.objectives import Objective, text_objective
from trainer.splits import check_patients_disjoint, rows_of_folds
from trainer.steps import Epoch, Steps

__all__ = ["Epoch", "TrainedModel", "fit", "train", "training_rows"]


@dataclass(frozen=True)
class TrainedModel:
    """The averaged model and the statements that it was trained on.

    Attributes
    ----------
    model
        In evaluation mode.
    seen
        Concept ids with at least one positive among the training recordings, or those of the
        bundle that was gone on from.
    text_encoder
        The frozen language model that gave the texts.
    history
        An entry an epoch.
    """

    model: EcgTextModel
    seen: tuple[str, ...]
    text_encoder: TextEncoder
    history: tuple[Epoch, ...]


def train(
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    config: TrainConfig,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
    *,
    on_step: Callable[[int, float], None] = lambda _step, _loss: None,
    checkpoint: Checkpoint | None = None,
    text_encoder: TextEncoder | None = None,
    base: Bundle | None = None,
) -> TrainedModel:
    """Train an encoder against the texts that belong to its recordings.

    Parameters
    ----------
    recordings
        Of all folds that the configuration names.
    vocabulary
        Gives the wordings: a statement's text is drawn anew from them at every step.
    config
        See `TrainConfig`.
    on_epoch, on_step, checkpoint
        See `fit`.
    text_encoder
        The one that the configuration names, if it is loaded already.
    base
        A bundle to go on from, if any: its encoder and text head are the start.

    Raises
    ------
    UsageError
        If the training folds hold fewer recordings than one batch, the processes of a run cannot
        share a batch evenly, or the base does not fit.
    PatientLeakError
        If a patient is on both sides of the split.
    """
    rows = training_rows(recordings, config)
    torch.manual_seed(config.seed)
    objective = text_objective(recordings, rows, vocabulary, config, text_encoder)
    if base is not None:
        start_from(base, objective, recordings, rows, config)
    history = fit(
        objective, recordings, rows, config, on_epoch, on_step=on_step, checkpoint=checkpoint
    )
    if base is not None:
        blend_with_base(base, objective.model, config.base_share)
    before = base.seen_concepts if base is not None else frozenset()
    seen = tuple(key for key in recordings.concept_ids if key in {*objective.seen, *before})
    return TrainedModel(objective.model.eval(), seen, objective.text_encoder, history)


def training_rows(recordings: LabelledRecordings, config: TrainConfig) -> NDArray[np.intp]:
    """Rows of the training folds, after the checks that `train` promises; shape (n,)."""
    distributed.check_batch_size(config.batch_size)
    rows = rows_of_folds(recordings.folds, config.train_folds)
    check_patients_disjoint(
        recordings.patients, rows, rows_of_folds(recordings.folds, config.validation_folds)
    )
    if len(rows) < config.batch_size:
        raise UsageError(
            f"{len(rows)} training recordings, less than a batch of {config.batch_size}",
            "Give more recordings or a smaller batch.",
        )
    return rows


def fit(
    objective: Objective,
    recordings: LabelledRecordings,
    rows: NDArray[np.intp],
    config: TrainConfig,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
    *,
    on_step: Callable[[int, float], None] = lambda _step, _loss: None,
    checkpoint: Checkpoint | None = None,
) -> tuple[Epoch, ...]:
    """Train an objective's model on some rows; it holds the averaged weights afterwards.

    Parameters
    ----------
    objective
        What is trained towards.
    recordings
        Of all folds that the configuration names.
    rows
        The recordings that are trained on, shape (n,), a batch at least.
    config
        See `TrainConfig`.
    on_epoch
        Called after each epoch, in a resumed run for those before it too.
    on_step
        Called after each step with its number, from 1, and its loss.
    checkpoint
        Where the state of the run is kept, if anywhere. The last one is written at the end:
        whoever has made use of the model removes it.

    Returns
    -------
    An entry an epoch.
    """
    steps = Steps(objective, recordings, rows, config)
    fingerprint = {
        **config.to_dict(),
        "kind": type(objective).__name__,
        "n": len(rows),
        "processes": distributed.size(),
    }
    if checkpoint:
        fingerprint[RECORDINGS] = content_sha256(recordings, rows)
    if checkpoint and (state := checkpoint.load(fingerprint)):
        steps.restore(state)
        for epoch in steps.history:
            on_epoch(epoch)
    _check_same_place(steps)
    validation = rows_of_folds(recordings.folds, config.validation_folds)
    while steps.epoch < config.epochs:
        steps.begin_epoch()
        while not steps.epoch_done:
            loss = steps.take()
            on_step(steps.number, loss)
            if checkpoint and distributed.from_first(checkpoint.due()):
                _save(steps, checkpoint, fingerprint)
        wanted = config.validate_every and (steps.epoch + 1) % config.validate_every == 0
        measured = wanted and distributed.is_first()
        auc = _validation_auc(steps, validation) if measured else float("nan")
        on_epoch(steps.end_epoch(distributed.from_first(auc)))
    if checkpoint:
        _save(steps, checkpoint, fingerprint)
    steps.keep_averaged()
    return tuple(steps.history)


def _check_same_place(steps: Steps) -> None:
    if len(places := set(distributed.of_all(torch.tensor(steps.number)).tolist())) > 1:
        raise UsageError(
            f"the processes would go on from steps {sorted(places)}",
            "Keep the output folder where all machines see it.",
        )


def _save(steps: Steps, checkpoint: Checkpoint, fingerprint: dict[str, Any]) -> None:
    state = steps.state()
    if distributed.is_first():
        checkpoint.save(state, fingerprint)


def _validation_auc(steps: Steps, rows: NDArray[np.intp]) -> float:
    """Macro AUC of the averaged model over the seen concepts with enough positives there."""
    if not len(rows):
        return float("nan")
    positive = steps.recordings.carried[np.ix_(rows, steps.objective.seen_columns)]
    counted = measurable(positive)
    return macro_auc(steps.averaged_scores(rows)[:, counted], positive[:, counted])
