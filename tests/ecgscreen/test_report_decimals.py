"""Decimals are those that numpy writes of each number, to the character."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.reports.decimals import shortest_decimals

_GENERATOR = np.random.default_rng(5)
_ONE = np.float32(1)


def cosines(n: int) -> NDArray[np.float32]:
    return _GENERATOR.uniform(-1, 1, n).astype(np.float32)


@pytest.mark.parametrize(
    "numbers",
    [
        cosines(200_000),
        cosines(50_000) / np.float32(1_000),
        # Of few decimals, and their neighbours.
        np.nextafter((np.arange(-20_000, 20_000) / 10_000).astype(np.float32), _ONE),
        (np.arange(-110_000, 110_000) / 100_000).astype(np.float32),
        _GENERATOR.integers(0, 1 << 32, 20_000, np.uint32).view(np.float32),  # any bits at all
        np.float32(2) ** np.arange(-30, 10, dtype=np.float32),
        np.array([0, -0.0, 1, -1, 1e-4, 1e-5, np.nan, np.inf, -np.inf, 1e-45], np.float32),
        np.nextafter(np.float32(1), np.array([0, 2], np.float32)),
        np.nextafter(np.float32(1e-4), np.array([0, 1], np.float32)),
        np.empty(0, np.float32),
    ],
    ids=[
        "cosines",
        "small",
        "neighbours",
        "short",
        "bits",
        "powers",
        "special",
        "one",
        "least",
        "none",
    ],
)
def test_text_is_that_of_str(numbers: NDArray[np.float32]) -> None:
    assert shortest_decimals(numbers) == list(map(str, numbers))
