"""One cell of the paper's tables: a row trained with one seed, and its scores."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgscreen.vocabulary import Vocabulary
from trainer.baselines import (
    SimClrObjective,
    SupervisedObjective,
    draw_labelled,
    fit_probe,
    random_encoder,
)
from trainer.checkpoint import Checkpoint
from trainer.config import PRESETS, TrainConfig
from trainer.data import LabelledRecordings
from trainer.encoder import ResNet1d
from trainer.objectives import Objective, text_objective
from trainer.splits import rows_of_folds
from trainer.steps import Epoch, score_rows
from trainer.train import fit, training_rows

TRAIN_FOLDS, VALIDATION_FOLD, TEST_FOLD = tuple(range(1, 8)), 8, 9
# Chosen on fold 8 by bench.feature_loss.
_FEATURE_LOSS = {"feature_weight": 0.1, "feature_layers": (3, 4)}


@dataclass(frozen=True)
class Row:
    """A row of the tables.

    Attributes
    ----------
    label
        As shown.
    kind
        ``random``, ``simclr``, ``supervised`` or ``text``.
    share
        Of the training recordings' labels that are used; 0 where only texts are.
    options
        Of `TrainConfig`, beside folds, seed and epochs.
    """

    label: str
    kind: str
    share: float
    options: dict[str, Any] = field(default_factory=dict)


ROWS = {
    "random-5": Row("random encoder, linear probe, 5 %", "random", 0.05),
    "random-100": Row("random encoder, linear probe, 100 %", "random", 1.0),
    "simclr-5": Row(
        "SimCLR, linear probe, 5 %",
        "simclr",
        0.05,
        {"view_weight": 1.0, "view_temperature": 0.1, "measurement_weight": 0.0},
    ),
    "supervised-plain": Row(
        "supervised ResNet1d-18, 100 %", "supervised", 1.0, {"measurement_weight": 0.0}
    ),
    "supervised": Row("supervised with side measurements, 100 %", "supervised", 1.0),
    "clip": Row("clip, 0 %", "text", 0.0, PRESETS["paper"]),
    "clip-feature": Row(
        "clip with feature loss, 0 %", "text", 0.0, PRESETS["paper"] | _FEATURE_LOSS
    ),
    "statement": Row("statement, prompted (seen)", "text", 0.0),
    "statement-feature": Row(
        "statement with feature loss, prompted (seen)", "text", 0.0, _FEATURE_LOSS
    ),
}


@dataclass(frozen=True)
class Cell:
    """Scores of one row with one seed.

    Attributes
    ----------
    concept_ids
        K ids.
    validation, test
        float32, shapes (N8, K) and (N9, K); NaN for a concept that the row cannot tell.
    elsewhere
        float32, shape (M, K): of another set, if there is one.
    """

    concept_ids: tuple[str, ...]
    validation: NDArray[np.float32]
    test: NDArray[np.float32]
    elsewhere: NDArray[np.float32] | None = None


def config_of(row: Row, seed: int, epochs: int) -> TrainConfig:
    """The training run of a cell."""
    options = {**row.options, "seed": seed, "epochs": epochs}
    return TrainConfig(train_folds=TRAIN_FOLDS, validation_folds=(VALIDATION_FOLD,), **options)


def make_cell(
    row: Row,
    config: TrainConfig,
    recordings: LabelledRecordings,
    elsewhere: LabelledRecordings | None,
    vocabulary: Vocabulary,
    folder: Path,
    say: Callable[[str], None],
) -> None:
    """Train, score folds 8 and 9, and write what was found.

    Parameters
    ----------
    row, config
        See `config_of`.
    recordings
        Of folds 1 to 9.
    elsewhere
        Recordings of another set to score as well.
    vocabulary
        Of the texts.
    folder
        Of the cell; ``cell.json`` is written last and says that it is finished.
    say
        Told how it goes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    history: tuple[Epoch, ...] = ()
    checkpoint = Checkpoint(folder / "run.checkpoint", resume=True)

    def report(epoch: Epoch) -> None:
        say(f"epoch {epoch.number}: loss {epoch.loss:.3f}, AUC {epoch.validation_auc:.3f}")

    rows = training_rows(recordings, config)
    validation = rows_of_folds(recordings.folds, [VALIDATION_FOLD])
    test = rows_of_folds(recordings.folds, [TEST_FOLD])
    torch.manual_seed(config.seed)
    objective: Objective | None = None
    encoder: ResNet1d | None = None
    if row.kind == "text":
        objective = text_objective(recordings, rows, vocabulary, config)
    elif row.kind == "supervised":
        objective = SupervisedObjective(recordings, rows, config)
    elif row.kind == "simclr":
        pretraining = SimClrObjective(recordings, rows, config)
        history = fit(pretraining, recordings, rows, config, report, checkpoint=checkpoint)
        encoder = pretraining.model.encoder
    else:
        encoder = random_encoder(config.encoder, config.seed)
    sets = {"validation": (recordings, validation), "test": (recordings, test)}
    if elsewhere is not None:
        sets["elsewhere"] = (elsewhere, np.arange(len(elsewhere.windows)))
    scores: dict[str, NDArray[np.float32]] = {}
    if objective is not None:
        history = fit(objective, recordings, rows, config, report, checkpoint=checkpoint)
        torch.save(objective.model.state_dict(), folder / "model.pt")
        scores = {key: _scores(objective, *where) for key, where in sets.items()}
    elif encoder is not None:
        labelled = draw_labelled(recordings.patients, rows, row.share, config.seed)
        probe = fit_probe(encoder, recordings, labelled, validation)
        scores = {key: probe.scores(*where) for key, where in sets.items()}
    arrays: dict[str, Any] = {"concept_ids": np.array(recordings.concept_ids), **scores}
    np.savez_compressed(folder / "scores.npz", **arrays)
    found = {
        "row": row.label,
        "config": config.to_dict(),
        "minutes": (time.monotonic() - started) / 60,
        "history": [epoch.to_dict() for epoch in history],
    }
    (folder / "cell.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    checkpoint.remove()


def _scores(
    objective: Objective, recordings: LabelledRecordings, rows: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Scores of all concepts, NaN for those that were not in the training recordings."""
    scores = np.full((len(rows), len(recordings.concept_ids)), np.nan, dtype=np.float32)
    scores[:, objective.seen_columns] = score_rows(objective, recordings, rows)
    return scores


def load_cell(folder: Path) -> Cell | None:
    """A finished cell, None where it is not finished."""
    if not (folder / "cell.json").exists():
        return None
    with np.load(folder / "scores.npz") as arrays:
        return Cell(
            tuple(str(name) for name in arrays["concept_ids"]),
            arrays["validation"],
            arrays["test"],
            arrays.get("elsewhere"),
        )
