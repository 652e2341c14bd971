"""Encoder and text side together, as they are trained."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecgscreen.text_head import TextHead
from trainer.encoder import EncoderConfig, ResNet1d

TEXT_HIDDEN = 256


class TextProjection(nn.Module):
    """Two layers from the frozen language model's space to the embedding space."""

    def __init__(self, text_size: int, embedding_size: int, hidden: int = TEXT_HIDDEN) -> None:
        super().__init__()
        self.layer_1 = nn.Linear(text_size, hidden)
        self.layer_2 = nn.Linear(hidden, embedding_size)

    @classmethod
    def from_text_head(cls, head: TextHead) -> TextProjection:
        """The projection of a bundle, to be trained further."""
        hidden, text_size = head.weight_1.shape
        projection = cls(text_size, len(head.bias_2), hidden)
        weights = {
            "layer_1.weight": head.weight_1,
            "layer_1.bias": head.bias_1,
            "layer_2.weight": head.weight_2,
            "layer_2.bias": head.bias_2,
        }
        projection.load_state_dict({key: torch.tensor(w) for key, w in weights.items()})
        return projection

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


class LinearTextProjection(nn.Module):
    """One matrix from the frozen language model's space to the embedding space (Li 2024)."""

    def __init__(self, text_size: int, embedding_size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(text_size, embedding_size)

    def forward(self, text: Tensor) -> Tensor:
        """(..., text_size) to unit vectors (..., D)."""
        return functional.normalize(self.layer(text).float(), dim=-1)

    def as_text_head(self) -> TextHead:
        """The same projection in the bundle's two layers: gelu(x) - gelu(-x) is x."""
        weight = self.layer.weight.detach().float().cpu().numpy().astype(np.float32)
        bias = self.layer.bias.detach().float().cpu().numpy().astype(np.float32)
        one = np.eye(len(bias), dtype=np.float32)
        return TextHead(
            np.concatenate([weight, -weight]),
            np.concatenate([bias, -bias]),
            np.concatenate([one, -one], axis=1),
            np.zeros(len(bias), dtype=np.float32),
        )


class EncoderModel(nn.Module):
    """Whatever is trained around an encoder."""

    def __init__(self, encoder: EncoderConfig) -> None:
        super().__init__()
        self.encoder = ResNet1d(encoder)


class EcgTextModel(EncoderModel):
    """Recordings and texts in one space, with the scale and bias of the loss.

    The start values of scale and bias are Zhai et al.'s (ICCV 2023) idea: most pairs are
    negatives, so the loss begins near what an untrained model can reach.

    Parameters
    ----------
    encoder
        The encoder's shape.
    text_size
        Numbers that the language model gives a text.
    text_head
        ``mlp`` or ``linear``.
    scale
        At the start; the inverse of the temperature.
    """

    def __init__(
        self,
        encoder: EncoderConfig,
        text_size: int,
        *,
        text_head: str = "mlp",
        scale: float = 10.0,
    ) -> None:
        super().__init__(encoder)
        head = LinearTextProjection if text_head == "linear" else TextProjection
        self.text: TextProjection | LinearTextProjection = head(text_size, encoder.embedding_size)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(-6.0))


class AveragedModel:
    """Exponential moving average of a model's weights and normalisation statistics.

    The decay grows from zero to its full value over the first steps (as in Tarvainen & Valpola,
    NeurIPS 2017), so that the random start is forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.state = {key: value.detach().clone() for key, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move a step towards the model."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for key, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)
