"""The ECG encoder: a one-dimensional ResNet-18."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecgscreen.recording import LEADS


@dataclass(frozen=True)
class EncoderConfig:
    """The encoder's shape.

    Attributes
    ----------
    widths
        Channels of the four stages.
    blocks
        Residual blocks a stage; (2, 2, 2, 2) makes it an 18-layer network.
    kernel_size
        Of the convolutions inside the blocks.
    stem_kernel_size
        Of the first convolution.
    embedding_size
        D, the length of the unit vector that comes out.
    dropout
        Before the last linear layer, in training.
    """

    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)
    kernel_size: int = 3
    stem_kernel_size: int = 15
    embedding_size: int = 128
    dropout: float = 0.2

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EncoderConfig:
        """Read what ``vars`` gave; lists become tuples, an unknown key raises TypeError."""
        shapes: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**shapes)


class BasicBlock(nn.Module):
    """Two convolutions and a short cut (He et al., CVPR 2016, figure 2), in one dimension."""

    def __init__(self, width_in: int, width: int, stride: int, kernel_size: int) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.conv1 = nn.Conv1d(width_in, width, kernel_size, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, kernel_size, 1, padding, bias=False)
        self.bn2 = nn.BatchNorm1d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or width_in != width:
            self.shortcut = nn.Sequential(
                nn.Conv1d(width_in, width, 1, stride, bias=False), nn.BatchNorm1d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, width_in, L) to (N, width, L / stride)."""
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return functional.relu(out + self.shortcut(x))


class ResNet1d(nn.Module):
    """ResNet1d-18 over twelve leads, ending in a unit vector.

    Average and maximum over time are both kept: a rhythm is everywhere in a window, a single
    premature beat is not.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.widths[0]
        self.stem = nn.Sequential(
            nn.Conv1d(
                len(LEADS),
                width,
                config.stem_kernel_size,
                stride=2,
                padding=config.stem_kernel_size // 2,
                bias=False,
            ),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.MaxPool1d(3, stride=2, padding=1),
        )
        stages: list[nn.Module] = []
        for stage, (stage_width, depth) in enumerate(
            zip(config.widths, config.blocks, strict=True)
        ):
            layers = []
            for block in range(depth):
                stride = 2 if block == 0 and stage > 0 else 1
                layers.append(BasicBlock(width, stage_width, stride, config.kernel_size))
                width = stage_width
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * width, config.embedding_size)

    def features(self, windows: Tensor, lead_mask: Tensor) -> Tensor:
        """Pooled features.

        Parameters
        ----------
        windows
            float, shape (N, 12, n_samples).
        lead_mask
            float or bool, shape (N, 12); a lead that is 0 here does not count.

        Returns
        -------
        shape (N, 2 * widths[-1]): averages, then maxima over time.
        """
        return self.pool(self.feature_maps(windows, lead_mask)[-1])

    def feature_maps(self, windows: Tensor, lead_mask: Tensor) -> list[Tensor]:
        """What the stem and each of the four stages give, in this order.

        Parameters
        ----------
        windows, lead_mask
            See `features`.

        Returns
        -------
        Five maps, shape (N, channels, length); of 1000 samples the stem leaves 250 places.
        """
        maps = [self.stem(windows * lead_mask.to(windows.dtype).unsqueeze(-1))]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps

    @staticmethod
    def pool(last_map: Tensor) -> Tensor:
        """Averages, then maxima over time: (N, channels, length) to (N, 2 * channels)."""
        return torch.cat([last_map.mean(dim=-1), last_map.amax(dim=-1)], dim=1)

    def forward(self, windows: Tensor, lead_mask: Tensor) -> Tensor:
        """Unit vectors, shape (N, D); see `features` for the arguments."""
        embedding = self.head(self.dropout(self.features(windows, lead_mask)))
        return functional.normalize(embedding.float(), dim=-1)
