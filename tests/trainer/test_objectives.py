"""Losses against examples computed by hand, and the objectives that are made of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ecgscreen.vocabulary import load_vocabulary
from tests.tiny_bundle import ENCODER, TRAIN_FOLD
from trainer.augment import AugmentConfig
from trainer.baselines import SimClrObjective
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.encoder import ResNet1d
from trainer.losses import clip_loss, feature_approximation_loss, view_loss
from trainer.objectives import (
    ClipObjective,
    StatementObjective,
    report_texts,
    statement_weights,
)
from trainer.reports import to_english
from trainer.splits import rows_of_folds
from trainer.steps import Steps

VOCABULARY = load_vocabulary()
QUIET = AugmentConfig(
    max_shift_s=1.0,
    standardise_probability=0.0,
    gain_spread=0.0,
    max_noise=0.0,
    lead_dropout_probability=0.0,
)


def test_clip_loss_of_two_pairs() -> None:
    signal = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    text = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    # Scaled by 2 the cosines are [[2, 1.2], [0, 1.6]].
    by_row = math.log1p(math.exp(-0.8)) + math.log1p(math.exp(-1.6))
    by_column = math.log1p(math.exp(-2.0)) + math.log1p(math.exp(-0.4))
    expected = (by_row / 2 + by_column / 2) / 2
    assert clip_loss(signal, text, torch.tensor(2.0)).item() == pytest.approx(expected)


def test_clip_loss_of_unrelated_pairs_is_the_logarithm_of_their_number() -> None:
    same = torch.ones(8, 4) / 2
    assert clip_loss(same, same, torch.tensor(14.0)).item() == pytest.approx(math.log(8))


def test_view_loss_of_two_recordings() -> None:
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # Each view sees its own other view at cosine 1 and two strangers at 0; t = 0.5.
    expected = math.log(math.exp(2.0) + 2.0) - 2.0
    assert view_loss(first, second, 0.5).item() == pytest.approx(expected)


def test_a_view_is_not_its_own_positive() -> None:
    first, second = torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]])
    assert view_loss(first, second, 0.1).item() == pytest.approx(0.0)


def test_feature_approximation_averages_layers_and_places() -> None:
    one_layer = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])  # 1 recording, 2 channels, 2 places
    turned = torch.tensor([[[5.0, 0.0], [0.0, 2.0]]])  # cosines 1 and 0
    assert feature_approximation_loss([one_layer], [turned]).item() == pytest.approx(0.5)
    both = feature_approximation_loss([one_layer, one_layer], [turned, 3 * one_layer])
    assert both.item() == pytest.approx(0.25)


@pytest.fixture(scope="module")
def config(config: TrainConfig) -> TrainConfig:
    return replace(
        config,
        epochs=1,
        batch_size=8,
        measurement_weight=0.0,
        encoder=replace(ENCODER, dropout=0.0),
        precision="f32",
    )


def test_a_recording_without_report_is_told_by_its_statements(
    recordings: LabelledRecordings,
) -> None:
    n = len(recordings.windows)
    reports = ("sinusrhythmus. linkstyp", "unbestaetigter bericht", *[""] * (n - 2))
    texts = report_texts(replace(recordings, reports=reports), VOCABULARY)
    assert texts[0] == "Sinus rhythm. Left axis."
    carried = {
        recordings.concept_ids[k] for k in np.flatnonzero(recordings.carried[1])
    }  # superclasses too, which no report names
    named = {VOCABULARY.by_id[i].name for i in carried if VOCABULARY.by_id[i].kind == "statement"}
    assert set(texts[1].split(", ")) == named
    assert named


def test_clip_objective_pairs_each_recording_with_its_own_report(
    recordings: LabelledRecordings, config: TrainConfig
) -> None:
    reports = tuple(f"Sinus rhythm, rate {k}." for k in range(len(recordings.windows)))
    with_reports = replace(recordings, reports=reports)
    clip = replace(config, objective="clip", prompt="The report of the ECG is that {text}")
    rows = rows_of_folds(recordings.folds, [TRAIN_FOLD])
    objective = ClipObjective(with_reports, rows, VOCABULARY, clip)
    batch = rows[[5, 2, 9]]
    features = torch.randn(3, 2 * ENCODER.widths[-1])
    texts = objective.text_encoder.embed(
        [f"The report of the ECG is that {to_english(reports[row])}" for row in batch]
    )
    with torch.no_grad():
        found = objective.loss(features, batch, np.random.default_rng(0))
        text = objective.model.text(torch.from_numpy(texts))
        expected = clip_loss(objective.view(features), text, torch.tensor(1 / 0.07))
    assert len({to_english(reports[row]) for row in batch}) == 3
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_feature_maps_are_the_way_to_the_features() -> None:
    encoder = ResNet1d(ENCODER).eval()
    windows, mask = torch.randn(2, 12, 1000), torch.ones(2, 12)
    with torch.no_grad():
        maps = encoder.feature_maps(windows, mask)
        assert torch.equal(encoder.pool(maps[-1]), encoder.features(windows, mask))
    assert [m.shape[1] for m in maps] == [8, *ENCODER.widths]
    assert [m.shape[2] for m in maps] == [250, 250, 125, 63, 32]


@pytest.mark.parametrize(("weight", "equal"), [(0.0, False), (1.0, True)])
def test_views_are_aligned_in_time_where_their_maps_are_compared(
    recordings: LabelledRecordings, config: TrainConfig, weight: float, *, equal: bool
) -> None:
    # A shift is all that this augmentation does; without it both views are the recording.
    options = replace(config, augment=QUIET, view_weight=1.0, feature_weight=weight)
    rows = rows_of_folds(recordings.folds, [TRAIN_FOLD])
    steps = Steps(SimClrObjective(recordings, rows, options), recordings, rows, options)
    first, second = steps._view(rows[:8]), steps._view(rows[:8])
    assert torch.equal(first.windows, second.windows) is equal


def test_signs_are_statements_that_count_where_they_are_known(
    recordings: LabelledRecordings, config: TrainConfig
) -> None:
    rows = rows_of_folds(recordings.folds, [TRAIN_FOLD])
    plain, signed, half = (
        StatementObjective(recordings, rows, VOCABULARY, replace(config, sign_weight=weight))
        for weight in (0.0, 1.0, 0.5)
    )
    for objective in (signed, half):
        objective.model.load_state_dict(plain.model.state_dict())
    batch = rows[[5, 2, 9]]
    features = torch.randn(3, 2 * ENCODER.widths[-1])

    def loss(objective: StatementObjective, which: NDArray[np.intp] = batch) -> float:
        with torch.no_grad():
            return objective.loss(features, which, np.random.default_rng(0)).item()

    added = loss(signed) - loss(plain)
    assert added > 0
    assert loss(half) - loss(plain) == pytest.approx(added / 2, rel=1e-4)

    # A recording that lacks a lead shows no sign, and counts for its statements alone.
    mask = recordings.lead_mask.copy()
    mask[batch, 0] = False
    unknown = StatementObjective(
        replace(recordings, lead_mask=mask), rows, VOCABULARY, replace(config, sign_weight=1.0)
    )
    unknown.model.load_state_dict(plain.model.state_dict())
    assert loss(unknown) == pytest.approx(loss(plain), rel=1e-5)


def test_weights_are_finite_where_nothing_is_carried() -> None:
    assert torch.equal(statement_weights(torch.zeros(4, 3), 0.5), torch.ones(3))
    some = statement_weights(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), 0.5)
    torch.testing.assert_close(some, torch.tensor([0.5**0.5, 10.0]))
