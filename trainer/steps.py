"""The state of a training run, and its single step."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgscreen.errors import DivergedError
from trainer import distributed
from trainer.augment import AugmentedBatch, augment
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.encoder import ResNet1d
from trainer.losses import feature_approximation_loss, view_loss
from trainer.measurements import MeasurementHead, measure
from trainer.model import AveragedModel
from trainer.objectives import Objective
from trainer.optimiser import optimiser_of

_MAX_GRADIENT_NORM = 5.0
_SCORE_BATCH = 128


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
    validation_auc
        Macro AUC of the averaged model on the validation folds, NaN where not measured.
    """

    number: int
    loss: float
    learning_rate: float
    validation_auc: float = float("nan")

    def to_dict(self) -> dict[str, float | None]:
        """As saved in JSON, which has no NaN: None says that there is no figure."""
        return {key: value if math.isfinite(value) else None for key, value in vars(self).items()}


class Steps:
    """Everything that changes while a model is trained.

    Parameters
    ----------
    objective, recordings, rows, config
        See `trainer.train.fit`.

    Attributes
    ----------
    epoch
        Epochs that are done.
    number
        Steps that are done, over all epochs.
    history
        An entry an epoch.
    """

    def __init__(
        self,
        objective: Objective,
        recordings: LabelledRecordings,
        rows: NDArray[np.intp],
        config: TrainConfig,
    ) -> None:
        self.objective, self.recordings, self.config = objective, recordings, config
        self._rows = rows
        self._device = distributed.own_device(config.device)
        own_seed = distributed.own_seed(config.seed)
        self._generator = torch.Generator().manual_seed(own_seed)
        self._rng = np.random.default_rng(config.seed)
        self._augment = config.augment
        if config.feature_weight:
            # The maps of two views are compared place by place.
            self._augment = replace(config.augment, max_shift_s=0.0)
        self._model = objective.model.to(self._device)
        self._side: MeasurementHead | None = None
        trained: list[nn.Module] = [self._model]
        if config.measurement_weight:
            self._measurements = measure(recordings, rows, config.preprocess.sampling_rate)
            # Principal components may differ in sign between machines.
            distributed.share([self._measurements.values, self._measurements.weights])
            self._side = MeasurementHead(
                2 * config.encoder.widths[-1], len(self._measurements.weights)
            ).to(self._device)
            trained.append(self._side)
        distributed.start_together(trained, config.seed)
        self._parameters = [p for module in trained for p in module.parameters()]
        self._averaged = AveragedModel(self._model, config.average_decay)
        self.steps_per_epoch = len(rows) // config.batch_size
        self._optimiser, self._schedule = optimiser_of(
            trained, config, config.epochs * self.steps_per_epoch
        )
        self.epoch = self.number = self._step = 0
        self._total = 0.0
        self._order = np.empty(0, dtype=np.intp)
        self.history: list[Epoch] = []

    @property
    def epoch_done(self) -> bool:
        """Whether every batch of the epoch has been seen."""
        return self._step == self.steps_per_epoch

    def begin_epoch(self) -> None:
        """Shuffle; nothing if the epoch was begun before the run was resumed."""
        self._model.train()
        if not self._step:
            n = self.steps_per_epoch * self.config.batch_size
            self._order = self._rng.permutation(self._rows)[:n]

    def take(self) -> float:
        """One step; returns its loss.

        Raises
        ------
        DivergedError
            If the loss or its gradient is not finite; the weights are those before the step.
        """
        first = self._step * self.config.batch_size
        batch = self._order[first : first + self.config.batch_size]
        loss = self._loss(distributed.own_part(batch))
        value = distributed.mean(loss.item())
        self._check_finite("loss", value)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own annotation is missing
        distributed.average_gradients(self._parameters)
        norm = nn.utils.clip_grad_norm_(self._model.parameters(), _MAX_GRADIENT_NORM)
        # Before the step: a checkpoint never holds weights that are no numbers.
        self._check_finite("gradient", norm.item())
        self._optimiser.step()
        if self._schedule is not None:
            self._schedule.step()
        self._averaged.update(self._model)
        self._step += 1
        self.number += 1
        self._total += value
        return value

    def end_epoch(self, validation_auc: float) -> Epoch:
        """Count the epoch."""
        self.epoch += 1
        rate = float(self._optimiser.param_groups[0]["lr"])
        done = Epoch(self.epoch, self._total / self.steps_per_epoch, rate, validation_auc)
        self.history.append(done)
        self._step, self._total = 0, 0.0
        return done

    def keep_averaged(self) -> None:
        """Put the averaged weights into the objective's model, on the CPU."""
        self._model.load_state_dict(self._averaged.state)
        self._model.cpu().eval()

    def averaged_scores(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Scores of the averaged model in float32, shape (len(rows), K); changes nothing."""
        current = {key: value.clone() for key, value in self._model.state_dict().items()}
        self._model.load_state_dict(self._averaged.state)
        scores = score_rows(self.objective, self.recordings, rows)
        self._model.load_state_dict(current)
        self._model.train()
        return scores

    def state(self) -> dict[str, Any]:
        """Tensors and plain values from which the run goes on exactly.

        All processes of a run have to ask for it, and each gets the same.
        """
        cuda = self._device.type == "cuda"
        return {
            "model": self._model.state_dict(),
            "side": self._side.state_dict() if self._side else {},
            "averaged": self._averaged.state,
            "averaged_steps": self._averaged.steps,
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict() if self._schedule else {},
            "order": torch.from_numpy(self._order),
            "torch_rng": distributed.of_all(torch.get_rng_state()),
            "cuda_rng": distributed.of_all(torch.cuda.get_rng_state(self._device)) if cuda else [],
            "generator": distributed.of_all(self._generator.get_state()),
            "numpy_rng": json.dumps(self._rng.bit_generator.state),
            "history": json.dumps([asdict(epoch) for epoch in self.history]),
            "place": [self.epoch, self.number, self._step],
            "total": self._total,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._model.load_state_dict(state["model"])
        if self._side:
            self._side.load_state_dict(state["side"])
        for key, value in state["averaged"].items():
            self._averaged.state[key].copy_(value)
        self._averaged.steps = state["averaged_steps"]
        self._optimiser.load_state_dict(state["optimiser"])
        if self._schedule:
            self._schedule.load_state_dict(state["schedule"])
        self._order = state["order"].numpy()
        own = distributed.rank()
        # Clones: a generator reads its state from where a tensor's memory begins, not a row's.
        torch.set_rng_state(state["torch_rng"][own].clone())
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_rng"][own].clone(), self._device)
        self._generator.set_state(state["generator"][own].clone())
        self._rng.bit_generator.state = json.loads(state["numpy_rng"])
        self.history = [Epoch(**entry) for entry in json.loads(state["history"])]
        self.epoch, self.number, self._step = state["place"]
        self._total = state["total"]

    def _check_finite(self, what: str, value: float) -> None:
        if math.isfinite(value):
            return
        rate = float(self._optimiser.param_groups[0]["lr"])
        raise DivergedError(
            f"epoch {self.epoch + 1}, step {self._step + 1} of {self.steps_per_epoch}: the {what} "
            f"is {value} at a learning rate of {rate:.2g}, so that nothing can be learned any more",
            f"Train again with --learning-rate {self.config.learning_rate / 10:.2g}, or with "
            "--precision f32; the last checkpoint is whole and stays until then.",
        )

    def _loss(self, rows: NDArray[np.intp]) -> Tensor:
        config, model = self.config, self._model
        views = [self._view(rows) for _ in range(2 if config.two_views else 1)]
        main: list[Tensor] = []
        maps, embeddings = [], []
        bf16 = config.precision == "bf16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=bf16):
            for view in views:
                maps.append(model.encoder.feature_maps(view.windows, view.lead_mask))
                features = model.encoder.dropout(model.encoder.pool(maps[-1][-1]))
                loss = self.objective.loss(features, rows, self._rng)
                if self._side:
                    target = self._measurements.values[rows].to(self._device)
                    weights = self._measurements.weights.to(self._device)
                    side = self._side.loss(features, view, target, weights)
                    loss = config.measurement_weight * side + loss
                main.append(loss)
                if config.view_weight:
                    embeddings.append(self.objective.view(features).float())
        total = torch.stack(main).mean()
        if config.view_weight:
            first, second = (distributed.gather(embedding) for embedding in embeddings)
            between = view_loss(first, second, config.view_temperature)
            total = total + config.view_weight * between
        if config.feature_weight:
            chosen = [[m[layer] for layer in config.feature_layers] for m in maps]
            total = total + config.feature_weight * feature_approximation_loss(*chosen)
        return total

    def _view(self, rows: NDArray[np.intp]) -> AugmentedBatch:
        batch = augment(
            torch.from_numpy(self.recordings.windows[rows]),
            torch.from_numpy(self.recordings.lead_mask[rows]),
            torch.from_numpy(self.recordings.amplitude_known[rows]),
            self.config.preprocess.sampling_rate,
            self._augment,
            self._generator,
        )
        return AugmentedBatch(
            windows=batch.windows.to(self._device),
            lead_mask=batch.lead_mask.to(self._device),
            in_millivolts=batch.in_millivolts.to(self._device),
        )


@torch.inference_mode()
def pooled_features(
    encoder: ResNet1d, recordings: LabelledRecordings, rows: NDArray[np.intp]
) -> Tensor:
    """Features in float32, shape (len(rows), 2 * width); leaves the encoder evaluating."""
    encoder.eval()
    device = encoder.head.weight.device
    parts = [
        encoder.features(
            torch.from_numpy(recordings.windows[part]).to(device),
            torch.from_numpy(recordings.lead_mask[part]).to(device),
        )
        for part in np.split(rows, range(_SCORE_BATCH, len(rows), _SCORE_BATCH))
    ]
    return torch.cat(parts)


@torch.inference_mode()
def score_rows(
    objective: Objective, recordings: LabelledRecordings, rows: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Scores of an objective's model in float32, shape (len(rows), K)."""
    objective.model.eval()
    features = pooled_features(objective.model.encoder, recordings, rows)
    scores: NDArray[np.float32] = objective.score(features).float().cpu().numpy()
    return scores
