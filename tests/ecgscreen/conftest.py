"""Fixtures of the edge's tests."""

from __future__ import annotations

import pytest

from ecgscreen.recording import Recording
from ecgscreen.simulate import simulate
from ecgscreen.simulate.settings import Rhythm, SimulationSettings


@pytest.fixture(scope="session")
def simulated() -> Recording:
    return simulate(SimulationSettings(Rhythm.SINUS, seed=8, duration_s=6.0)).recording
