"""Encoder and text side together, as they are trained."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecgscreen.bundle import TextHead
from trainer.encoder import EncoderConfig, ResNet1d

TEXT_HIDDEN = 256


class TextProjection(nn.Module):
    """Two layers from the frozen language model's space to the embedding space."""

    def __init__(self, text_size: int, embedding_size: int) -> None:
        super().__init__()
        self.layer_1 = nn.Linear(text_size, TEXT_HIDDEN)
        self.layer_2 = nn.Linear(TEXT_HIDDEN, embedding_size)

    def forward(self, text: Tensor) -> Tensor:
        """(..., text_size) to unit vectors (..., D)."""
        hidden = functional.gelu(self.layer_1(text), approximate="tanh")
        return functional.normalize(self.layer_2(hidden).float(), dim=-1)

    def as_text_head(self) -> TextHead:
        """The same projection as numpy arrays, for the bundle."""
        return TextHead(
            *(
                parameter.detach().float().cpu().numpy().astype(np.float32)
                for parameter in (
                    self.layer_1.weight,
                    self.layer_1.bias,
                    self.layer_2.weight,
                    self.layer_2.bias,
                )
            )
        )


class EcgTextModel(nn.Module):
    """Recordings and statements in one space, with the scale and bias of the sigmoid loss.

    The start values of scale and bias are Zhai et al.'s (ICCV 2023) idea: most pairs are
    negatives, so the loss begins near what an untrained model can reach.
    """

    def __init__(self, encoder: EncoderConfig, text_size: int) -> None:
        super().__init__()
        self.encoder = ResNet1d(encoder)
        self.text = TextProjection(text_size, encoder.embedding_size)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.tensor(-6.0))


class AveragedModel:
    """Exponential moving average of a model's weights and normalisation statistics.

    The decay grows from zero to its full value over the first steps (as in Tarvainen & Valpola,
    NeurIPS 2017), so that the random start is forgotten.
    """

    def __init__(self, model: EcgTextModel, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.state = {key: value.detach().clone() for key, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: EcgTextModel) -> None:
        """Move a step towards the model."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)
