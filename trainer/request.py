"""What the command ``train`` was asked for, and the configuration that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgscreen.bundle import Bundle
from ecgscreen.errors import UsageError
from trainer import site
from trainer.base import base_encoder
from trainer.config import PRESETS, TrainConfig
from trainer.splits import parse_folds

FOLDERS_TRAIN, FOLDERS_VALIDATION = "1-8", "9"


@dataclass(frozen=True)
class TrainRequest:
    """The command line of ``train``; see there. None: whatever else is given decides.

    Attributes
    ----------
    folders, tables
        In PTB-XL's layout; a site's own. One of the two.
    base
        ``default``, ``none`` or a bundle's folder.
    check
        Folders in PTB-XL's layout on which forgetting is measured.
    accept
        Publish even what is worse.
    labels_from
        ``statements`` or ``reports``.
    coding_conventions
        See `trainer.from_reports.recordings_from_reports`.
    exclude_concepts
        See `trainer.unseen.without_concepts`.
    """

    folders: tuple[Path, ...]
    out: Path
    name: str
    train_folds: str | None
    validation_folds: str | None
    epochs: int | None
    batch_size: int | None
    seed: int
    text_encoder: str | None
    licence: str
    with_reference: bool
    preset: str | None = None
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
    tables: tuple[Path, ...] = ()
    base: str | None = None
    check: tuple[Path, ...] = ()
    accept: bool = False
    labels_from: str | None = None
    coding_conventions: bool = False
    exclude_concepts: tuple[str, ...] = ()
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        if bool(self.folders) == bool(self.tables):
            raise UsageError(
                "folders and a table" if self.folders else "neither a folder nor a table",
                "Give folders in PTB-XL's layout, or --table with a site's own recordings.",
            )
        if not math.isfinite(self.checkpoint_minutes):
            raise UsageError(
                f"a checkpoint every {self.checkpoint_minutes} minutes", "Give a number of minutes."
            )
        if (self.check or self.accept) and not self.tables:
            raise UsageError(
                "--check and --accept are for the retraining of a site",
                "Give --table, or measure the bundle with ecgscreen evaluate.",
            )

    @property
    def base_name(self) -> str:
        """What to go on from: a site has too few recordings for a start from nothing."""
        return self.base if self.base is not None else ("default" if self.tables else "none")

    @property
    def sources(self) -> tuple[Path, ...]:
        """The folders or the tables."""
        return self.folders or self.tables

    def config(self, base: Bundle | None = None) -> TrainConfig:
        """The run: what was given, else the preset's, else `TrainConfig`'s own.

        Parameters
        ----------
        base
            What is gone on from: encoder, preprocessing and prompt are its own.

        Raises
        ------
        UsageError
            If something given is not usable.
        """
        preset = self.preset or ("default" if base is None else "fine-tune")
        if preset not in PRESETS:
            raise UsageError(f"preset {preset!r}", f"Choose {' or '.join(PRESETS)}.")
        given = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "text_encoder": self.text_encoder,
            "objective": self.objective,
            "view_weight": self.view_weight,
            "feature_weight": self.feature_weight,
            "feature_layers": self.feature_layers,
            "precision": self.precision,
            "device": self.device,
            "labels_from": self.labels_from,
        }
        options = PRESETS[preset] | _of_base(base, preset)
        options |= {k: v for k, v in given.items() if v is not None}
        return TrainConfig(
            train_folds=self._folds(self.train_folds, site.TRAIN_FOLDS, FOLDERS_TRAIN),
            validation_folds=self._folds(
                self.validation_folds, site.VALIDATION_FOLDS, FOLDERS_VALIDATION
            ),
            seed=self.seed,
            exclude_concepts=self.exclude_concepts,
            **options,
        )

    def _folds(self, given: str | None, of_table: str, of_folders: str) -> tuple[int, ...]:
        try:
            return parse_folds(
                given if given is not None else of_table if self.tables else of_folders
            )
        except ValueError as error:
            raise UsageError(str(error)) from error


def _of_base(base: Bundle | None, preset: str) -> dict[str, Any]:
    if base is None:
        return {"base_share": 0.0}
    if PRESETS[preset].get("text_head", "mlp") != "mlp":
        raise UsageError(
            f"preset {preset} trains a text head of its own, from nothing",
            "Give it --base none, or take the preset fine-tune.",
        )
    before = base.manifest["training"].get("config", {})
    return {
        "base": base.sha256,
        # A text side that never met signs would have to learn them on a site's few recordings.
        "sign_weight": before.get("sign_weight", 0.0),
        "encoder": base_encoder(base).config,
        "preprocess": base.preprocessing,
        "text_encoder": base.manifest["text_encoder"]["name"],
        "prompt": base.manifest["text_encoder"].get("prompt", "{text}"),
    }
