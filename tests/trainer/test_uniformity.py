"""Percentiles of recordings like the reference's are uniform; of others they are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trainer.uniformity import check_uniformity, ks_distances

RNG = np.random.default_rng(5)
N = 300
PATIENTS = np.repeat(np.arange(N // 2), 2).astype(np.str_)


def test_the_distance_is_that_of_kolmogorov_and_smirnov() -> None:
    for ranks in (RNG.random(40), RNG.beta(2, 5, 40), np.round(RNG.random(60), 1), np.ones(3)):
        found = ks_distances(ranks, np.ones((1, len(ranks))))
        assert found == pytest.approx(stats.kstest(ranks, "uniform").statistic)
    ranks, weights = RNG.random(30), RNG.integers(0, 4, 30).astype(np.float64)
    repeated = np.repeat(ranks, weights.astype(np.int64))
    expected = stats.kstest(repeated, "uniform").statistic
    assert ks_distances(ranks, weights[None])[0] == pytest.approx(expected)


def test_likes_are_uniform_and_others_are_not() -> None:
    reference = RNG.normal(size=(2000, 2)).astype(np.float32)
    scores = RNG.normal(size=(N, 2)).astype(np.float32)
    scores[:, 1] += 1
    found = check_uniformity(("alike", "higher"), scores, reference, PATIENTS)
    assert found is not None
    alike, higher = found.per_concept["alike"], found.per_concept["higher"]
    assert alike.ks < found.by_chance == pytest.approx(1.3581 * np.sqrt(1 / N + 1 / 2000))
    assert alike.ks_ci.low <= alike.ks <= alike.ks_ci.high
    assert higher.ks > 0.3
    assert higher.ks_ci.low > found.by_chance
    assert alike.mean == pytest.approx(50, abs=5)
    assert higher.mean > 70
    assert found.n_reference == 2000
    two = stats.ks_2samp(scores[:, 1], reference[:, 1]).statistic
    assert higher.ks == pytest.approx(two, abs=2 / 2000), "the empirical distribution of both"


def test_without_a_reference_there_is_nothing_to_say() -> None:
    scores = np.zeros((N, 1), np.float32)
    assert check_uniformity(("a",), scores, None, PATIENTS) is None
    assert check_uniformity(("a",), scores, np.empty((0, 1), np.float32), PATIENTS) is None
