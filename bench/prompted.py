"""Bundles that a benchmark trains, and figures of bundles that are asked in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.paper_cells import TRAIN_FOLDS, VALIDATION_FOLD
from bench.paper_tables import FOLDERS
from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.bundle_manifest import MANIFEST
from ecgscreen.errors import BundleError, UsageError
from ecgscreen.prompts import prompted_texts
from ecgscreen.scoring import quantise_directions
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.vocabulary import Vocabulary
from engines.select import load_engine
from trainer.checkpoint import Checkpoint
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.evaluate import embed
from trainer.export import export_bundle
from trainer.metrics import Interval, bootstrap_draws, macro_auc
from trainer.steps import Epoch
from trainer.train import train

_LICENCE = "Apache-2.0 (trained on PTB-XL, CC BY 4.0)"


def default_config(epochs: int, seed: int) -> TrainConfig:
    """The shipped model's recipe on folds 1-7, fold 8 for thresholds."""
    return TrainConfig(
        train_folds=TRAIN_FOLDS, validation_folds=(VALIDATION_FOLD,), epochs=epochs, seed=seed
    )


def trained_bundle(
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    config: TrainConfig,
    folder: Path,
    say: Callable[[str], None],
) -> Bundle:
    """Train and export; a bundle that is there is kept, and a training that was cut off goes on.

    Parameters
    ----------
    recordings
        Of the folds that the configuration names; their labels are all that training sees.
    vocabulary
        Of the texts.
    config
        Of the training.
    folder
        Of the bundle.
    say
        Told how it goes.

    Raises
    ------
    UsageError
        If the bundle that is there is of another configuration.
    """
    if not (folder / MANIFEST).exists():
        checkpoint = Checkpoint(folder.with_suffix(".checkpoint"), resume=True)
        trained = train(
            recordings,
            vocabulary,
            config,
            lambda epoch: say(_line(epoch)),
            checkpoint=checkpoint,
        )
        for left in folder.glob("*"):
            left.unlink()  # of an export that was cut off
        export_bundle(
            trained,
            recordings,
            vocabulary,
            config,
            folder,
            name=folder.name,
            dataset=FOLDERS,
            licence=_LICENCE,
            with_reference=False,
        )
        checkpoint.remove()
    bundle = load_bundle(folder)
    saved, wanted = bundle.manifest["training"]["config"], json.loads(json.dumps(config.to_dict()))
    # An option that is newer than the bundle was not there to differ in.
    if saved != {key: wanted.get(key) for key in saved}:
        raise UsageError(
            f"{folder} was trained with another configuration", "Remove it, or give another --out."
        )
    return bundle


def bundle_beside(folder: Path, config: TrainConfig) -> Bundle:
    """A bundle that was trained elsewhere, to be measured on the same prepared recordings.

    Raises
    ------
    UsageError
        If it wants recordings prepared otherwise.
    """
    bundle = load_bundle(folder)
    if bundle.preprocessing != config.preprocess:
        raise UsageError(
            f"{folder} prepares recordings by {bundle.preprocessing}",
            f"Give a bundle that prepares them by {config.preprocess}.",
        )
    return bundle


def _line(epoch: Epoch) -> str:
    return f"epoch {epoch.number}: loss {epoch.loss:.3f}, AUC {epoch.validation_auc:.3f}"


class Asked(StrEnum):
    """What stands for a concept."""

    NAME = "name"
    """Its name alone."""
    WORDINGS = "all wordings"
    """Their mean direction."""
    BUNDLE = "as in a scan"
    """What the bundle holds: of a concept that it has not seen, the signs too."""


def directions(
    bundle: Bundle,
    vocabulary: Vocabulary,
    concept_ids: Sequence[str],
    asked: Asked = Asked.BUNDLE,
) -> NDArray[np.float64]:
    """What recordings are held against, shape (K, D).

    Parameters
    ----------
    bundle
        Gives directions, or the text head.
    vocabulary
        Gives names and wordings.
    concept_ids
        K ids.
    asked
        What stands for a concept.

    Raises
    ------
    BundleError
        If the language model is not the one that the bundle was trained with.
    """
    if asked is Asked.BUNDLE:
        return quantise_directions(np.stack([bundle.direction(key) for key in concept_ids]))
    known = bundle.manifest["text_encoder"]
    text_encoder = TextEncoder(known["name"])
    if text_encoder.sha256 != known["sha256"]:
        raise BundleError(
            f"{text_encoder.name} has SHA-256 {text_encoder.sha256}, {bundle.name} was trained "
            f"with {known['sha256']}",
            "Install the version of the language model that the bundle names.",
        )
    means = []
    for key in concept_ids:
        concept = vocabulary.by_id[key]
        texts = [concept.name] if asked is Asked.NAME else concept.wordings
        embedded = text_encoder.embed(prompted_texts(known.get("prompt", "{text}"), texts))
        means.append(bundle.text_head.project(embedded).mean(axis=0))
    return quantise_directions(np.stack(means))


def embeddings(bundle: Bundle, recordings: LabelledRecordings) -> NDArray[np.float16]:
    """As a scan stores them, shape (N, D), by the reference engine in float32."""
    return embed(load_engine("pytorch", bundle.encoder_onnx, precision="f32"), recordings)


@dataclass(frozen=True)
class Figure:
    """A macro AUC.

    Attributes
    ----------
    value
        NaN where there is nothing to tell apart.
    replicates
        On resampled patients, shape (R,): the same ones for the same recordings.
    """

    value: float
    replicates: NDArray[np.float64]

    @property
    def interval(self) -> Interval:
        """95 %, over patients."""
        if np.isnan(self.replicates).all():
            return Interval(float("nan"), float("nan"))
        low, high = np.nanpercentile(self.replicates, [2.5, 97.5])
        return Interval(float(low), float(high))

    def less(self, other: Figure) -> Figure:
        """The difference on the same recordings, replicate by replicate."""
        return Figure(self.value - other.value, self.replicates - other.replicates)

    def text(self, sign: str = "") -> str:
        """With its interval, as the tables show it."""
        if np.isnan(self.value):
            return ""
        low, high = self.interval.low, self.interval.high
        return f"{self.value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def macro_figure(
    scores: NDArray[np.floating],
    positive: NDArray[np.bool_],
    patients: NDArray[np.str_],
    *,
    replicates: int = 1000,
) -> Figure:
    """Macro AUC of K concepts with its bootstrap over patients.

    Parameters
    ----------
    scores, positive
        Shape (N, K).
    patients
        Shape (N,).
    replicates
        Of the bootstrap.
    """
    if not scores.shape[1]:
        return Figure(float("nan"), np.full(replicates, np.nan))
    drawn = bootstrap_draws(patients, replicates=replicates)
    values = [macro_auc(scores[rows], positive[rows]) for rows in drawn]
    return Figure(macro_auc(scores, positive), np.array(values, dtype=np.float64))


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def columns_of(recordings: LabelledRecordings, concept_ids: Sequence[str]) -> NDArray[np.intp]:
    """Where the concepts stand in `LabelledRecordings.carried`, shape (K,)."""
    return np.array([recordings.concept_ids.index(key) for key in concept_ids], dtype=np.intp)
