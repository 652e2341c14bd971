"""How far two engines differ."""

from __future__ import annotations

import numpy as np
import pytest

from engines.parity import TOLERANCES, compare
from engines.tensorrt_build import PRECISIONS


def test_equal_embeddings_do_not_differ() -> None:
    rows = np.eye(4, dtype=np.float32)
    parity = compare(rows, rows)
    assert (parity.n, parity.largest_difference, parity.smallest_cosine) == (4, 0.0, 1.0)
    assert parity.holds(0.0)


def test_the_worst_window_counts() -> None:
    expected = np.array([[1, 0], [0, 1]], np.float32)
    found = np.array([[1, 0], [0.6, 0.8]], np.float32)
    parity = compare(found, expected)
    assert parity.largest_difference == pytest.approx(0.6)
    assert parity.smallest_cosine == pytest.approx(0.8)
    assert parity.holds(0.21)
    assert not parity.holds(0.19)


def test_what_is_not_finite_never_holds() -> None:
    expected = np.eye(2, dtype=np.float32)
    assert not compare(expected * np.float32("nan"), expected).holds(1.0)


def test_every_precision_has_a_tolerance() -> None:
    assert set(TOLERANCES) == set(PRECISIONS)
