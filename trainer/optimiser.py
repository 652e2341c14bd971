"""How weights move: AdamW on one cycle of the learning rate, or Adam as in the paper."""

from __future__ import annotations

import torch
from torch import nn

from trainer.config import TrainConfig

_WARM_UP = 0.2


def optimiser_of(
    modules: list[nn.Module], config: TrainConfig, total_steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.OneCycleLR | None]:
    """The optimiser of a training, and the schedule of its learning rate, if it has one.

    Parameters
    ----------
    modules
        Everything that is trained.
    config
        ``adamw`` with one-cycle learning rate, or ``adam`` with a constant one.
    total_steps
        Of the whole training.
    """
    if config.optimiser == "adam":
        parameters = [p for module in modules for p in module.parameters()]
        adam = torch.optim.Adam(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay
        )
        return adam, None
    adamw = torch.optim.AdamW(
        _parameter_groups(modules, config.weight_decay), lr=config.learning_rate
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        adamw, max_lr=config.learning_rate, total_steps=total_steps, pct_start=_WARM_UP
    )
    return adamw, schedule


def _parameter_groups(modules: list[nn.Module], weight_decay: float) -> list[dict[str, object]]:
    parameters = [p for module in modules for p in module.parameters()]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        # Shrinking a normalisation's gain or a bias towards zero helps nobody.
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
