"""What a training run is made of: checked dataclasses, saved with every run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.text_encoder import PACKAGED
from trainer.augment import AugmentConfig
from trainer.encoder import EncoderConfig


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
    seed
        Of weights, order and augmentation.
    text_encoder
        The frozen language model.
    precision
        ``bf16`` runs the encoder under autocast; ``f32`` does not.
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
    seed: int = 0
    text_encoder: str = PACKAGED
    precision: str = "bf16"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)

    def __post_init__(self) -> None:
        if both := set(self.train_folds) & set(self.validation_folds):
            raise UsageError(
                f"folds {sorted(both)} would be trained on and validated on",
                "give folds that do not overlap",
            )
        if self.epochs < 1 or self.batch_size < 2:
            raise UsageError(
                f"{self.epochs} epochs in batches of {self.batch_size}",
                "expected at least 1 epoch and batches of at least 2",
            )
        if self.precision not in {"bf16", "f32"}:
            raise UsageError(f"precision {self.precision!r}", "choose bf16 or f32")

    def to_dict(self) -> dict[str, Any]:
        """As saved with the run."""
        return asdict(self)
