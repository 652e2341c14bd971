"""What a figure has to be held against: supervised training, and encoders without labels.

All of them see the same recordings through the same augmentation, loop and moving average as
the objectives with text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.encoder import EncoderConfig, ResNet1d
from trainer.metrics import macro_auc, measurable
from trainer.model import EncoderModel
from trainer.objectives import Objective, carried_by
from trainer.steps import pooled_features

PROBE_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
"""L2 strengths of a linear probe; the validation folds choose."""
_PROBE_ITERATIONS = 100


class _Classifier(EncoderModel):
    def __init__(self, encoder: EncoderConfig, n_statements: int) -> None:
        super().__init__(encoder)
        self.output = nn.Linear(2 * encoder.widths[-1], n_statements)


class SupervisedObjective(Objective):
    """A ResNet1d-18 with an output for every statement and no text.

    Binary cross-entropy, summed over statements as in `trainer.losses.statement_loss`, all
    statements counting alike.
    """

    def __init__(
        self, recordings: LabelledRecordings, rows: NDArray[np.intp], config: TrainConfig
    ) -> None:
        super().__init__(recordings, rows)
        self._carried = carried_by(recordings, self.seen_columns)
        self.model: _Classifier = _Classifier(config.encoder, len(self.seen))

    def loss(self, features: Tensor, rows: NDArray[np.intp], rng: np.random.Generator) -> Tensor:
        """Binary cross-entropy; nothing is drawn."""
        del rng
        logits = self.model.output(features).float()
        target = self._carried[rows].to(logits.device)
        loss = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return loss.sum(dim=1).mean()

    def score(self, features: Tensor) -> Tensor:
        """Logits, shape (N, K)."""
        logits: Tensor = self.model.output(features)
        return logits


class _ViewModel(EncoderModel):
    def __init__(self, encoder: EncoderConfig) -> None:
        super().__init__(encoder)
        width = 2 * encoder.widths[-1]
        self.projection = nn.Sequential(
            nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, encoder.embedding_size)
        )


class SimClrObjective(Objective):
    """Two views of a recording, and no label at all (Chen et al., ICML 2020).

    All of the loss is the one between views: the configuration's ``view_weight`` must not be 0.
    It tells no statement; a linear probe on its features does.
    """

    def __init__(
        self, recordings: LabelledRecordings, rows: NDArray[np.intp], config: TrainConfig
    ) -> None:
        super().__init__(recordings, rows)
        self.seen, self.seen_columns = (), np.empty(0, dtype=np.intp)
        self.model: _ViewModel = _ViewModel(config.encoder)

    def loss(self, features: Tensor, rows: NDArray[np.intp], rng: np.random.Generator) -> Tensor:
        """Nothing: see `trainer.losses.view_loss`."""
        del rows, rng
        return features.new_zeros((), dtype=torch.float32)

    def score(self, features: Tensor) -> Tensor:
        """Nothing, shape (N, 0)."""
        return features.new_empty((len(features), 0))

    def view(self, features: Tensor) -> Tensor:
        """Unit vectors behind a projection of two layers, which is thrown away."""
        return functional.normalize(self.model.projection(features).float(), dim=-1)


def random_encoder(config: EncoderConfig, seed: int) -> ResNet1d:
    """An encoder as it is before training."""
    torch.manual_seed(seed)
    return ResNet1d(config).eval()


def draw_labelled(
    patients: NDArray[np.str_], rows: NDArray[np.intp], share: float, seed: int
) -> NDArray[np.intp]:
    """Draw the recordings whose labels are used, by patient.

    Parameters
    ----------
    patients
        Patient of each recording, shape (N,).
    rows
        Where to draw from.
    share
        Of these, in 0..1; patients are drawn until it is reached.
    seed
        Of the draw.

    Returns
    -------
    Row numbers in rising order.
    """
    names = np.unique(patients[rows])
    wanted = round(share * len(rows))
    rank = dict(zip(np.random.default_rng(seed).permutation(names), range(len(names)), strict=True))
    ranked = rows[np.argsort([rank[name] for name in patients[rows]], kind="stable")]
    return np.sort(ranked[:wanted])


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regressions on frozen, standardised features.

    Attributes
    ----------
    encoder
        Frozen.
    mean, spread
        Of the features of the training recordings, shape (F,).
    columns
        Concepts that it was fitted for, shape (K',).
    linear
        From F features to K' logits.
    penalty
        That the validation rows chose.
    """

    encoder: ResNet1d
    mean: Tensor
    spread: Tensor
    columns: NDArray[np.intp]
    linear: nn.Linear
    penalty: float

    def scores(self, recordings: LabelledRecordings, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Logits of all concepts, shape (len(rows), K); 0 for what it was not fitted for."""
        features = (pooled_features(self.encoder, recordings, rows) - self.mean) / self.spread
        scores = np.zeros((len(rows), len(recordings.concept_ids)), dtype=np.float32)
        with torch.inference_mode():
            scores[:, self.columns] = self.linear(features).numpy()
        return scores


def fit_probe(
    encoder: ResNet1d,
    recordings: LabelledRecordings,
    train_rows: NDArray[np.intp],
    validation_rows: NDArray[np.intp],
) -> LinearProbe:
    """Fit a logistic regression a concept on frozen features (Chen et al., ICML 2020, section 4).

    The L2 penalty is the one of `PROBE_PENALTIES` with the largest macro AUC on the validation
    rows, over the concepts with enough positives there.

    Parameters
    ----------
    encoder
        Frozen.
    recordings
        All of them.
    train_rows, validation_rows
        Fitted on, penalty chosen on. Concepts without both positives and negatives among the
        training rows are left out.
    """
    features = pooled_features(encoder, recordings, train_rows)
    mean, spread = features.mean(dim=0), features.std(dim=0) + 1e-6
    features = (features - mean) / spread
    carried = recordings.carried[train_rows]
    columns = np.flatnonzero(carried.any(axis=0) & ~carried.all(axis=0))
    target = torch.from_numpy(carried[:, columns].astype(np.float32))
    positive = recordings.carried[validation_rows]
    counted = np.flatnonzero(measurable(positive))
    probes = [
        LinearProbe(encoder, mean, spread, columns, _fit_linear(features, target, penalty), penalty)
        for penalty in PROBE_PENALTIES
    ]
    if not len(counted):
        return probes[0]
    return max(
        probes,
        key=lambda probe: macro_auc(
            probe.scores(recordings, validation_rows)[:, counted], positive[:, counted]
        ),
    )


def _fit_linear(features: Tensor, target: Tensor, penalty: float) -> nn.Linear:
    """Minimise mean cross-entropy a concept plus ``penalty / 2 * |w|^2``, from zero."""
    # A tensor made in inference mode cannot take part in a gradient.
    features = features.clone()
    probe = nn.Linear(features.shape[1], target.shape[1])
    nn.init.zeros_(probe.weight)
    nn.init.zeros_(probe.bias)
    optimiser = torch.optim.LBFGS(
        probe.parameters(), max_iter=_PROBE_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(
            probe(features), target, reduction="none"
        )
        value = loss.mean(dim=0).sum() + penalty / 2 * probe.weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]  # torch's own annotation is missing
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]  # as above
    return probe
