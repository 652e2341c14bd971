"""What a training run is made of: checked dataclasses, saved with every run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.text_encoder import PACKAGED
from ecgscreen.wording import counted
from trainer.augment import AugmentConfig
from trainer.encoder import EncoderConfig

N_MAPS = 5
_CHOICES = {
    "objective": ("statement", "clip"),
    "text_head": ("mlp", "linear"),
    "optimiser": ("adamw", "adam"),
    "precision": ("bf16", "f32"),
    "device": ("auto", "cpu", "cuda"),
    "labels_from": ("statements", "reports"),
}
PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # Li 2024, section on training; augmentation is ours, so that rows of a table compare.
    "paper": {
        "objective": "clip",
        "epochs": 50,
        "batch_size": 32,
        "learning_rate": 1e-3,
        "weight_decay": 1e-3,
        "optimiser": "adam",
        "average_decay": 0.0,
        "measurement_weight": 0.0,
        "text_head": "linear",
        "prompt": "The report of the ECG is that {text}",
        "temperature": 0.07,
    },
    # From good weights: a tenth of the learning rate, a quarter of the epochs, smaller batches
    # because a site has few recordings.
    "fine-tune": {"epochs": 10, "batch_size": 32, "learning_rate": 3e-4, "base_share": 0.5},
}


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes
    ----------
    train_folds, validation_folds
        Trained on; thresholds are learned on the validation folds, nothing else is.
    epochs
        Passes over the training recordings.
    batch_size
        Recordings a step.
    learning_rate
        The highest of the one-cycle schedule (Smith & Topin 2018).
    weight_decay
        Of AdamW (Loshchilov & Hutter, ICLR 2019), on matrices only.
    average_decay
        Of the moving average of the weights, which is what is exported.
    measurement_weight
        How much telling rate, shape, amplitude, age and sex counts (`trainer.measurements`).
    rarity_power
        A statement counts as its rarity to this power; 0: all alike.
    sign_weight
        How much a measured sign counts beside a statement (`trainer.signs`); of ``statement``.
    objective
        ``statement``: recordings against the wordings of their statements (the default);
        ``clip``: recordings against their own reports, as in the paper.
    view_weight
        How much telling a recording's two views from other recordings' counts (NT-Xent).
    view_temperature
        Of that loss.
    feature_weight
        How much the likeness of the two views' intermediate feature maps counts; views are
        not shifted in time where it is not 0.
    feature_layers
        Which maps: 0 is the stem, 1 to 4 are the stages.
    text_head
        ``mlp`` or ``linear``: from the language model's space to the embedding space.
    prompt
        How a wording is put to the language model; holds ``{text}``.
    temperature
        At the start, of ``clip``.
    optimiser
        ``adamw`` with one-cycle learning rate, or ``adam`` (Kingma & Ba, ICLR 2015) with a
        constant one and weight decay as a penalty on everything, as in the paper.
    validate_every
        Epochs between two measurements on the validation folds; 0 measures never.
    seed
        Of weights, order and augmentation.
    text_encoder
        The frozen language model.
    precision
        ``bf16`` runs the encoder under autocast; ``f32`` does not.
    device
        ``cpu``, ``cuda``, or ``auto``: CUDA where there is a device.
    base
        SHA-256 of the bundle whose weights are the start, empty: none.
    base_share
        Of its weights in those that are exported (`trainer.base.blend_with_base`); without a base
        it has to be 0.
    labels_from
        ``statements``: what the recordings were given; ``reports``: what their reports say.
    exclude_concepts
        Left out, so that they are unseen (`trainer.unseen`).
    """

    train_folds: tuple[int, ...]
    validation_folds: tuple[int, ...]
    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    average_decay: float = 0.998
    measurement_weight: float = 1.0
    rarity_power: float = 0.3
    sign_weight: float = 0.2
    objective: str = "statement"
    view_weight: float = 0.0
    view_temperature: float = 0.1
    feature_weight: float = 0.0
    feature_layers: tuple[int, ...] = (1, 2, 3, 4)
    text_head: str = "mlp"
    prompt: str = "{text}"
    temperature: float = 0.07
    optimiser: str = "adamw"
    validate_every: int = 5
    seed: int = 0
    text_encoder: str = PACKAGED
    precision: str = "bf16"
    device: str = "auto"
    base: str = ""
    base_share: float = 0.0
    labels_from: str = "statements"
    exclude_concepts: tuple[str, ...] = ()
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)

    def __post_init__(self) -> None:
        if both := set(self.train_folds) & set(self.validation_folds):
            raise UsageError(
                f"folds {sorted(both)} would be trained on and validated on",
                "Give folds that do not overlap.",
            )
        if self.epochs < 1 or self.batch_size < 2:
            raise UsageError(
                f"{counted(self.epochs, 'epoch')} in batches of {self.batch_size}",
                "Give at least 1 epoch and batches of at least 2.",
            )
        if not 0 <= self.base_share < 1 or (self.base_share and not self.base):
            raise UsageError(
                f"base share {self.base_share:g} {'of a base' if self.base else 'without a base'}",
                "Give 0, or with a base less than 1, where nothing of the training is left.",
            )
        for name, value in vars(self).items():
            if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{name.replace('_', ' ')} {value}", "Give a number, 0 or more.")
        if not self.learning_rate:
            raise UsageError("learning rate 0", "Nothing would be learned: give more than 0.")
        for name, allowed in _CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                raise UsageError(
                    f"{name.replace('_', ' ')} {value!r}", f"Choose {' or '.join(allowed)}."
                )
        if "{text}" not in self.prompt:
            raise UsageError(f"prompt {self.prompt!r}", "It has to hold {text}.")
        if not self.feature_layers or not set(self.feature_layers) <= set(range(N_MAPS)):
            raise UsageError(
                f"feature layers {list(self.feature_layers)}",
                f"Choose from 0 (stem) to {N_MAPS - 1} (last stage).",
            )

    @property
    def two_views(self) -> bool:
        """Whether every recording is seen twice a step."""
        return self.view_weight > 0 or self.feature_weight > 0

    def to_dict(self) -> dict[str, Any]:
        """As saved with the run."""
        return asdict(self)
