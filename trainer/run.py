"""The command ``train``: load, train, export, and say what happens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import load_vocabulary
from trainer import distributed
from trainer.checkpoint import Checkpoint
from trainer.config import PRESETS, TrainConfig
from trainer.data import load_ptbxl
from trainer.export import export_bundle
from trainer.splits import parse_folds
from trainer.text_cache import CachedTextEncoder
from trainer.train import Epoch, train, training_rows
from trainer.training_log import CSV_FILE, CURVES_FILE, write_csv, write_curves
from trainer.training_progress import TrainingProgress

if TYPE_CHECKING:
    from rich.console import Console

RUN_FILE = "train.json"
CHECKPOINT_FILE = "run.checkpoint"


@dataclass(frozen=True)
class TrainRequest:
    """The command line of ``train``; see there."""

    folders: tuple[Path, ...]
    out: Path
    name: str
    train_folds: str
    validation_folds: str
    epochs: int | None
    batch_size: int | None
    seed: int
    text_encoder: str | None
    licence: str
    with_reference: bool
    preset: str = "default"
    objective: str | None = None
    view_weight: float | None = None
    feature_weight: float | None = None
    feature_layers: tuple[int, ...] | None = None
    precision: str | None = None
    device: str | None = None
    checkpoint_minutes: float = 5.0
    resume: bool = False
    text_cache: Path | None = None
    download: bool = False

    def config(self) -> TrainConfig:
        """The run: what was given, else the preset's, else `TrainConfig`'s own.

        Raises
        ------
        UsageError
            If something given is not usable.
        """
        if self.preset not in PRESETS:
            raise UsageError(f"preset {self.preset!r}", f"choose {' or '.join(PRESETS)}")
        try:
            train_folds = parse_folds(self.train_folds)
            validation_folds = parse_folds(self.validation_folds)
        except ValueError as error:
            raise UsageError(str(error)) from error
        given = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "text_encoder": self.text_encoder,
            "objective": self.objective,
            "view_weight": self.view_weight,
            "feature_weight": self.feature_weight,
            "feature_layers": self.feature_layers,
            "precision": self.precision,
            "device": self.device,
        }
        options = PRESETS[self.preset] | {k: v for k, v in given.items() if v is not None}
        return TrainConfig(
            train_folds=train_folds, validation_folds=validation_folds, seed=self.seed, **options
        )


def run_training(request: TrainRequest, console: Console) -> None:
    """Train and export.

    Raises
    ------
    UsageError
        If folds or folders are not usable, or the output folder is not empty.
    """
    if request.out.exists() and any(request.out.iterdir()):
        raise UsageError(f"{request.out} is not empty", "name a folder that does not exist yet")
    config = request.config()
    vocabulary = load_vocabulary()
    recordings = load_ptbxl(
        request.folders,
        (*config.train_folds, *config.validation_folds),
        vocabulary,
        config.preprocess,
    )
    console.print(
        f"{len(recordings.windows)} recordings, {len(recordings.skipped)} left out; training on "
        f"folds {request.train_folds} with {torch.get_num_threads()} threads"
    )
    if config.objective == "clip" and (n := sum(not text for text in recordings.reports)):
        console.print(f"{n} recordings have no report: the names of their statements stand for it")
    partial = request.out.with_name(f"{request.out.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(
        partial / CHECKPOINT_FILE, 60 * request.checkpoint_minutes, request.resume
    )
    text_encoder = CachedTextEncoder(
        config.text_encoder, request.text_cache, download=request.download
    )
    steps_per_epoch = len(training_rows(recordings, config)) // config.batch_size
    with TrainingProgress(console, config.epochs, steps_per_epoch) as progress:
        history: list[Epoch] = []

        def report(epoch: Epoch) -> None:
            if not distributed.is_first():
                return
            history.append(epoch)
            progress.on_epoch(epoch)
            write_csv(history, partial / CSV_FILE)
            write_curves(history, partial / CURVES_FILE)

        trained = train(
            recordings,
            vocabulary,
            config,
            report,
            on_step=progress.on_step,
            checkpoint=checkpoint,
            text_encoder=text_encoder,
        )
    if not distributed.is_first():
        return
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
    epochs = [epoch.to_dict() for epoch in trained.history]
    run = {"config": config.to_dict(), "history": epochs}
    (request.out / RUN_FILE).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    for file in (CSV_FILE, CURVES_FILE):
        (partial / file).replace(request.out / file)
    # Last of all: until the bundle is whole, there is something to go on from.
    checkpoint.remove()
    partial.rmdir()
    console.print(f"bundle {request.name} is in {request.out}")
