"""The loss of statements against its formula, and how the model is put together."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from trainer.encoder import EncoderConfig, ResNet1d
from trainer.losses import statement_loss
from trainer.model import AveragedModel, EcgTextModel, LinearTextProjection, TextProjection

TINY = EncoderConfig(widths=(8, 8, 16, 16), blocks=(1, 1, 1, 1), embedding_size=16)


def test_statement_loss_by_hand() -> None:
    similarity = [[0.9, -0.2, 0.1], [0.3, 0.5, -0.4]]
    carried = [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    weight = [1.0, 2.0, 0.5]
    scale, bias = 10.0, -6.0
    expected = 0.0
    for s_row, t_row in zip(similarity, carried, strict=True):
        for s, t, w in zip(s_row, t_row, weight, strict=True):
            sign = 2 * t - 1
            expected -= w * math.log(1 / (1 + math.exp(-sign * (scale * s + bias)))) / 2
    found = statement_loss(
        torch.tensor(similarity),
        torch.tensor(carried),
        torch.tensor(scale),
        torch.tensor(bias),
        torch.tensor(weight),
    )
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_a_mixture_lies_between() -> None:
    similarity, one = torch.tensor([[0.4]]), torch.ones(1)
    scale, bias = torch.tensor(5.0), torch.tensor(-1.0)
    losses = [
        statement_loss(similarity, torch.tensor([[t]]), scale, bias, one).item()
        for t in (0.0, 0.25, 1.0)
    ]
    assert losses[1] == pytest.approx(0.75 * losses[0] + 0.25 * losses[2], rel=1e-5)


def test_large_logits_do_not_overflow() -> None:
    similarity = torch.tensor([[1.0, -1.0]], requires_grad=True)
    loss = statement_loss(
        similarity,
        torch.tensor([[0.0, 1.0]]),
        torch.tensor(500.0),
        torch.tensor(0.0),
        torch.ones(2),
    )
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own annotation is missing
    assert loss.item() == pytest.approx(1000.0)
    assert similarity.grad is not None
    assert similarity.grad.isfinite().all()


@pytest.mark.parametrize("kind", [TextProjection, LinearTextProjection])
def test_the_bundles_projection_is_the_modules(
    kind: type[TextProjection | LinearTextProjection],
) -> None:
    torch.manual_seed(2)
    module = kind(48, 16)
    texts = torch.randn(30, 48)
    with torch.no_grad():
        expected = module(texts).numpy()
    found = module.as_text_head().project(texts.numpy())
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-5)


def test_the_loss_begins_near_that_of_knowing_how_rare_statements_are() -> None:
    torch.manual_seed(0)
    model = EcgTextModel(TINY, 48)
    carried = (torch.rand(200, 60) < 0.03).float()
    similarity = 0.1 * torch.randn(200, 60)
    scale, bias, weight = model.log_scale.exp(), model.bias, torch.ones(60)
    rare = statement_loss(similarity, carried, scale, bias, weight).item()
    even = statement_loss(similarity, carried, scale, torch.tensor(0.0), weight).item()
    assert rare < even / 4


def test_averaging_forgets_the_start_and_then_moves_slowly() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 100.0)
    averaged = AveragedModel(model, 0.998)
    nn.init.constant_(model.weight, 1.0)
    expected = 100.0
    for step in range(1, 41):
        averaged.update(model)
        decay = min(0.998, step / (step + 10))
        expected = decay * expected + (1 - decay)
    assert averaged.state["weight"].item() == pytest.approx(expected, rel=1e-4)
    assert averaged.state["weight"].item() == pytest.approx(1.0, abs=1e-3)
    assert model.weight.item() == 1.0


def test_whole_numbers_are_copied_not_averaged() -> None:
    model = ResNet1d(TINY)
    averaged = AveragedModel(model, 0.9)
    model.train()
    model(torch.randn(4, 12, 200), torch.ones(4, 12))
    averaged.update(model)
    counted = {k: v for k, v in averaged.state.items() if not v.is_floating_point()}
    assert counted
    assert all(v.item() == 1 for v in counted.values())


def test_the_encoder_gives_unit_vectors_and_masks_leads() -> None:
    torch.manual_seed(1)
    encoder = ResNet1d(TINY).eval()
    windows, mask = torch.randn(3, 12, 1000), torch.ones(3, 12)
    mask[1, 4:] = 0
    with torch.inference_mode():
        found = encoder(windows, mask)
        assert encoder.features(windows, mask).shape == (3, 32)
        other = windows.clone()
        other[1, 4:] = 7.0
        assert torch.equal(encoder(other, mask.bool()), encoder(windows, mask.bool()))
    assert found.shape == (3, 16)
    assert torch.allclose(found.norm(dim=1), torch.ones(3), atol=1e-5)


def test_the_default_encoder_has_eighteen_layers() -> None:
    with torch.device("meta"):
        modules = list(ResNet1d(EncoderConfig()).named_modules())
    layers = [
        name
        for name, module in modules
        if isinstance(module, nn.Conv1d | nn.Linear) and "shortcut" not in name
    ]
    assert len(layers) == 18
