"""Fixtures of the edge's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgscreen.recording import Recording
from ecgscreen.simulate import simulate
from ecgscreen.simulate.settings import Rhythm, SimulationSettings


@pytest.fixture(scope="session")
def simulated() -> Recording:
    return simulate(SimulationSettings(Rhythm.SINUS, seed=8, duration_s=6.0)).recording


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two screenings to be compared, the old one first. Not to be written to."""
    from tests.ecgscreen.nights_compared import NEW, OLD, write

    folder = tmp_path_factory.mktemp("nights")
    return write(folder / "old", OLD), write(folder / "new", NEW)
