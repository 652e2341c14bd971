"""A short training, which several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.vocabulary import load_vocabulary
from tests.tiny_bundle import ENCODER, TRAIN_FOLD, VALIDATION_FOLD
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, load_ptbxl


@pytest.fixture(scope="session")
def config(language_model: Path) -> TrainConfig:
    """Two epochs of three steps each; a file that wants others replaces some of it."""
    return TrainConfig(
        train_folds=(TRAIN_FOLD,),
        validation_folds=(VALIDATION_FOLD,),
        epochs=2,
        batch_size=24,
        validate_every=0,
        text_encoder=str(language_model),
        encoder=ENCODER,
        device="cpu",
    )


@pytest.fixture(scope="session")
def recordings(simulated_ptbxl: Path) -> LabelledRecordings:
    """Of both folds."""
    folds = (TRAIN_FOLD, VALIDATION_FOLD)
    return load_ptbxl([simulated_ptbxl], folds, load_vocabulary(), PreprocessConfig())
