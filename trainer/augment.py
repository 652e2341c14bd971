"""What is done to a batch of windows so that the encoder learns hearts, not devices."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ecgscreen.recording import LEADS

LEAD_SUBSETS = (
    ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"),
    ("I", "II", "III", "aVR", "aVL", "aVF"),
    ("I", "II"),
    ("II", "V1"),
    ("I",),
    ("II",),
)
"""Of the devices that exist: independent leads, limb leads, two-lead recorders, one lead."""

_SUBSET_MASKS = torch.tensor([[lead in subset for lead in LEADS] for subset in LEAD_SUBSETS])


@dataclass(frozen=True)
class AugmentConfig:
    """How strongly windows are changed in training.

    Attributes
    ----------
    max_shift_s
        A window is shifted in time by up to this much, zeros come in: rhythm is not torn, as
        it is by turning a window around in a circle.
    standardise_probability
        Share of the recordings in mV whose leads are divided by their standard deviation, so
        that recordings of unknown amplitude are understood.
    gain_spread
        Standard deviation of the logarithm of a recording's gain; each lead has a third of it.
    max_noise
        White noise of up to this standard deviation, in units of the input.
    lead_dropout_probability
        Share of the recordings that lose leads.
    max_lead_dropout
        Those lose each lead with up to this probability.
    lead_subset_probability
        Share of the recordings that keep only the leads of one of `LEAD_SUBSETS`, so that one
        model serves devices with fewer leads.
    """

    max_shift_s: float = 1.25
    standardise_probability: float = 0.3
    gain_spread: float = 0.15
    max_noise: float = 0.1
    lead_dropout_probability: float = 0.5
    max_lead_dropout: float = 0.5
    lead_subset_probability: float = 0.15


@dataclass(frozen=True)
class AugmentedBatch:
    """What the encoder sees of a batch.

    Attributes
    ----------
    windows
        float32, shape (N, 12, n_samples).
    lead_mask
        bool, shape (N, 12); every recording keeps one lead at least.
    in_millivolts
        bool, shape (N,): amplitude still means something.
    """

    windows: Tensor
    lead_mask: Tensor
    in_millivolts: Tensor


def augment(
    windows: Tensor,
    lead_mask: Tensor,
    amplitude_known: Tensor,
    sampling_rate: float,
    config: AugmentConfig,
    generator: torch.Generator,
) -> AugmentedBatch:
    """Change a batch at random.

    Parameters
    ----------
    windows
        float32, shape (N, 12, n_samples); not altered.
    lead_mask
        bool, shape (N, 12).
    amplitude_known
        bool, shape (N,).
    sampling_rate
        Of the windows, in Hz.
    config
        How strongly.
    generator
        The only source of randomness.
    """
    n, n_leads, _ = windows.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    x = _shift(windows, round(config.max_shift_s * sampling_rate), generator)
    standardised = (uniform(n) < config.standardise_probability) & amplitude_known
    deviation = x.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=1e-6)
    x = torch.where(standardised[:, None, None], x / deviation, x)
    spread = torch.randn((n, 1, 1), generator=generator) + (
        torch.randn((n, n_leads, 1), generator=generator) / 3
    )
    x = x * torch.exp(config.gain_spread * spread)
    x = x + torch.randn(x.shape, generator=generator) * (uniform(n, 1, 1) * config.max_noise)
    loses = uniform(n, 1) < config.lead_dropout_probability
    lost = loses & (uniform(n, n_leads) < uniform(n, 1) * config.max_lead_dropout)
    narrowed = uniform(n, 1) < config.lead_subset_probability
    subset = torch.randint(len(LEAD_SUBSETS), (n,), generator=generator)
    kept = lead_mask & torch.where(narrowed, _SUBSET_MASKS[subset], ~lost)
    return AugmentedBatch(
        windows=x,
        lead_mask=torch.where(kept.any(dim=1, keepdim=True), kept, lead_mask),
        in_millivolts=amplitude_known & ~standardised,
    )


def _shift(windows: Tensor, max_shift: int, generator: torch.Generator) -> Tensor:
    n, n_leads, n_samples = windows.shape
    shift = torch.randint(-max_shift, max_shift + 1, (n, 1), generator=generator)
    source = torch.arange(n_samples) + shift
    inside = (source >= 0) & (source < n_samples)
    source = source.clamp(0, n_samples - 1)[:, None].expand(-1, n_leads, -1)
    return torch.gather(windows, 2, source) * inside[:, None]
