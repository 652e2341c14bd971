from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.strip.knots import TOLERANCE, choose_knots

N_SAMPLES = (1, 2, 3, 15, 16, 17, 31, 32, 33, 640, 1250, 4999)


def deviation(y: NDArray[np.float64], knots: NDArray[np.bool_]) -> float:
    places = np.flatnonzero(knots)
    drawn = np.interp(np.arange(len(y)), places, y[places])
    return float(np.abs(drawn - y).max())


@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0, 30.0, 1e6])
def test_no_sample_lies_further_from_the_line_than_allowed(spread: float) -> None:
    random = np.random.default_rng(7)
    noise = [random.normal(0, spread, n) for n in N_SAMPLES]
    curves = [*noise, *map(np.cumsum, noise), *(np.round(each) for each in noise)]
    all_knots = choose_knots(curves)
    assert len(all_knots) == len(curves)
    for y, knots in zip(curves, all_knots, strict=True):
        assert knots.shape == y.shape
        assert knots[0]
        assert knots[-1]
        assert deviation(y, knots) <= TOLERANCE + 1e-9 * spread


def test_the_tolerance_is_made_use_of() -> None:
    """A slow wave needs few points, though the one that stands every 16 samples is among them."""
    y = 100 * np.sin(np.linspace(0, 2 * np.pi, 1600))
    (knots,) = choose_knots([y])
    assert knots.sum() == 101
    assert 0.01 < deviation(y, knots) <= TOLERANCE
    (knots,) = choose_knots([200 * y])
    assert knots.sum() < 400
    assert TOLERANCE / 2 < deviation(200 * y, knots) <= TOLERANCE


def test_a_curve_is_drawn_alike_whatever_others_are_drawn_with_it() -> None:
    random = np.random.default_rng(11)
    curves = [random.normal(0, 4, n) for n in N_SAMPLES]
    for y, knots in zip(curves, choose_knots(curves), strict=True):
        assert np.array_equal(knots, choose_knots([y])[0])


def test_a_corner_is_a_knot_and_what_is_level_between_needs_none() -> None:
    y = np.zeros(14)
    y[5:9] = 40
    (knots,) = choose_knots([y])
    assert np.flatnonzero(knots).tolist() == [0, 4, 5, 8, 9, 13]
