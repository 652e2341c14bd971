"""Probabilities from scores, and what is refused as a scaling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ecgscreen.calibration import PlattScaling, probabilities, sigmoid


def test_probabilities_are_the_logistic_function_of_the_score() -> None:
    scores = np.array([[-1.0, 0.5, 0.1], [0.0, 0.5, 0.2], [np.nan, np.nan, np.nan]], np.float32)
    found = probabilities(scores, [PlattScaling(4.0, -1.0), None, PlattScaling(900.0, 0.0)])
    assert found.dtype == np.float32
    assert found[0, 0] == pytest.approx(1 / (1 + math.exp(5)))
    assert found[1, 0] == pytest.approx(1 / (1 + math.e))
    assert np.isnan(found[:, 1]).all()
    assert found[:2, 2].tolist() == [1.0, 1.0]
    assert np.isnan(found[2]).all()


def test_the_number_of_scalings_must_fit() -> None:
    with pytest.raises(ValueError, match="1 scalings for 2 diagnoses"):
        probabilities(np.zeros((1, 2), np.float32), [None])


def test_neither_end_overflows() -> None:
    found = sigmoid(np.array([-1e6, -40.0, 0.0, 40.0, 1e6]))
    assert found[[0, 2, 4]].tolist() == [0.0, 0.5, 1.0]
    assert 0 < found[1] < 1e-17
    assert found[3] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("slope", "intercept"), [(0.0, 1.0), (-2.0, 0.0), (math.inf, 0.0), (1.0, math.nan)]
)
def test_what_turns_the_order_around_or_is_no_number_is_no_scaling(
    slope: float, intercept: float
) -> None:
    with pytest.raises(ValueError, match="slope above zero"):
        PlattScaling(slope, intercept)
