"""One of the processes of `tests.trainer.test_distributed`, started by torchrun.

``joined_process.py RECORDINGS LANGUAGE_MODEL OUT``: steps of every objective, and a run that is cut
off and goes on; leaves what came of it in ``OUT/RANK.pt``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgscreen.vocabulary import load_vocabulary
from tests.tiny_bundle import ENCODER, TRAIN_FOLD, VALIDATION_FOLD
from trainer import distributed
from trainer.augment import AugmentConfig, AugmentedBatch
from trainer.checkpoint import Checkpoint
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, load_ptbxl
from trainer.objectives import text_objective
from trainer.steps import Steps
from trainer.train import train, training_rows

VOCABULARY = load_vocabulary()
STILL = AugmentConfig(0, 0, 0, 0, 0, 0, 0)
"""Nothing is changed at random, so that it does not matter who draws."""
OBJECTIVES: dict[str, dict[str, Any]] = {
    "statement": {"measurement_weight": 1.0},
    "clip": {"objective": "clip"},
    "view": {"objective": "clip", "view_weight": 100.0},
    "feature": {"feature_weight": 5.0},
}


class DistinctViews(Steps):
    """Views of a recording that differ, and are the same whoever makes them."""

    _made = 0

    def _view(self, rows: NDArray[np.intp]) -> AugmentedBatch:
        batch = super()._view(rows)
        self._made += 1
        noise = [np.random.default_rng((self._made, row)).normal(size=(12, 1000)) for row in rows]
        changed = batch.windows + 0.5 * torch.from_numpy(np.stack(noise).astype(np.float32))
        return replace(batch, windows=changed)


class CutOffError(Exception):
    """The power went."""


def config_for(language_model: Path) -> TrainConfig:
    return TrainConfig(
        train_folds=(TRAIN_FOLD,),
        validation_folds=(VALIDATION_FOLD,),
        epochs=2,
        batch_size=24,
        validate_every=1,
        measurement_weight=0.0,
        text_encoder=str(language_model),
        encoder=replace(ENCODER, dropout=0.0),
        precision="f32",
        device="cpu",
        augment=STILL,
    )


def load(folder: Path, config: TrainConfig) -> LabelledRecordings:
    """Recordings of which every one has a report of its own."""
    found = load_ptbxl([folder], (TRAIN_FOLD, VALIDATION_FOLD), VOCABULARY, config.preprocess)
    reports = tuple(f"Sinus rhythm, rate {k}." for k in range(len(found.windows)))
    return replace(found, reports=reports)


def two_steps(recordings: LabelledRecordings, config: TrainConfig) -> dict[str, Any]:
    """Losses of two steps, gradients of the first, weights and their average after both."""
    torch.manual_seed(config.seed)
    rows = training_rows(recordings, config)
    objective = text_objective(recordings, rows, VOCABULARY, config)
    steps = DistinctViews(objective, recordings, rows, config)
    steps.begin_epoch()
    losses = [steps.take()]
    model = steps.objective.model
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    losses.append(steps.take())
    return {
        "losses": losses,
        "gradients": gradients,
        "weights": {key: value.clone() for key, value in model.state_dict().items()},
        "averaged": {key: value.clone() for key, value in steps.state()["averaged"].items()},
    }


def run(
    recordings: LabelledRecordings, config: TrainConfig, checkpoint: Checkpoint | None = None
) -> dict[str, Any]:
    trained = train(recordings, VOCABULARY, config, checkpoint=checkpoint)
    return {
        "losses": [epoch.loss for epoch in trained.history],
        "aucs": [epoch.validation_auc for epoch in trained.history],
        "weights": trained.model.state_dict(),
    }


def run_in_two_goes(
    recordings: LabelledRecordings, config: TrainConfig, file: Path
) -> dict[str, Any]:
    """Cut off after the fourth step of six, within the second epoch."""

    def stop(step: int, _loss: float) -> None:
        if step > 4:
            raise CutOffError

    try:
        train(recordings, VOCABULARY, config, on_step=stop, checkpoint=Checkpoint(file, every_s=0))
    except CutOffError:
        torch.manual_seed(999)
    return run(recordings, config, Checkpoint(file, resume=True))


def views_of(recordings: LabelledRecordings, config: TrainConfig) -> Tensor:
    """What augmentation makes of the same recordings in this process."""
    rows = training_rows(recordings, config)
    steps = Steps(text_objective(recordings, rows, VOCABULARY, config), recordings, rows, config)
    return steps._view(rows[:2]).windows


def main(folder: Path, language_model: Path, out: Path) -> None:
    """Do all of it."""
    config = config_for(language_model)
    recordings = load(folder, config)
    with distributed.joined("cpu"):
        lively = replace(config, augment=AugmentConfig(), encoder=ENCODER, measurement_weight=1.0)
        found: dict[str, Any] = {
            name: two_steps(recordings, replace(config, **options))
            for name, options in OBJECTIVES.items()
        }
        found["whole"] = run(recordings, lively)
        found["resumed"] = run_in_two_goes(recordings, lively, out / "run.checkpoint")
        found["views"] = views_of(recordings, lively)
        own = torch.full((2, 3), float(distributed.rank()))
        found["gathered"] = distributed.gather(own)
        found["part"] = torch.from_numpy(distributed.own_part(np.arange(6)))
        torch.save(found, out / f"{distributed.rank()}.pt")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
