"""Fixtures of the benchmarks' tests: simulated recordings in folds 1, 8 and 9, a tiny recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.prompted import default_config
from ecgscreen.vocabulary import load_vocabulary
from tests.tiny_bundle import ENCODER
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, load_ptbxl


@pytest.fixture(scope="session")
def recordings(simulated_ptbxl: Path) -> LabelledRecordings:
    """Not to be written to."""
    loaded = load_ptbxl(
        [simulated_ptbxl], range(1, 10), load_vocabulary(), default_config(1, 0).preprocess
    )
    # The simulated set has two folds: one trains, the other is both validation and test.
    loaded.folds[loaded.folds == 2] = np.array([8, 9] * 36)
    return loaded


@pytest.fixture(scope="session")
def tiny_config(language_model: Path) -> TrainConfig:
    """An epoch of the default recipe with a narrow encoder and a small language model."""
    return replace(
        default_config(1, 0),
        encoder=ENCODER,
        batch_size=32,
        text_encoder=str(language_model),
        validate_every=0,
    )
