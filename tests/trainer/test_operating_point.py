"""Thresholds keep what they promise on recordings that they were not chosen on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.errors import UsageError
from trainer.metrics import best_f1_threshold
from trainer.operating_point import (
    THRESHOLD_DRAWS,
    Criterion,
    choose_threshold,
    parse_criterion,
    threshold_draws,
)

N_POSITIVE = 24


def drawn(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    positive = np.arange(n) < N_POSITIVE
    return rng.normal(np.where(positive, 1.0, 0.0)).astype(np.float32), positive


def each_its_own(n: int) -> NDArray[np.str_]:
    return np.arange(n).astype(np.str_)


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("sensitivity 0.95", "sensitivity", 0.95),
        (" Specificity  .98 ", "specificity", 0.98),
    ],
)
def test_targets_are_understood(text: str, kind: str, target: float) -> None:
    found = parse_criterion(text)
    assert (found.kind, found.target) == (kind, target)


@pytest.mark.parametrize("text", ["largest F1", "largest f1", "Youden", "YOUDEN"])
def test_criteria_without_target(text: str) -> None:
    assert str(parse_criterion(text)).casefold() == text.casefold()


@pytest.mark.parametrize("text", ["", "sensitivity", "sensitivity 1.0", "sensitivity 0.0", "95 %"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected 'largest F1'"):
        parse_criterion(text)


@pytest.mark.parametrize("kind", ["sensitivity", "specificity"])
def test_a_further_recording_is_told_as_often_as_was_promised(kind: str) -> None:
    """The share of the recordings chosen on would promise more than it keeps."""
    rng = np.random.default_rng(0)
    criterion = Criterion(kind, 0.9)
    own, further = [], []
    for _ in range(3000):
        # Few of the kind that is promised, so that the difference shows.
        scores, positive = drawn(2 * N_POSITIVE, rng)
        threshold = choose_threshold(criterion, scores, positive)
        if kind == "sensitivity":
            own.append((scores[positive] >= threshold).mean())
            further.append(rng.normal(1.0) >= threshold)
        else:
            own.append((scores[~positive] < threshold).mean())
            further.append(rng.normal(0.0) < threshold)
    assert np.mean(further) == pytest.approx(0.9, abs=0.015)
    assert np.mean(own) == pytest.approx(22 / 24)


def test_how_many_are_needed_to_promise() -> None:
    assert Criterion("sensitivity", 0.9).n_needed == 9
    assert Criterion("sensitivity", 0.95).n_needed == 19
    assert Criterion("specificity", 0.98).n_needed == 49
    scores = np.arange(9, dtype=np.float32)
    positive = np.ones(9, dtype=np.bool_)
    assert choose_threshold(Criterion("sensitivity", 0.9), scores, positive) < 0


def test_thresholds_lie_between_scores() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.6, 0.8], np.float32)
    positive = np.array([False, False, True, False, True])
    assert choose_threshold(Criterion("Youden"), scores, positive) == pytest.approx(0.25)
    assert choose_threshold(Criterion("sensitivity", 0.5), scores, positive) == pytest.approx(0.55)
    assert choose_threshold(Criterion("specificity", 0.5), scores, positive) == pytest.approx(0.25)
    assert choose_threshold(Criterion("specificity", 0.7), scores, positive) == pytest.approx(0.52)
    f1 = choose_threshold(Criterion("largest F1"), scores, positive)
    assert f1 == best_f1_threshold(scores, positive)[0]


def test_the_highest_negative_may_be_the_highest_score() -> None:
    scores = np.array([0.1, 0.2, 0.9], np.float32)
    threshold = choose_threshold(
        Criterion("specificity", 0.7), scores, np.array([True, False, False])
    )
    assert threshold > np.float32(0.9)


def test_as_many_thresholds_are_kept_as_were_said() -> None:
    scores, positive = drawn(100, np.random.default_rng(3))
    found = threshold_draws(Criterion("sensitivity", 0.9), scores, positive, each_its_own(100))
    assert len(found) == THRESHOLD_DRAWS
    assert np.array_equal(found, np.sort(found))
    assert found[0] < choose_threshold(Criterion("sensitivity", 0.9), scores, positive) < found[-1]
