"""Where to put a threshold that nine of ten positives reach: quantiles and their rivals.

    python -m bench.sensitivity_thresholds --bundle runs/final2/sibling ptb-xl ptb-xl-zscored

The bundle was trained on folds 1-7. Two tables, both of fold 8 alone: each concept's positives are
split by patient, many times, into those that a threshold is learned on and those that are held
against it; and sets of any size are drawn from its scores, taken for a distribution that is known.
Fold 9 only says which concepts have 20 positives there, too: its scores are not looked at.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.calibration_methods import TARGET, Fold, Scores, read_folds
from ecgscreen.bundle import load_bundle
from trainer.exact import beta_cdf, promise_interval, promised

Way: TypeAlias = Callable[[Scores], Scores]
"""From R sets of n scores, shape (R, n), rising, to R thresholds."""

MISSED = 1 - TARGET
SIZES = (20, 30, 40, 60, 80, 100, 150)
_LEFT = 20
"""Positives of a split that are held against the threshold, at least."""
_GRID = 4001
_HALVINGS = 30


def weibull(own: Scores) -> Scores:
    """The place (n + 1) p between two scores: the one in use."""
    n = own.shape[1]
    place = min(max(MISSED * (n + 1), 1.0), float(n))
    before = math.floor(place + 1e-9)
    low, high = own[:, before - 1], own[:, min(before, n - 1)]
    thresholds: Scores = low + max(place - before, 0.0) * (high - low)
    return thresholds


@lru_cache
def harrell_davis_weights(n: int, share: float) -> Scores:
    """Of n rising scores; Harrell & Davis, Biometrika 1982."""
    ends = beta_cdf(np.arange(n + 1) / n, (n + 1) * share, (n + 1) * (1 - share))
    return np.diff(ends)


def harrell_davis(own: Scores) -> Scores:
    """All scores, weighted by how likely each is the quantile."""
    thresholds: Scores = own @ harrell_davis_weights(own.shape[1], MISSED)
    return thresholds


@lru_cache
def _centred_share(n: int) -> float:
    """With which the weights' mean place is (n + 1) p: right on average where scores are even."""
    low, high = MISSED / 100, MISSED * 3
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        place = float(harrell_davis_weights(n, middle) @ np.arange(1, n + 1))
        low, high = (middle, high) if place < MISSED * (n + 1) else (low, middle)
    return low


def harrell_davis_centred(own: Scores) -> Scores:
    """The same about the place that is in use."""
    n = own.shape[1]
    thresholds: Scores = own @ harrell_davis_weights(n, _centred_share(n))
    return thresholds


def kernel(own: Scores) -> Scores:
    """Of the scores smoothed by a normal kernel (Silverman 1986, rule of thumb)."""
    n = own.shape[1]
    spread = np.subtract(*np.quantile(own, [0.75, 0.25], axis=1)) / 1.349
    deviation = own.std(axis=1, ddof=1)
    width = 0.9 * np.minimum(deviation, np.where(spread > 0, spread, deviation)) * n**-0.2
    grid = np.linspace(-6, 6, _GRID)
    normal = NormalDist()
    below = np.array([normal.cdf(each) for each in grid.tolist()])
    low, high = own[:, 0] - 6 * width, own[:, -1].copy()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = np.interp((middle[:, None] - own) / width[:, None], grid, below).mean(axis=1)
        low, high = (
            np.where(reached < MISSED, middle, low),
            np.where(reached < MISSED, high, middle),
        )
    return np.asarray(low)


def binormal(own: Scores) -> Scores:
    """Of a normal distribution with the scores' mean and deviation (Dorfman & Alf 1969)."""
    thresholds: Scores = own.mean(axis=1) + NormalDist().inv_cdf(MISSED) * own.std(axis=1, ddof=1)
    return thresholds


def logistic(own: Scores) -> Scores:
    """Of a logistic distribution with the scores' mean and deviation."""
    scale = own.std(axis=1, ddof=1) * math.sqrt(3) / math.pi
    thresholds: Scores = own.mean(axis=1) + math.log(MISSED / TARGET) * scale
    return thresholds


WAYS: Mapping[str, Way] = {
    "quantile (n + 1) p, as it is": weibull,
    "Harrell-Davis": harrell_davis,
    "Harrell-Davis, centred": harrell_davis_centred,
    "kernel": kernel,
    "binormal": binormal,
    "logistic": logistic,
}


def split_errors(
    fold: Fold, column: int, n: int, times: int, rng: np.random.Generator
) -> dict[str, tuple[float, float, float]]:
    """Of a concept: mean error, mean square of the error, and how often an interval holds .90.

    The square is less what the few that are held against a threshold add by chance. A set has n
    positives of patients in random order; the others are of other patients.
    """
    own = np.flatnonzero(fold.positive[:, column])
    _, owner = np.unique(fold.patients[own], return_inverse=True)
    scores = fold.scores[own, column]
    learned, others = np.empty((times, n)), []
    for time in range(times):
        order = np.argsort(rng.permutation(owner.max() + 1)[owner], kind="stable")
        learned[time] = np.sort(scores[order[:n]])
        others.append(scores[order[n:]][~np.isin(owner[order[n:]], owner[order[:n]])])
    found = {}
    for name, way in WAYS.items():
        errors, noise, held = np.empty(times), np.empty(times), np.empty(times)
        for time, level in enumerate(way(learned).tolist()):
            m, reached = len(others[time]), int((others[time] >= level).sum())
            share = reached / m
            errors[time], noise[time] = share - TARGET, share * (1 - share) / (m - 1)
            held[time] = _holds(reached, m, n)
        mean, square = float(errors.mean()), float((errors**2 - noise).mean())
        found[name] = mean, square, float(held.mean())
    return found


@cache
def _holds(reached: int, m: int, n: int) -> bool:
    interval = promise_interval(reached, m, n, TARGET)
    return interval.low <= TARGET <= interval.high


def drawn_errors(
    scores: Scores, n: int, times: int, rng: np.random.Generator
) -> dict[str, tuple[float, float, float]]:
    """Of scores, shape (N,), taken for quantiles at i / (N + 1) with straight lines between.

    As `split_errors`, the truth being known: the last is how often `promised` holds it.
    """
    ranked = np.sort(scores)
    places = np.arange(len(ranked) + 2) / (len(ranked) + 1)
    gap = (ranked[-1] - ranked[0]) / len(ranked)
    ends = np.concatenate([[2 * ranked[0] - ranked[2]], ranked, [ranked[-1] + gap]])
    sets = np.sort(np.interp(rng.random((times, n)), places, ends), axis=1)
    interval = promised(n, TARGET)
    found = {}
    for name, way in WAYS.items():
        reached = 1 - np.interp(way(sets), ends, places)
        errors = reached - TARGET
        held = (reached >= interval.low) & (reached <= interval.high)
        found[name] = float(errors.mean()), float(np.square(errors).mean()), float(held.mean())
    return found


def table(
    rows: Mapping[int, list[dict[str, tuple[float, float, float]]]], interval: str
) -> list[str]:
    """A row a size and way: the mean over concepts, and the worst of them."""
    lines = [
        f"| positives | concepts | way | mean error | largest | RMSE | {interval} | least |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for n, concepts in rows.items():
        for name in WAYS:
            means, squares, held = np.array([each[name] for each in concepts]).T
            largest = float(means[np.abs(means).argmax()])
            rmse = math.sqrt(max(float(squares.mean()), 0.0))
            lines.append(
                f"| {n} | {len(concepts)} | {name} | {means.mean():+.4f} | {largest:+.4f} | "
                f"{rmse:.4f} | {held.mean():.3f} | {held.min():.3f} |"
            )
    return lines


def compare(fold: Fold, sizes: tuple[int, ...], times: int) -> list[str]:
    """Both tables; a line without text between them."""
    rng = np.random.default_rng(0)
    columns = range(fold.scores.shape[1])
    n_positive: NDArray[np.intp] = fold.positive.sum(axis=0)
    split, drawn = {}, {}
    for n in sizes:
        enough = [k for k in columns if n_positive[k] >= n + _LEFT]
        if enough:
            split[n] = [split_errors(fold, k, n, times, rng) for k in enough]
        own = (fold.scores[fold.positive[:, k], k] for k in columns)
        drawn[n] = [drawn_errors(each, n, times, rng) for each in own]
    return [*table(split, "interval holds .90"), "", *table(drawn, "interval holds it")]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--times", type=int, default=1000)
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    names, fold, _ = read_folds(bundle, arguments.folders)
    print(f"{len(names)} concepts of fold 8, bundle {bundle.sha256[:12]}: {', '.join(names)}\n")
    print("\n".join(compare(fold, SIZES, arguments.times)))


if __name__ == "__main__":
    main()
