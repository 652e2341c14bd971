from __future__ import annotations

import numpy as np
import pytest

from bench.quality_remarks import baseline_index, moves
from ecgscreen.recording import Recording
from tests.ecgscreen.test_quality import recording_of


@pytest.fixture
def wandering() -> Recording:
    """Lead I wanders by 2 mV from peak to peak, the others not at all."""
    times = np.arange(1000) / 100
    signal = np.tile(0.2 * np.sin(2 * np.pi * 8 * times), (12, 1)).astype(np.float32)
    signal[0] += np.sin(2 * np.pi * 0.2 * times).astype(np.float32)
    return recording_of(signal, 100.0)


def test_how_far_a_baseline_moves(wandering: Recording) -> None:
    moved = moves(wandering)
    assert moved.shape == (12,)
    assert moved[0] == pytest.approx(2, rel=0.1)
    assert moved[1:] == pytest.approx(np.zeros(11), abs=0.05)


def test_the_index_of_the_baseline_falls_where_it_wanders(wandering: Recording) -> None:
    index = baseline_index(wandering)
    assert index[0] < 0.1
    assert (index[1:] > 0.9).all()
