"""Figures of merit against what they are by definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.metrics import (
    auc,
    best_f1_threshold,
    bootstrap_draws,
    bootstrap_interval,
    confusion_figures,
    macro_auc,
    measurable,
    mid_ranks,
)

RNG_SEEDS = range(6)


def drawn(seed: int, n: int = 40, levels: int = 7) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores with many ties, and positives that tend to have the higher ones."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.3
    positive[:2] = [True, False]
    scores = np.round(rng.normal(size=n) + positive, 0 if levels < 10 else 6)
    return scores.astype(np.float32), positive


def auc_by_pairs(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    wins = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a in scores[positive].tolist()
        for b in scores[~positive].tolist()
    ]
    return sum(wins) / len(wins)


@pytest.mark.parametrize("seed", RNG_SEEDS)
@pytest.mark.parametrize("levels", [7, 1000])
def test_auc_is_the_share_of_pairs_in_order(seed: int, levels: int) -> None:
    scores, positive = drawn(seed, levels=levels)
    assert auc(scores, positive) == pytest.approx(auc_by_pairs(scores, positive), abs=1e-12)
    assert auc(-scores, positive) == pytest.approx(1 - auc(scores, positive), abs=1e-12)
    assert auc(np.exp(scores), positive) == pytest.approx(auc(scores, positive), abs=1e-12)


def test_auc_of_known_cases() -> None:
    ordered = np.array([0.1, 0.2, 0.3, 0.4])
    assert auc(ordered, np.array([False, False, True, True])) == 1.0
    assert auc(ordered, np.array([True, True, False, False])) == 0.0
    assert auc(np.zeros(4), np.array([True, False, True, False])) == 0.5
    assert math.isnan(auc(ordered, np.ones(4, np.bool_)))
    assert math.isnan(auc(ordered, np.zeros(4, np.bool_)))


def test_mid_ranks() -> None:
    assert mid_ranks(np.array([3.0, 1.0, 3.0, 2.0, 3.0])).tolist() == [4.0, 1.0, 4.0, 2.0, 4.0]


def test_macro_auc_leaves_out_classes_of_one_kind() -> None:
    scores, positive = np.tile(np.arange(10.0)[:, None], (1, 3)), np.zeros((10, 3), np.bool_)
    positive[5:, 0] = True
    positive[:5, 1] = True
    assert macro_auc(scores, positive) == pytest.approx(0.5)
    assert macro_auc(scores[:, [0, 2]], positive[:, [0, 2]]) == 1.0
    assert math.isnan(macro_auc(scores[:, 2:], positive[:, 2:]))


def test_a_class_needs_five_of_either_kind() -> None:
    positive = np.zeros((20, 4), np.bool_)
    for column, n in enumerate((4, 5, 15, 16)):
        positive[:n, column] = True
    assert measurable(positive).tolist() == [False, True, True, False]


def test_confusion_figures_by_hand() -> None:
    positive = np.array([[1, 0], [1, 0], [1, 1], [0, 1]], dtype=np.bool_)
    flagged = np.array([[1, 0], [0, 0], [1, 0], [1, 0]], dtype=np.bool_)
    figures = confusion_figures(flagged, positive)
    # Of the first class: 2 of 3 found, 2 of 3 right, 2 errors... of the second: nothing flagged.
    assert figures.precision == pytest.approx((2 / 3 + 0) / 2)
    assert figures.recall == pytest.approx((2 / 3 + 0) / 2)
    assert figures.f1 == pytest.approx((2 / 3 + 0) / 2)
    assert figures.accuracy == pytest.approx((2 / 4 + 2 / 4) / 2)


def test_confusion_figures_of_an_absent_class() -> None:
    figures = confusion_figures(np.zeros((3, 1), np.bool_), np.zeros((3, 1), np.bool_))
    assert (figures.accuracy, figures.precision, figures.recall, figures.f1) == (1, 0, 0, 0)


def f1_at(threshold: float, scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    flagged = scores >= threshold
    return 2 * float((flagged & positive).sum()) / float(flagged.sum() + positive.sum())


@pytest.mark.parametrize("seed", RNG_SEEDS)
@pytest.mark.parametrize("levels", [7, 1000])
def test_best_f1_is_the_best_of_all_thresholds(seed: int, levels: int) -> None:
    scores, positive = drawn(seed, levels=levels)
    threshold, value = best_f1_threshold(scores, positive)
    assert f1_at(threshold, scores, positive) == pytest.approx(value, abs=1e-12)
    candidates = [*np.unique(scores).tolist(), -100.0]
    assert value == pytest.approx(max(f1_at(t, scores, positive) for t in candidates), abs=1e-12)
    # Halfway to the next score: a tiny change of a score moves nobody across.
    assert np.abs(scores - threshold).min() > 1e-7


def test_best_f1_where_everything_is_positive_or_alike() -> None:
    threshold, value = best_f1_threshold(np.array([0.3, 0.1]), np.array([True, True]))
    assert threshold < 0.1
    assert value == 1.0
    threshold, value = best_f1_threshold(np.full(4, 0.5), np.array([True, False, False, False]))
    assert threshold < 0.5
    assert value == pytest.approx(2 / 5)


def test_bootstrap_draws_patients_with_all_their_recordings() -> None:
    patients = np.array(["a", "b", "a", "c", "b", "a"])
    rows_of = {name: np.flatnonzero(patients == name).tolist() for name in "abc"}
    seen = set()
    for rows in bootstrap_draws(patients, replicates=50, seed=1):
        counts = {
            name: set(np.bincount(rows, minlength=6)[r].tolist()) for name, r in rows_of.items()
        }
        # Every recording of a patient is drawn as often as the patient.
        assert all(len(times) == 1 for times in counts.values())
        assert sum(times.pop() for times in counts.values()) == 3
        seen.add(tuple(sorted(rows.tolist())))
    assert len(seen) > 5


def test_bootstrap_is_seeded() -> None:
    patients = np.array([str(i) for i in range(30)])
    values = np.random.default_rng(0).normal(size=30)
    intervals = [
        bootstrap_interval(lambda rows: float(values[rows].mean()), patients, seed=seed)
        for seed in (3, 3, 4)
    ]
    assert intervals[0] == intervals[1]
    assert intervals[0] != intervals[2]


def test_bootstrap_interval_of_a_mean_is_that_of_the_textbook() -> None:
    values = np.random.default_rng(5).normal(2.0, 1.0, size=400)
    patients = np.array([str(i) for i in range(400)])
    interval = bootstrap_interval(lambda rows: float(values[rows].mean()), patients)
    error = values.std() / math.sqrt(len(values))
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


def test_bootstrap_interval_is_wider_where_recordings_share_patients() -> None:
    rng = np.random.default_rng(2)
    values = np.repeat(rng.normal(size=40), 10)
    apart = bootstrap_interval(
        lambda rows: float(values[rows].mean()), np.array([str(i) for i in range(400)])
    )
    shared = bootstrap_interval(
        lambda rows: float(values[rows].mean()), np.repeat([str(i) for i in range(40)], 10)
    )
    assert shared.high - shared.low > 2 * (apart.high - apart.low)


def test_replicates_without_a_figure_are_left_out() -> None:
    scores, positive = drawn(1, n=30)
    patients = np.array([str(i) for i in range(30)])
    interval = bootstrap_interval(lambda rows: auc(scores[rows], positive[rows]), patients)
    assert interval.low < auc(scores, positive) < interval.high


def test_an_interval_of_no_figure_is_none() -> None:
    interval = bootstrap_interval(lambda _rows: float("nan"), np.array(["a", "b"]), replicates=3)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
