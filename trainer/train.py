"""The training loop, readable from top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ecgscreen.errors import UsageError
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.vocabulary import Vocabulary
from trainer.augment import augment
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.losses import statement_loss
from trainer.measurements import MeasurementHead, measure
from trainer.model import AveragedModel, EcgTextModel
from trainer.splits import check_patients_disjoint, rows_of_folds

_WARM_UP = 0.2
_MAX_GRADIENT_NORM = 5.0


@dataclass(frozen=True)
class Epoch:
    """What is known after a pass over the training recordings.

    Attributes
    ----------
    number
        From 1.
    loss
        Mean over the steps.
    learning_rate
        At its end.
    """

    number: int
    loss: float
    learning_rate: float


@dataclass(frozen=True)
class TrainedModel:
    """The averaged model and the statements that it was trained on.

    Attributes
    ----------
    model
        In evaluation mode.
    seen
        Concept ids with at least one positive among the training recordings.
    text_encoder
        The frozen language model that gave the texts.
    history
        An entry an epoch.
    """

    model: EcgTextModel
    seen: tuple[str, ...]
    text_encoder: TextEncoder
    history: tuple[Epoch, ...]


def train(
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    config: TrainConfig,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
) -> TrainedModel:
    """Train an encoder against the wordings of the statements that recordings carry.

    Parameters
    ----------
    recordings
        Of all folds that the configuration names.
    vocabulary
        Gives the wordings: a statement's text is drawn anew from them at every step.
    config
        See `TrainConfig`.
    on_epoch
        Called after each epoch.

    Raises
    ------
    UsageError
        If the training folds hold fewer recordings than one batch.
    PatientLeakError
        If a patient is on both sides of the split.
    """
    rows = rows_of_folds(recordings.folds, config.train_folds)
    check_patients_disjoint(
        recordings.patients, rows, rows_of_folds(recordings.folds, config.validation_folds)
    )
    steps_per_epoch = len(rows) // config.batch_size
    if not steps_per_epoch:
        raise UsageError(
            f"{len(rows)} training recordings, less than a batch of {config.batch_size}",
            "give more recordings or a smaller batch",
        )
    torch.manual_seed(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)

    seen_columns = np.flatnonzero(recordings.carried[rows].any(axis=0))
    seen = tuple(recordings.concept_ids[k] for k in seen_columns)
    carried = torch.from_numpy(recordings.carried[:, seen_columns].astype(np.float32))
    weight = _statement_weights(carried[rows], config.rarity_power)
    measurements = measure(recordings, rows, config.preprocess.sampling_rate)
    text_encoder = TextEncoder(config.text_encoder)
    wordings = [
        torch.from_numpy(text_encoder.embed(vocabulary.by_id[concept].wordings)) for concept in seen
    ]

    model = EcgTextModel(config.encoder, wordings[0].shape[1])
    side = MeasurementHead(2 * config.encoder.widths[-1], len(measurements.weights))
    averaged = AveragedModel(model, config.average_decay)
    optimiser = torch.optim.AdamW(
        _parameter_groups([model, side], config.weight_decay), lr=config.learning_rate
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=config.learning_rate,
        total_steps=config.epochs * steps_per_epoch,
        pct_start=_WARM_UP,
    )
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16")
    history = []
    for number in range(1, config.epochs + 1):
        model.train()
        total = 0.0
        order = rng.permutation(rows)[: steps_per_epoch * config.batch_size]
        for batch in order.reshape(steps_per_epoch, config.batch_size):
            seen_batch = augment(
                torch.from_numpy(recordings.windows[batch]),
                torch.from_numpy(recordings.lead_mask[batch]),
                torch.from_numpy(recordings.amplitude_known[batch]),
                config.preprocess.sampling_rate,
                config.augment,
                generator,
            )
            texts = torch.stack([w[rng.integers(len(w))] for w in wordings])
            with autocast:
                features = model.encoder.dropout(
                    model.encoder.features(seen_batch.windows, seen_batch.lead_mask)
                )
                embedding = functional.normalize(model.encoder.head(features).float(), dim=-1)
                similarity = embedding @ model.text(texts).T
                side_loss = side.loss(
                    features, seen_batch, measurements.values[batch], measurements.weights
                )
            loss = config.measurement_weight * side_loss + statement_loss(
                similarity.float(), carried[batch], model.log_scale.exp(), model.bias, weight
            )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own annotation is missing
            nn.utils.clip_grad_norm_(model.parameters(), _MAX_GRADIENT_NORM)
            optimiser.step()
            schedule.step()
            averaged.update(model)
            total += loss.item()
        history.append(Epoch(number, total / steps_per_epoch, float(schedule.get_last_lr()[0])))
        on_epoch(history[-1])
    model.load_state_dict(averaged.state)
    return TrainedModel(model.eval(), seen, text_encoder, tuple(history))


def _parameter_groups(modules: list[nn.Module], weight_decay: float) -> list[dict[str, object]]:
    parameters = [p for module in modules for p in module.parameters()]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        # Shrinking a normalisation's gain or a bias towards zero helps nobody.
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _statement_weights(carried: Tensor, power: float) -> Tensor:
    frequency = carried.mean(dim=0)
    weight: Tensor = (frequency.mean() / frequency).clamp(max=100.0) ** power
    return weight
