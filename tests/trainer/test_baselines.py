"""Baselines: what they learn, what they may look at, and what they do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgscreen.vocabulary import load_vocabulary
from tests.tiny_bundle import ENCODER, TRAIN_FOLD, VALIDATION_FOLD
from trainer.baselines import (
    SimClrObjective,
    SupervisedObjective,
    draw_labelled,
    fit_probe,
    random_encoder,
)
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, load_ptbxl
from trainer.metrics import auc
from trainer.splits import rows_of_folds
from trainer.steps import score_rows
from trainer.train import fit, training_rows

CONFIG = TrainConfig(
    train_folds=(TRAIN_FOLD,),
    validation_folds=(VALIDATION_FOLD,),
    epochs=4,
    batch_size=24,
    validate_every=0,
    encoder=ENCODER,
    device="cpu",
    precision="f32",
)


@pytest.fixture(scope="module")
def recordings(simulated_ptbxl: Path) -> LabelledRecordings:
    return load_ptbxl(
        [simulated_ptbxl], (TRAIN_FOLD, VALIDATION_FOLD), load_vocabulary(), CONFIG.preprocess
    )


def test_supervised_training_learns_the_training_recordings(
    recordings: LabelledRecordings,
) -> None:
    rows = training_rows(recordings, CONFIG)
    torch.manual_seed(0)
    objective = SupervisedObjective(recordings, rows, CONFIG)
    history = fit(objective, recordings, rows, CONFIG)
    scores = score_rows(objective, recordings, rows)
    assert scores.shape == (len(rows), len(objective.seen))
    assert history[-1].loss < 0.8 * history[0].loss


def test_supervised_loss_is_cross_entropy_over_statements(recordings: LabelledRecordings) -> None:
    rows = training_rows(recordings, CONFIG)
    objective = SupervisedObjective(recordings, rows, CONFIG)
    torch.nn.init.zeros_(objective.model.output.weight)
    torch.nn.init.zeros_(objective.model.output.bias)
    features = torch.randn(2, 2 * ENCODER.widths[-1])
    loss = objective.loss(features, rows[:2], np.random.default_rng(0))
    assert loss.item() == pytest.approx(len(objective.seen) * np.log(2), rel=1e-5)


def test_simclr_never_sees_a_label(recordings: LabelledRecordings) -> None:
    config = replace(CONFIG, epochs=1, view_weight=1.0, measurement_weight=0.0)
    rows = training_rows(recordings, config)
    without = replace(recordings, carried=np.zeros_like(recordings.carried))
    trained = []
    for labelled in (recordings, without):
        torch.manual_seed(0)
        objective = SimClrObjective(labelled, rows, config)
        fit(objective, labelled, rows, config)
        trained.append(objective.model.state_dict())
    assert all(torch.equal(trained[0][key], trained[1][key]) for key in trained[0])


def test_labelled_share_is_drawn_by_patient() -> None:
    patients = np.array([f"{k // 2}" for k in range(400)])
    rows = np.arange(100, 400)
    drawn = draw_labelled(patients, rows, 0.1, seed=3)
    assert len(drawn) == 30
    assert len(np.unique(patients[drawn])) == 15
    assert set(drawn) <= set(rows)
    assert not np.array_equal(drawn, draw_labelled(patients, rows, 0.1, seed=4))


def test_probe_tells_what_features_hold_and_nothing_it_was_not_shown(
    recordings: LabelledRecordings,
) -> None:
    # A concept that is just a lead's amplitude is linear enough for an untrained encoder.
    train = rows_of_folds(recordings.folds, [TRAIN_FOLD])
    test = rows_of_folds(recordings.folds, [VALIDATION_FOLD])
    loud = recordings.windows.std(axis=(1, 2))
    carried = np.zeros_like(recordings.carried)
    carried[:, 0] = loud > np.median(loud)
    labelled = replace(recordings, carried=carried)
    scores = fit_probe(random_encoder(ENCODER, 0), labelled, train, test).scores(labelled, test)
    assert (scores[:, 1:] == 0).all()
    positive = carried[test, 0]
    # Chance is 0.5; 36 against 36 recordings put its 99.9 % bound near 0.71.
    assert auc(scores[:, 0], positive) > 0.75
