"""A folder of recordings, and a screening of it that grows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ecgscreen.simulate import write_dataset
from tests.ecgscreen.nights.runs import N, Night


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve recordings, two of them faulty."""
    folder = tmp_path_factory.mktemp("in") / "records"
    write_dataset(folder, N, seed=3, sampling_rate=100.0, faults=2)
    return folder


@pytest.fixture
def records(tmp_path: Path, dataset: Path) -> Path:
    folder = tmp_path / "records"
    shutil.copytree(dataset, folder)
    return folder


@pytest.fixture
def night(bundle_dir: Path, records: Path, tmp_path: Path) -> Night:
    return Night(bundle_dir, records, tmp_path / "out")
