"""How often the intervals of operating points hold what is true, where that is known.

    python -m bench.interval_coverage

Scores are drawn from known distributions, a threshold is learned on one set and held against
another, many times. An interval of 95 % should hold the truth in at least 95 of 100. Beside the
intervals as they are stand those of before: percentiles of a bootstrap over the patients of both
sets. A cell has the share that held the truth (the shares that lay below it and above it) and the
mean width. No recording takes part.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from trainer.exact import promise_interval, rate_interval
from trainer.metrics import Interval, bootstrap_draws
from trainer.operating_point import (
    LARGEST_F1,
    THRESHOLD_DRAWS,
    Criterion,
    choose_threshold,
    percentile_interval,
    resampled_weights,
)
from trainer.rates import learned_rates, rates_at

SENSITIVITY = Criterion("sensitivity", 0.9)
_APART = 2.0
"""Between the means of positives and negatives, in standard deviations."""

_TRUTHS = 3000
_LARGE = 400_000
_BLOCKS = 6
"""Of draws of patients, some 300, for what was before."""


@dataclass(frozen=True)
class World:
    """Where scores come from.

    Attributes
    ----------
    n_learn, n_new
        Positives in the set that the threshold is learned on, and in the new one.
    negatives
        For each positive.
    shift
        Of the new positives' scores, in standard deviations.
    skewed
        Positives with a long tail below (a Gamma distribution) in the place of normal ones.
    most_per_patient
        A patient has from 1 to so many recordings, all positive or all negative.
    alike
        The share of the variance that a patient's recordings have in common.
    """

    n_learn: int
    n_new: int
    negatives: int = 2
    shift: float = 0.0
    skewed: bool = False
    most_per_patient: int = 1
    alike: float = 0.0

    @property
    def named(self) -> str:
        """For a table."""
        more = [
            "skewed" if self.skewed else "",
            f"shifted by {self.shift:+g}" if self.shift else "",
            f"up to {self.most_per_patient} a patient, {self.alike:g} in common"
            if self.most_per_patient > 1
            else "",
        ]
        return ", ".join([f"{self.n_learn}, {self.n_new}", *filter(None, more)])


@dataclass(frozen=True, eq=False)
class Drawn:
    """A set: scores float64, positive bool and patients, all of shape (N,)."""

    scores: NDArray[np.float64]
    positive: NDArray[np.bool_]
    patients: NDArray[np.str_]


@dataclass
class Tally:
    """Of one interval: how often it held the truth, lay below it, and how wide it was."""

    held: list[bool] = field(default_factory=list)
    below: list[bool] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)

    def add(self, interval: Interval, truth: float) -> None:
        """Count one."""
        self.held.append(interval.low <= truth <= interval.high)
        self.below.append(interval.high < truth)
        self.widths.append(interval.high - interval.low)

    def __str__(self) -> str:
        above = 1 - np.mean(self.held) - np.mean(self.below)
        return (
            f"{np.mean(self.held):.3f} ({np.mean(self.below):.3f}, {abs(above):.3f}) "
            f"{np.mean(self.widths):.2f}"
        )


def draw(world: World, n_positive: int, shift: float, rng: np.random.Generator) -> Drawn:
    """A set of recordings."""
    n_negative = n_positive * world.negatives
    scores, owner = _scores(world, n_positive, rng, positive=True)
    others, their_owner = _scores(world, n_negative, rng, positive=False)
    return Drawn(
        np.concatenate([scores + shift, others]),
        np.arange(n_positive + n_negative) < n_positive,
        np.concatenate([owner, their_owner + n_positive]).astype(np.str_),
    )


def _scores(
    world: World, n: int, rng: np.random.Generator, *, positive: bool
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Of one kind, and whose they are."""
    sizes = rng.integers(1, world.most_per_patient + 1, size=n)
    owner = np.repeat(np.arange(n), sizes)[:n]
    if world.skewed and positive:
        own = (1.5 - rng.gamma(1.5, size=n)) / np.sqrt(1.5)
    else:
        common, rest = rng.normal(size=n)[owner], rng.normal(size=n)
        own = np.sqrt(world.alike) * common + np.sqrt(1 - world.alike) * rest
    return own + (_APART if positive else 0.0), owner


@dataclass(frozen=True, eq=False)
class Everybody:
    """So many new recordings that their shares are the truth: rising scores, shape (M,)."""

    positives: NDArray[np.float64]
    negatives: NDArray[np.float64]

    def rates(self, thresholds: NDArray[np.float64]) -> tuple[float, float]:
        """Sensitivity and specificity, the mean over thresholds."""
        return (
            1 - float(np.searchsorted(self.positives, thresholds).mean()) / _LARGE,
            float(np.searchsorted(self.negatives, thresholds).mean()) / _LARGE,
        )


def everybody(world: World, rng: np.random.Generator) -> Everybody:
    """Of the kind that the new set is of."""
    positives, negatives = (
        _scores(world, _LARGE, rng, positive=positive)[0] for positive in (True, False)
    )
    return Everybody(np.sort(positives + world.shift), np.sort(negatives))


def before(
    new: Drawn, threshold: float, drawn_thresholds: NDArray[np.float64]
) -> Iterator[tuple[Interval, Interval]]:
    """Of sensitivity, then specificity: at the threshold, and of the operating point.

    Percentiles of a bootstrap over patients, for the second with each threshold that was drawn.
    """
    weights = np.concatenate(list(islice(resampled_weights(new.patients), _BLOCKS)))
    for kind, sign in ((new.positive, 1), (~new.positive, -1)):
        own = weights[:, kind]
        reached = new.scores[kind][None] >= np.r_[threshold, drawn_thresholds][:, None]
        share = own @ (reached if sign > 0 else ~reached).T / own.sum(axis=1, keepdims=True)
        yield percentile_interval(share[:, 0]), percentile_interval(share[:, 1:])


def compare(
    world: World, criterion: Criterion, n_sets: int, sides: tuple[int, ...] = (0,)
) -> list[str]:
    """Rows of a table: of the operating point, and of its threshold, before and now."""
    rng = np.random.default_rng(20_000)
    all_new = everybody(world, rng)
    thresholds = []
    for _ in range(_TRUTHS):
        learn = draw(world, world.n_learn, 0.0, rng)
        thresholds.append(choose_threshold(criterion, learn.scores, learn.positive))
    truth = all_new.rates(np.array(thresholds))
    tallies = {(side, what): Tally() for side in sides for what in range(4)}
    for _ in range(n_sets):
        learn = draw(world, world.n_learn, 0.0, rng)
        new = draw(world, world.n_new, world.shift, rng)
        own = (learn.scores, learn.positive)
        threshold = choose_threshold(criterion, *own)
        drawn = np.array(
            [
                choose_threshold(criterion, learn.scores[each], learn.positive[each])
                for each in bootstrap_draws(learn.patients, replicates=THRESHOLD_DRAWS, seed=1)
            ]
        )
        now = list(_now(criterion, threshold, learn, new, drawn, both=sides != (0,)))
        earlier = list(before(new, threshold, drawn))
        true_here = all_new.rates(np.array([threshold]))
        for side in sides:
            for k, (at, op) in enumerate((earlier[side], now[side])):
                tallies[side, k].add(op, truth[side])
                tallies[side, 2 + k].add(at, true_here[side])
    names = ("sensitivity", "specificity")
    return [
        f"| {criterion}: {names[side]} | {world.named} | {truth[side]:.3f} | "
        + " | ".join(str(tallies[side, what]) for what in range(4))
        + " |"
        for side in sides
    ]


def _now(
    criterion: Criterion,
    threshold: float,
    learn: Drawn,
    new: Drawn,
    drawn_thresholds: NDArray[np.float64],
    *,
    both: bool,
) -> Iterator[tuple[Interval, Interval]]:
    """As `before`, as `trainer.rates.rates_at` makes them."""
    if criterion == SENSITIVITY and not both and len(set(new.patients)) == len(new.patients):
        # What that function would do here, once for each number that is found.
        n = int(new.positive.sum())
        found = int((new.scores >= threshold)[new.positive].sum())
        yield _once(found, n, int(learn.positive.sum()))
        return
    own = (learn.scores, learn.positive, learn.patients)
    _, promise = learned_rates(criterion, rates_at(threshold, *own))
    rates = rates_at(threshold, new.scores, new.positive, new.patients, drawn_thresholds, promise)
    yield rates.sensitivity_ci, rates.sensitivity_op_ci
    yield rates.specificity_ci, rates.specificity_op_ci


@lru_cache
def _once(found: int, n: int, n_learned: int) -> tuple[Interval, Interval]:
    return rate_interval(found, n), promise_interval(found, n, n_learned, SENSITIVITY.target)


WORLDS = (
    World(20, 20),
    World(21, 42),
    World(47, 73),
    World(30, 200),
    World(200, 30),
    World(21, 42, skewed=True),
    World(21, 42, shift=0.5),
    World(21, 42, shift=-0.5),
    World(60, 60, most_per_patient=6, alike=0.7),
)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sets", type=int, default=250)
    n = parser.parse_args().sets
    print("| rate | positives learned on, new | truth | op before | op now | at before | at now |")
    print("|---|---|---|---|---|---|---|")
    for world in WORLDS:
        _print(compare(world, SENSITIVITY, n))
    _print(compare(World(49, 60), Criterion("sensitivity", 0.98), n))
    other = World(21, 42, negatives=8)
    _print(compare(other, SENSITIVITY, n, sides=(1,)))
    _print(compare(other, Criterion("specificity", 0.98), n, sides=(0, 1)))
    _print(compare(other, Criterion(LARGEST_F1), n, sides=(0, 1)))


def _print(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main()
