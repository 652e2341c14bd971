"""The command ``train``: load, train, export, and say what happens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ecgscreen.errors import UsageError
from ecgscreen.text_encoder import PACKAGED
from ecgscreen.vocabulary import load_vocabulary
from trainer.config import TrainConfig
from trainer.data import load_ptbxl
from trainer.export import export_bundle
from trainer.splits import parse_folds
from trainer.train import Epoch, train

if TYPE_CHECKING:
    from rich.console import Console

RUN_FILE = "train.json"


@dataclass(frozen=True)
class TrainRequest:
    """The command line of ``train``; see there."""

    folders: tuple[Path, ...]
    out: Path
    name: str
    train_folds: str
    validation_folds: str
    epochs: int
    batch_size: int
    seed: int
    text_encoder: str | None
    licence: str
    with_reference: bool


def run_training(request: TrainRequest, console: Console) -> None:
    """Train and export.

    Raises
    ------
    UsageError
        If folds or folders are not usable, or the output folder is not empty.
    """
    if request.out.exists() and any(request.out.iterdir()):
        raise UsageError(f"{request.out} is not empty", "name a folder that does not exist yet")
    try:
        train_folds = parse_folds(request.train_folds)
        validation_folds = parse_folds(request.validation_folds)
    except ValueError as error:
        raise UsageError(str(error)) from error
    config = TrainConfig(
        train_folds=train_folds,
        validation_folds=validation_folds,
        epochs=request.epochs,
        batch_size=request.batch_size,
        seed=request.seed,
        text_encoder=request.text_encoder or PACKAGED,
    )
    vocabulary = load_vocabulary()
    recordings = load_ptbxl(
        request.folders, (*train_folds, *validation_folds), vocabulary, config.preprocess
    )
    console.print(
        f"{len(recordings.windows)} recordings, {len(recordings.skipped)} left out; training on "
        f"folds {request.train_folds} with {torch.get_num_threads()} threads"
    )

    def report(epoch: Epoch) -> None:
        console.print(f"epoch {epoch.number} of {config.epochs}: loss {epoch.loss:.3f}")

    trained = train(recordings, vocabulary, config, report)
    export_bundle(
        trained,
        recordings,
        vocabulary,
        config,
        request.out,
        name=request.name,
        dataset=[folder.name for folder in request.folders],
        licence=request.licence,
        with_reference=request.with_reference,
    )
    history = [vars(epoch) for epoch in trained.history]
    run = {"config": config.to_dict(), "history": history}
    (request.out / RUN_FILE).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    console.print(f"bundle {request.name} is in {request.out}")
