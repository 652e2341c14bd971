"""The objectives against examples computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from trainer.losses import clip_loss, feature_approximation_loss, view_loss


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
