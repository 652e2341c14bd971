"""One cell of the feature loss's comparison: a pretraining without labels, and probes on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.paper_cells import TRAIN_FOLDS, VALIDATION_FOLD
from trainer.baselines import SimClrObjective, draw_labelled, fit_probe
from trainer.checkpoint import Checkpoint
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.splits import rows_of_folds
from trainer.steps import Epoch
from trainer.train import fit, training_rows

DRAWS = 5
"""Of the labelled recordings a seed, below 100 %: 25 recordings are a lottery."""


@dataclass(frozen=True)
class Arm:
    """A loss between two views.

    Attributes
    ----------
    layers
        Whose maps are compared; see `TrainConfig.feature_layers`.
    weight
        Of the feature approximation loss beside InfoNCE; 0: InfoNCE alone.
    shifts
        Whether windows are shifted in time. With the feature loss they never are, so the arm to
        hold it against is not shifted either: the two differ in the loss only.
    """

    layers: tuple[int, ...] = (1, 2, 3, 4)
    weight: float = 0.0
    shifts: bool = False

    @property
    def name(self) -> str:
        """Of its folders."""
        if not self.weight:
            return "infonce-shifted" if self.shifts else "infonce"
        return f"feature-w{self.weight:g}-l{''.join(map(str, self.layers))}"

    @property
    def label(self) -> str:
        """As shown."""
        if not self.weight:
            return "InfoNCE, with time shifts" if self.shifts else "InfoNCE"
        maps = ", ".join(map(str, self.layers))
        return f"InfoNCE + {self.weight:g} x feature loss (layers {maps})"


def config_of(arm: Arm, seed: int, epochs: int) -> TrainConfig:
    """The pretraining of an arm: the loss between views only, no side measurements."""
    config = TrainConfig(
        train_folds=TRAIN_FOLDS,
        validation_folds=(VALIDATION_FOLD,),
        epochs=epochs,
        seed=seed,
        view_weight=1.0,
        view_temperature=0.1,
        measurement_weight=0.0,
        feature_weight=arm.weight,
        feature_layers=arm.layers,
        validate_every=0,  # before the probe there is nothing to score
    )
    if arm.shifts:
        return config
    return replace(config, augment=replace(config.augment, max_shift_s=0.0))


Configure = Callable[[Arm, int, int], TrainConfig]
"""The training run of an arm, a seed and a number of epochs, as `config_of` gives it."""


@dataclass(frozen=True)
class Cell:
    """Scores of probes on one pretrained encoder.

    Attributes
    ----------
    concept_ids
        K ids.
    scores
        By share of the labels, float32, shape (draws, N, K): of the recordings measured. A concept
        without a labelled example has the same score everywhere, hence AUC .5.
    """

    concept_ids: tuple[str, ...]
    scores: Mapping[float, NDArray[np.float32]]


def make_cell(
    config: TrainConfig,
    recordings: LabelledRecordings,
    measured_fold: int,
    shares: Sequence[float],
    folder: Path,
    say: Callable[[str], None],
) -> Cell:
    """Pretrain, probe, score, and keep the scores; a finished cell is read.

    Parameters
    ----------
    config
        See `config_of`.
    recordings
        Of the training folds, fold 8 and the measured one.
    measured_fold
        Scored. The probe's penalty comes from fold 8, whichever this is.
    shares
        Of the training recordings' labels, in 0..1; the same draws in every arm of a seed.
    folder
        Of the cell; ``cell.json`` is written last and says that it is finished. A cell that was
        cut off goes on from its checkpoint.
    say
        Told how it goes.
    """
    if (kept := load_cell(folder)) is not None:
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    checkpoint = Checkpoint(folder / "run.checkpoint", resume=True)

    def report(epoch: Epoch) -> None:
        say(f"epoch {epoch.number}: loss {epoch.loss:.3f}")

    rows = training_rows(recordings, config)
    validation = rows_of_folds(recordings.folds, [VALIDATION_FOLD])
    measured = rows_of_folds(recordings.folds, [measured_fold])
    torch.manual_seed(config.seed)
    objective = SimClrObjective(recordings, rows, config)
    history = fit(objective, recordings, rows, config, report, checkpoint=checkpoint)
    scores = {}
    for share in shares:
        drawn = []
        for draw in range(1 if share == 1 else DRAWS):
            seed = config.seed * DRAWS + draw
            labelled = draw_labelled(recordings.patients, rows, share, seed)
            probe = fit_probe(objective.model.encoder, recordings, labelled, validation)
            drawn.append(probe.scores(recordings, measured))
        scores[share] = np.stack(drawn)
        say(f"probed on {share:.0%} of the labels")
    arrays: dict[str, Any] = {f"{share:g}": values for share, values in scores.items()}
    arrays["concept_ids"] = np.array(recordings.concept_ids)
    np.savez_compressed(folder / "scores.npz", **arrays)
    found = {
        "config": config.to_dict(),
        "minutes": (time.monotonic() - started) / 60,
        "history": [epoch.to_dict() for epoch in history],
    }
    (folder / "cell.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    checkpoint.remove()
    return Cell(recordings.concept_ids, scores)


def cell_folder(out: Path, arm: Arm, epochs: int, seed: int) -> Path:
    """Of an arm in the comparison."""
    return out / "compare" / f"{arm.name}-e{epochs}-s{seed}"


def load_cell(folder: Path) -> Cell | None:
    """A finished cell, None where it is not finished."""
    if not (folder / "cell.json").exists():
        return None
    with np.load(folder / "scores.npz") as arrays:
        ids = tuple(str(name) for name in arrays["concept_ids"])
        shares = [name for name in arrays.files if name != "concept_ids"]
        return Cell(ids, {float(share): arrays[share] for share in shares})
