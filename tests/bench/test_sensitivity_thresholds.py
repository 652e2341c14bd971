"""Ways to put a threshold: what is known of each where the scores' distribution is known."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from bench.calibration_methods import TARGET, Fold
from bench.sensitivity_thresholds import (
    MISSED,
    WAYS,
    compare,
    drawn_errors,
    harrell_davis_weights,
    split_errors,
)
from trainer.operating_point import Criterion, choose_threshold

AS_IT_IS = "quantile (n + 1) p, as it is"


@pytest.mark.parametrize("n", [20, 33, 150])
def test_the_one_in_use_is_that_of_the_trainer(n: int) -> None:
    scores = np.random.default_rng(n).normal(size=n)
    expected = choose_threshold(
        Criterion("sensitivity", TARGET), np.r_[scores, -9.0], np.arange(n + 1) < n
    )
    assert WAYS[AS_IT_IS](np.sort(scores)[None]) == pytest.approx([expected], abs=1e-12)


def test_harrell_davis_weights_are_those_of_a_beta_distribution() -> None:
    # Of a median of three: Beta(2, 2), whose distribution function is 3 x^2 - 2 x^3.
    third = 3 / 9 - 2 / 27
    expected = [third, 1 - 2 * third, third]
    assert harrell_davis_weights(3, 0.5) == pytest.approx(expected, abs=1e-9)
    assert harrell_davis_weights(40, MISSED).sum() == pytest.approx(1.0)


def test_every_way_finds_the_quantile_of_many_scores() -> None:
    places = (np.arange(4000) + 0.5) / 4000
    normal = np.array([NormalDist(0.5, 0.1).inv_cdf(place) for place in places.tolist()])
    for name, way in WAYS.items():
        own = 0.5 + 0.1 * np.log(places / (1 - places)) if name == "logistic" else normal
        expected = 0.5 + 0.1 * (
            math.log(MISSED / TARGET) if name == "logistic" else NormalDist().inv_cdf(MISSED)
        )
        assert way(own[None]) == pytest.approx([expected], abs=0.003), name


def test_the_one_in_use_reaches_its_target_whatever_the_scores_are() -> None:
    rng = np.random.default_rng(2)
    for scores in (rng.normal(size=60), -rng.gamma(0.5, size=60)):
        found = drawn_errors(scores, 30, 4000, np.random.default_rng(3))
        mean, square, held = found[AS_IT_IS]
        assert abs(mean) < 0.005
        assert math.sqrt(square) == pytest.approx(math.sqrt(MISSED * TARGET / 32), rel=0.06)
        assert held == pytest.approx(0.95, abs=0.02)
    assert found["binormal"][0] < -0.01  # a long tail below: too low a sensitivity


def test_a_split_keeps_patients_apart_and_is_about_the_same() -> None:
    rng = np.random.default_rng(4)
    n = 120
    fold = Fold(
        rng.normal(size=(n, 1)),
        np.ones((n, 1), np.bool_),
        np.array([f"p{k // 2}" for k in range(n)]),  # two recordings each
    )
    mean, square, held = split_errors(fold, 0, 30, 100, rng)[AS_IT_IS]
    assert abs(mean) < 0.02
    assert 0.03 < math.sqrt(square) < 0.09
    assert held > 0.9


def test_both_tables_have_a_row_a_way() -> None:
    rng = np.random.default_rng(5)
    fold = Fold(rng.normal(size=(50, 2)), np.ones((50, 2), np.bool_), np.arange(50).astype(np.str_))
    first, second = "\n".join(compare(fold, (20,), 20)).split("\n\n")
    assert len(first.splitlines()) == len(second.splitlines()) == 2 + len(WAYS)
    assert f"| 20 | 2 | {AS_IT_IS} |" in first
