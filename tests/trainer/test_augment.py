"""Augmentation changes what a device may change, reproducibly, and loses no recording."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ecgscreen.recording import LEADS
from trainer.augment import LEAD_SUBSETS, AugmentConfig, AugmentedBatch, augment

N, LENGTH, RATE = 64, 1000, 100.0
NOTHING = AugmentConfig(
    max_shift_s=0.0,
    standardise_probability=0.0,
    gain_spread=0.0,
    max_noise=0.0,
    lead_dropout_probability=0.0,
    lead_subset_probability=0.0,
)


@pytest.fixture(scope="module")
def windows() -> Tensor:
    return 3 * torch.randn((N, 12, LENGTH), generator=torch.Generator().manual_seed(1))


def run(
    windows: Tensor, config: AugmentConfig, *, seed: int = 5, known: bool = True
) -> AugmentedBatch:
    mask = torch.ones((N, 12), dtype=torch.bool)
    mask[: N // 2, 3:] = False
    generator = torch.Generator().manual_seed(seed)
    return augment(windows, mask, torch.full((N,), known), RATE, config, generator)


def test_shapes_and_kinds_are_kept(windows: Tensor) -> None:
    batch = run(windows, AugmentConfig())
    assert batch.windows.shape == windows.shape
    assert batch.windows.dtype == torch.float32
    assert batch.windows.isfinite().all()
    assert (batch.lead_mask.shape, batch.lead_mask.dtype) == ((N, 12), torch.bool)
    assert (batch.in_millivolts.shape, batch.in_millivolts.dtype) == ((N,), torch.bool)


def test_the_generator_is_the_only_chance(windows: Tensor) -> None:
    before = windows.clone()
    torch.manual_seed(1)
    first = run(windows, AugmentConfig())
    torch.manual_seed(2)
    second = run(windows, AugmentConfig())
    other = run(windows, AugmentConfig(), seed=6)
    assert torch.equal(first.windows, second.windows)
    assert torch.equal(first.lead_mask, second.lead_mask)
    assert torch.equal(first.in_millivolts, second.in_millivolts)
    assert not torch.equal(first.windows, other.windows)
    assert torch.equal(windows, before)


def test_nothing_is_nothing(windows: Tensor) -> None:
    batch = run(windows, NOTHING)
    assert torch.equal(batch.windows, windows)
    assert batch.lead_mask.sum() == N // 2 * 3 + N // 2 * 12
    assert batch.in_millivolts.all()


def test_a_lead_is_always_left(windows: Tensor) -> None:
    config = replace(NOTHING, lead_dropout_probability=1.0, max_lead_dropout=1.0)
    for seed in range(20):
        mask = run(windows, config, seed=seed).lead_mask
        assert mask.any(dim=1).all()
        assert not mask[: N // 2, 3:].any()  # what was missing does not come back
        assert mask.sum() < N // 2 * 15
    usual = run(windows, replace(NOTHING, lead_dropout_probability=0.5)).lead_mask
    untouched = (usual[N // 2 :].sum(dim=1) == 12).float().mean()
    assert 0.3 < untouched < 0.8


def test_windows_are_shifted_and_zeros_come_in(windows: Tensor) -> None:
    shifted = run(windows, replace(NOTHING, max_shift_s=1.25)).windows
    most = 125
    offsets = set()
    for before, after in zip(windows, shifted, strict=True):
        offset = next(
            k
            for k in range(-most, most + 1)
            if torch.equal(after[:, most:-most], before[:, most + k : LENGTH - most + k])
        )
        offsets.add(offset)
        # All leads move together, and nothing comes in at the other end.
        gone = after[:, LENGTH - offset :] if offset > 0 else after[:, : max(-offset, 0)]
        assert not gone.any()
    assert len(offsets) > 20
    assert min(offsets) < -60
    assert max(offsets) > 60


def test_gain_is_one_number_a_lead(windows: Tensor) -> None:
    ratio = run(windows, replace(NOTHING, gain_spread=0.15)).windows / windows
    assert torch.allclose(ratio, ratio[..., :1].expand_as(ratio), rtol=1e-4)
    assert (ratio > 0).all()
    gains = ratio[..., 0].log()
    assert gains.std() == pytest.approx(0.15 * (1 + 1 / 9) ** 0.5, rel=0.25)
    assert gains.std(dim=1).mean() == pytest.approx(0.05, rel=0.25)


def test_some_lose_their_amplitude_and_it_is_said(windows: Tensor) -> None:
    config = replace(NOTHING, standardise_probability=0.5)
    batch = run(windows, config)
    lost = ~batch.in_millivolts
    assert 0.25 < lost.float().mean() < 0.75
    assert torch.allclose(batch.windows[lost].square().mean(dim=-1), torch.ones(()), atol=1e-3)
    assert torch.equal(batch.windows[~lost], windows[~lost])
    # An amplitude that was never known is neither lost nor known.
    unknown = run(windows, config, known=False)
    assert not unknown.in_millivolts.any()
    assert torch.equal(unknown.windows, windows)


def test_noise_is_white_and_bounded(windows: Tensor) -> None:
    noise = run(windows, replace(NOTHING, max_noise=0.1)).windows - windows
    deviation = noise.std(dim=(1, 2))
    assert deviation.max() < 0.105
    assert deviation.max() > 2 * deviation.median() * 0.7
    assert noise.mean().abs() < 1e-3


def test_an_empty_lead_stays_finite(windows: Tensor) -> None:
    empty = windows.clone()
    empty[:, 4] = 0
    batch = run(empty, replace(AugmentConfig(), standardise_probability=1.0))
    assert batch.windows.isfinite().all()
    assert batch.windows[:, 4].abs().max() < 2


def test_narrowed_recordings_keep_the_leads_of_a_device(windows: Tensor) -> None:
    batch = run(windows, replace(NOTHING, lead_subset_probability=1.0))
    subsets = {tuple(lead in subset for lead in LEADS) for subset in LEAD_SUBSETS}
    full = {tuple(row) for row in batch.lead_mask[N // 2 :].tolist()}
    assert full <= subsets
    assert len(full) > 3
    # The first half has I, II and III only: of a device without any of them it keeps what it had.
    assert batch.lead_mask[: N // 2].any(dim=1).all()
    assert not batch.lead_mask[: N // 2, 3:].any()
