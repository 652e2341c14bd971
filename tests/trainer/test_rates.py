"""Sensitivity and specificity of flags, and that their intervals hold what they should."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.metrics import Interval
from trainer.operating_point import (
    LARGEST_F1,
    Criterion,
    choose_threshold,
    threshold_draws,
)
from trainer.rates import Rates, learned_rates, rates_at

TARGET = Criterion("sensitivity", 0.9)


def drawn(
    n: int, n_positive: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    positive = np.arange(n) < n_positive
    return rng.normal(np.where(positive, 2.0, 0.0)), positive


def each_its_own(n: int) -> NDArray[np.str_]:
    return np.arange(n).astype(np.str_)


def holds(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def test_all_found_does_not_mean_that_all_will_be() -> None:
    """The percentiles of a bootstrap would be 1 to 1."""
    rng = np.random.default_rng(0)
    missed = 0
    positive = np.repeat([True, False], 42)
    for _ in range(20):
        scores = np.where(positive, rng.random(84) < 0.97, False).astype(np.float64)
        found = rates_at(0.5, scores, positive, each_its_own(84))
        missed += not holds(found.sensitivity_ci, 0.97)
        if found.sensitivity == 1:
            assert found.sensitivity_ci.low == pytest.approx(0.9159, abs=1e-4)
            assert found.sensitivity_ci.high == 1.0
            npv, interval = found.predictive_values(0.1)[2:]
            assert npv == 1
            assert interval.low < 0.995
    assert missed <= 1


def test_other_rates_are_drawn_with_their_thresholds() -> None:
    rng = np.random.default_rng(1)
    scores, positive = drawn(200, 30, rng)
    patients = each_its_own(200)
    for criterion in (TARGET, Criterion(LARGEST_F1)):
        threshold = choose_threshold(criterion, scores, positive)
        draws = threshold_draws(criterion, scores, positive, patients)
        alone = rates_at(threshold, scores, positive, patients)
        found, promise = learned_rates(
            criterion, rates_at(threshold, scores, positive, patients, draws)
        )
        assert np.isnan(alone.specificity_op_ci.low)  # no threshold was drawn
        assert (promise is None) == (criterion.kind == LARGEST_F1)
        for side in ("sensitivity_ci", "specificity_ci"):
            assert getattr(found, side) == getattr(alone, side)
        assert found.specificity_op_ci.low < found.specificity_ci.low
        assert found.specificity_ci.high < found.specificity_op_ci.high


def test_a_promised_specificity_is_about_the_negatives() -> None:
    rng = np.random.default_rng(2)
    scores, positive = drawn(100, 30, rng)
    criterion = Criterion("specificity", 0.9)
    threshold = choose_threshold(criterion, scores, positive)
    rates = rates_at(threshold, scores, positive, each_its_own(100))
    rates, promise = learned_rates(criterion, rates)
    assert promise is not None
    assert promise.n_learned == 70
    assert holds(rates.specificity_op_ci, 0.9)
    new = drawn(200, 60, rng)
    found = rates_at(threshold, *new, each_its_own(200), promise=promise)
    assert found.specificity_op_ci.low < found.specificity_ci.low
    assert np.isnan(found.sensitivity_op_ci.low)


def test_intervals_are_over_patients() -> None:
    positive = np.arange(200) < 80
    scores = np.where(np.arange(200) % 4 == 0, ~positive, positive).astype(np.float32)
    apart = rates_at(0.5, scores, positive, each_its_own(200))
    assert (apart.sensitivity, apart.specificity) == (0.75, 0.75)
    assert (apart.n_positive, apart.n_negative) == (80, 120)
    assert 0.6 < apart.sensitivity_ci.low < 0.75 < apart.sensitivity_ci.high < 0.9
    # All of a patient are alike: four patients of twenty, not eighty recordings.
    alike = np.where(np.arange(200) < 60, 1.0, 0.0)
    together = rates_at(0.5, alike, positive, (np.arange(200) // 20).astype(np.str_))
    assert together.sensitivity == 0.75
    assert together.n_positive == pytest.approx(4)
    assert together.sensitivity_ci.low < 0.25


def test_predictive_values_are_those_of_bayes() -> None:
    nothing = Interval(float("nan"), float("nan"))
    rates = Rates(0.9, 0.8, nothing, nothing, nothing, nothing, 100, 200)
    ppv, ppv_ci, npv, npv_ci = rates.predictive_values(0.1)
    # Of 1,000: 90 of 100 are found, 180 of 900 are flagged wrongly.
    assert ppv == pytest.approx(90 / 270)
    assert npv == pytest.approx(720 / 730)
    assert ppv_ci.low < ppv < ppv_ci.high
    assert npv_ci.low < npv < npv_ci.high


def test_intervals_of_predictive_values_hold_the_truth() -> None:
    rng = np.random.default_rng(5)
    nothing = Interval(float("nan"), float("nan"))
    ppv, npv = 0.95 * 0.1 / (0.95 * 0.1 + 0.03 * 0.9), 0.97 * 0.9 / (0.97 * 0.9 + 0.05 * 0.1)
    held = np.zeros(2)
    for _ in range(100):
        sensitivity, specificity = rng.binomial(40, 0.95) / 40, rng.binomial(200, 0.97) / 200
        rates = Rates(sensitivity, specificity, nothing, nothing, nothing, nothing, 40, 200)
        found = rates.predictive_values(0.1)
        held += [holds(found[1], ppv), holds(found[3], npv)]
    assert held.min() >= 95
