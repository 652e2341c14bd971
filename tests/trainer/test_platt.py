"""Platt scalings against what is known of the truth, and against a general optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from ecgscreen.calibration import sigmoid
from trainer.platt import (
    MIN_POSITIVES_TO_LEARN,
    calibration_record,
    cross_fitted,
    fit_platt,
    learn_probabilities,
    learn_probability,
)
from trainer.reliability import brier_score, calibration_error, reliability_bins

SLOPE, INTERCEPT = 9.0, -4.0


def drawn(n: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores, and positives drawn with the probability that a known scaling gives."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.2, 0.25, n).astype(np.float32)
    return scores, rng.random(n) < sigmoid(scores * SLOPE + INTERCEPT)


def each_its_own(n: int) -> NDArray[np.str_]:
    return np.arange(n).astype(np.str_)


def test_the_scaling_that_drew_the_labels_is_found() -> None:
    slope, intercept = fit_platt(*drawn(60_000))
    assert slope == pytest.approx(SLOPE, rel=0.04)
    assert intercept == pytest.approx(INTERCEPT, rel=0.04)


@pytest.mark.parametrize("n", [40, 300])
def test_the_maximum_is_that_of_a_general_optimiser(n: int) -> None:
    scores, positive = drawn(n, seed=n)
    n_pos, n_neg = positive.sum(), n - positive.sum()
    target = np.where(positive, (n_pos + 1) / (n_pos + 2), 1 / (n_neg + 2))

    def loss(x: NDArray[np.float64]) -> float:
        logit = scores.astype(np.float64) * x[0] + x[1]
        return float((np.logaddexp(0, logit) - target * logit).sum())

    best = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9})
    assert fit_platt(scores, positive) == pytest.approx(tuple(best.x), rel=1e-3)


def test_classes_that_are_told_without_error_leave_the_slope_finite() -> None:
    positive = np.arange(60) >= 40
    slope, intercept = fit_platt(np.where(positive, 0.9, 0.1), positive)
    p = sigmoid(np.array([0.1, 0.9]) * slope + intercept)
    # Two scores and two parameters: the smoothed targets themselves.
    assert p == pytest.approx([1 / 42, 21 / 22], abs=1e-6)


def test_a_score_that_says_nothing_gives_the_prevalence() -> None:
    positive = np.arange(100) < 30
    slope, intercept = fit_platt(np.full(100, 0.3), positive)
    assert slope == pytest.approx(0.0)
    assert sigmoid(np.array([slope * 0.3 + intercept]))[0] == pytest.approx(0.3, abs=0.01)


def test_a_score_that_points_the_other_way_gives_no_probability() -> None:
    scores, positive = drawn(500)
    assert learn_probability(-scores, positive, each_its_own(500)) is None


def test_nobody_is_measured_by_a_scaling_learned_on_them() -> None:
    """The labels of one patient are turned around: only the others' probabilities move."""
    scores, positive = drawn(200)
    patients = np.repeat(np.arange(50), 4).astype(np.str_)
    before = cross_fitted(scores, positive, patients)
    # Patients with and without a positive are dealt apart: one who stays with some is taken.
    share = positive.reshape(50, 4).mean(axis=1)
    theirs = patients == str(np.flatnonzero((share > 0) & (share < 1))[0])
    turned = np.where(theirs, ~positive, positive)
    after = cross_fitted(scores, turned, patients)
    assert np.array_equal(before[theirs], after[theirs])
    assert not np.array_equal(before[~theirs], after[~theirs])


def test_the_manifest_says_how_good_they_are() -> None:
    n = 4000
    scores, positive = drawn(n)
    few = np.zeros(n, dtype=np.bool_)
    few[: MIN_POSITIVES_TO_LEARN - 1] = True
    carried = np.stack([positive, few, positive], axis=1)
    learned = learn_probabilities(
        np.stack([scores] * 3, axis=1), carried, each_its_own(n), ("A", "B", "C"), {"A", "B"}
    )
    assert set(learned) == {"A"}
    record = calibration_record(learned, dict(zip("ABC", carried.T, strict=True)), "a set")
    (a,) = record["concepts"].values()
    assert a["n_positive"] == positive.sum()
    assert record["calibration_error"] == a["calibration_error"] < 0.03
    truth = sigmoid(scores * SLOPE + INTERCEPT)
    assert record["brier"] == pytest.approx(float((truth * (1 - truth)).mean()), abs=0.01)


def test_calibration_error_is_the_distance_that_was_put_in() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(200_000) * 0.6
    positive = rng.random(len(p)) < p
    assert calibration_error(p, positive) < 0.006
    assert calibration_error(p + 0.2, positive) == pytest.approx(0.2, abs=0.005)
    assert np.isnan(calibration_error(p[:0], positive[:0]))
    assert np.isnan(brier_score(p[:0], positive[:0]))


def test_bins_are_of_equal_mass() -> None:
    p = np.linspace(0, 1, 31) ** 3
    positive = np.arange(31) >= 20
    bins = reliability_bins(p, positive)
    assert bins.counts.tolist() == [3] + [2] * 14
    assert (np.diff(bins.probability) > 0).all()
    assert bins.frequency.tolist()[-3:] == [1.0, 1.0, 1.0]
    assert reliability_bins(p[:4], positive[:4]).counts.tolist() == [1, 1, 1, 1]
