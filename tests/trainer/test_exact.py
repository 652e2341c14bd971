"""Intervals of rates are what their definitions say: by a library, by counting, by drawing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from trainer.exact import (
    beta_cdf,
    beta_quantiles,
    effective_number,
    promise_interval,
    promised,
    rate_interval,
)
from trainer.operating_point import Criterion, choose_threshold


def patients(*counts: int) -> NDArray[np.str_]:
    return np.repeat(np.arange(len(counts)), counts).astype(np.str_)


def test_the_incomplete_beta_function() -> None:
    rng = np.random.default_rng(0)
    a, b = 10 ** rng.uniform(-1, 4, (2, 2000))
    x = rng.beta(a, b)
    assert beta_cdf(x, a, b) == pytest.approx(special.betainc(a, b, x), abs=1e-9)
    assert beta_cdf([0.0, 1.0, 0.3, 0.3], [2, 2, 0, 2], [2, 2, 2, 0]).tolist() == [0, 1, 1, 0]


def test_quantiles_turn_it_around() -> None:
    places = np.array([0.025, 0.5, 0.975])
    found = beta_quantiles(19.8, 2.2, places)
    assert found == pytest.approx(special.betaincinv(19.8, 2.2, places), abs=1e-9)


@pytest.mark.parametrize(("k", "n"), [(42, 42), (38, 42), (0, 20), (1, 20), (300, 1000)])
def test_one_rate_has_the_interval_of_clopper_and_pearson(k: int, n: int) -> None:
    known = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    found = rate_interval(k, n)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-8)


def test_of_a_million_it_is_narrow() -> None:
    found = promise_interval(900_000, 1_000_000, 1_000_000, 0.9)
    assert (found.low, found.high) == pytest.approx((0.8992, 0.9008), abs=1e-4)


def test_several_thresholds_widen_it() -> None:
    one, several = rate_interval(38, 42), rate_interval([34.0, 38.0, 42.0], 42)
    assert several.low < one.low < one.high < several.high == 1.0
    assert rate_interval([38.0] * 7, 42) == one
    assert math.isnan(rate_interval(0, 0).low)
    assert math.isnan(rate_interval(float("nan"), 5).low)


@pytest.mark.parametrize(("n_learned", "n"), [(21, 42), (20, 20), (200, 30)])
def test_a_promise_is_doubted_where_its_result_would_be_rare(n_learned: int, n: int) -> None:
    """Exactly: .90 lies outside for those numbers that a beta-binomial has in its outer 2.5 %."""
    law = stats.betabinom(n, 0.9 * (n_learned + 1), 0.1 * (n_learned + 1))
    for k in range(n + 1):
        found = promise_interval(k, n, n_learned, 0.9)
        # Of 200 places in a Beta distribution, not of all.
        if law.cdf(k) < 0.024:
            assert found.high < 0.9
        elif law.sf(k - 1) < 0.024:
            assert found.low > 0.9
        elif law.cdf(k) > 0.026 and law.sf(k - 1) > 0.026:
            assert found.low <= 0.9 <= found.high


@pytest.mark.parametrize(("shift", "skewed"), [(0.0, False), (0.0, True), (-0.5, False)])
def test_intervals_hold_what_an_operating_point_does(shift: float, skewed: bool) -> None:
    """In 95 of 100 sets, on the same patients and on others; at the threshold alone in fewer."""
    rng = np.random.default_rng(3)
    criterion, positive = Criterion("sensitivity", 0.9), np.ones(21, np.bool_)

    def drawn(n: int) -> NDArray[np.float64]:
        return -rng.gamma(1.5, size=n) if skewed else rng.normal(size=n)

    everybody = np.sort(drawn(100_000) + shift)
    levels = np.array([choose_threshold(criterion, drawn(21), positive) for _ in range(800)])
    truth = 1 - np.searchsorted(everybody, levels).mean() / len(everybody)
    found = [int((drawn(42) + shift >= level).sum()) for level in levels]
    op = {k: promise_interval(k, 42, 21, 0.9) for k in set(found)}
    at = {k: rate_interval(k, 42) for k in set(found)}
    held = np.mean([op[k].low <= truth <= op[k].high for k in found])
    alone = np.mean([at[k].low <= truth <= at[k].high for k in found])
    assert held >= 0.95
    assert alone < 0.9


def test_a_promise_grows_sure_with_what_it_was_learned_on() -> None:
    widths = [
        found.high - found.low
        for found in (promise_interval(36, 40, n, 0.9) for n in (20, 60, 10_000))
    ]
    assert widths == sorted(widths, reverse=True)
    alone = rate_interval(36, 40)
    assert widths[-1] == pytest.approx(alone.high - alone.low, abs=0.01)
    assert promise_interval(40, 40, 20, 0.9).high == 1.0
    assert promise_interval(0, 40, 20, 0.9).low == 0.0
    assert math.isnan(promise_interval(0.0, 0.0, 20, 0.9).high)


def test_further_positives_keep_to_what_was_promised() -> None:
    """Without any new recording: the true rate of the threshold, of whatever distribution."""
    rng = np.random.default_rng(4)
    interval = promised(21, 0.9)
    positive, true = np.ones(21, np.bool_), []
    for _ in range(2000):
        scores = rng.gamma(1.5, size=21)
        level = choose_threshold(Criterion("sensitivity", 0.9), scores, positive)
        true.append(1 - stats.gamma.cdf(level, 1.5))
    inside = (interval.low <= np.array(true)) & (np.array(true) <= interval.high)
    assert inside.mean() == pytest.approx(0.95, abs=0.015)


def test_as_many_as_their_variance_says() -> None:
    apart, together = patients(*[1] * 40), patients(*[4] * 10)
    assert effective_number(0.9, 0.09 / 40, apart) == 40
    assert effective_number(0.9, 0.09 / 25, together) == pytest.approx(25)
    # Never more than recordings, never fewer than if all of a patient were alike.
    assert effective_number(0.9, 1e-6, together) == 40
    assert effective_number(0.9, 1.0, together) == pytest.approx(10)
    # All found: nothing is known of how alike they are.
    assert effective_number(1.0, 0.0, together) == pytest.approx(10)
    assert effective_number(1.0, 0.0, patients(3, 1)) == pytest.approx(1.6)
    assert effective_number(1.0, 0.0, patients()) == 0
