"""How scores become probabilities, and where a sensitivity of .90 is put: chosen on fold 8.

    python -m bench.calibration_methods --bundle runs/final2/sibling ptb-xl ptb-xl-zscored

The bundle was trained on folds 1-7. Methods are compared by cross-fitting over the patients of fold
8 (5 parts, 10 times); what they do on fold 9 stands beside, and decides nothing. Concepts with 20
positives and 20 negatives in both folds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.calibration import sigmoid
from ecgscreen.scoring import quantise_directions, score
from ecgscreen.vocabulary import load_vocabulary
from engines.select import load_engine
from trainer.datasets.embedded import EmbeddedSet, embed_set
from trainer.datasets.ptbxl import ptbxl_set
from trainer.exact import beta_cdf, beta_quantiles
from trainer.operating_point import Criterion, choose_threshold, threshold_draws
from trainer.platt import MIN_POSITIVES_TO_LEARN, fit_platt
from trainer.rates import learned_rates, rates_at
from trainer.reliability import brier_score, calibration_error

PARTS, TIMES = 5, 10
TARGET = 0.9
_OUTSIDE = 0.025
Scores: TypeAlias = NDArray[np.float64]
Truth: TypeAlias = NDArray[np.bool_]
Method: TypeAlias = Callable[[Scores, Truth], Callable[[Scores], Scores]]


@dataclass(frozen=True, eq=False)
class Fold:
    """Scores float64 and truth bool, shape (N, K), and patients, shape (N,)."""

    scores: Scores
    positive: Truth
    patients: NDArray[np.str_]


def platt(scores: Scores, positive: Truth) -> Callable[[Scores], Scores]:
    """As bundles and calibrations have it."""
    slope, intercept = fit_platt(scores, positive)
    return lambda new: sigmoid(slope * new + intercept)


def isotonic(scores: Scores, positive: Truth) -> Callable[[Scores], Scores]:
    """Pooled adjacent violators (Ayer et al., Annals of Mathematical Statistics 1955).

    Linear between scores; kept from 0 and 1 as far as Platt's targets are.
    """
    places, inverse = np.unique(scores, return_inverse=True)
    n = np.bincount(inverse).astype(np.float64)
    means = np.bincount(inverse, positive.astype(np.float64)) / n
    blocks: list[tuple[float, float, int]] = []  # mean, recordings, places
    for mean, weight in zip(means.tolist(), n.tolist(), strict=True):
        block = (mean, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            total = before[1] + block[1]
            joined = (before[0] * before[1] + block[0] * block[1]) / total
            block = (joined, total, before[2] + block[2])
        blocks.append(block)
    heights = np.concatenate([np.full(count, mean) for mean, _, count in blocks])
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    least, most = 1 / (n_negative + 2), (n_positive + 1) / (n_positive + 2)
    return lambda new: np.clip(np.interp(new, places, heights), least, most)


def mean_of_both(scores: Scores, positive: Truth) -> Callable[[Scores], Scores]:
    """The mean of the two probabilities."""
    one, other = platt(scores, positive), isotonic(scores, positive)
    return lambda new: (one(new) + other(new)) / 2


METHODS: Mapping[str, Method] = {
    "Platt": platt,
    "isotonic": isotonic,
    "mean of both": mean_of_both,
}
QUANTILES = ("conformal", "weibull", "linear", "hazen", "median_unbiased")
"""The ceil(t (n + 1))-th score, and numpy's names of Hyndman & Fan's definitions 6, 7, 5 and 8."""


def threshold(way: str, positives: Scores) -> float:
    """A threshold that nine of ten positives should reach."""
    if way == "conformal":
        rank = min(int(np.ceil(TARGET * (len(positives) + 1) - 1e-9)), len(positives))
        return float(np.sort(positives)[len(positives) - rank])
    return float(np.quantile(positives, 1 - TARGET, method=way))  # type: ignore[call-overload]  # a name as text


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--bundle", type=Path, required=True)
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    names, learn, test = read_folds(bundle, arguments.folders)
    print(f"{len(names)} concepts, bundle {bundle.sha256[:12]}: {', '.join(names)}\n")
    _methods(learn, test)
    _quantiles(learn, test)
    _operating_points(names, learn, test)


def read_folds(bundle: Bundle, folders: list[Path]) -> tuple[list[str], Fold, Fold]:
    """Concepts with enough recordings in both, fold 8 and fold 9."""
    vocabulary = load_vocabulary()
    engine = load_engine("openvino", bundle.encoder_onnx, threads=1)
    sets = [
        embed_set(engine, ptbxl_set(folders, [fold], vocabulary), bundle.preprocessing)
        for fold in (8, 9)
    ]
    names = [name for name in sets[0].concept_ids if all(_enough(each, name) for each in sets)]
    directions = quantise_directions(np.stack([bundle.direction(name) for name in names]))
    learn, test = (
        Fold(
            score(each.embeddings, directions).astype(np.float64),
            each.carried[:, [each.concept_ids.index(name) for name in names]],
            each.patients,
        )
        for each in sets
    )
    return names, learn, test


def _enough(found: EmbeddedSet, name: str) -> bool:
    if name not in found.concept_ids:
        return False
    n = int(found.carried[:, found.concept_ids.index(name)].sum())
    return min(n, len(found.carried) - n) >= MIN_POSITIVES_TO_LEARN


def _parts(patients: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.intp]:
    each, owner = np.unique(patients, return_inverse=True)
    part: NDArray[np.intp] = (rng.permutation(len(each)) % PARTS)[owner]
    return part


def _methods(learn: Fold, test: Fold) -> None:
    print("| | Brier, fold 8 cross-fitted | calibration error | log loss | Brier, fold 9 | error |")
    print("|---|---|---|---|---|---|")
    columns = range(learn.scores.shape[1])
    for name, fit in METHODS.items():
        rng, figures = np.random.default_rng(0), []
        for _ in range(TIMES):
            part = _parts(learn.patients, rng)
            p = np.empty_like(learn.scores)
            for k in columns:
                for number in range(PARTS):
                    out = part == number
                    fitted = fit(learn.scores[~out, k], learn.positive[~out, k])
                    p[out, k] = fitted(learn.scores[out, k])
            figures.append(_figures(p, learn.positive))
        new = [fit(learn.scores[:, k], learn.positive[:, k])(test.scores[:, k]) for k in columns]
        on_test = _figures(np.stack(new, axis=1), test.positive)
        cells = [*np.mean(figures, axis=0).tolist(), *on_test[:2]]
        print(f"| {name} | {' | '.join(f'{value:.4f}' for value in cells)} |")


def _figures(p: Scores, positive: Truth) -> tuple[float, float, float]:
    """Brier score, calibration error and log loss, pooled."""
    flat, truth = p.T.ravel(), positive.T.ravel()
    loss = -np.log(np.clip(np.where(truth, flat, 1 - flat), 1e-6, 1)).mean()
    return brier_score(flat, truth), calibration_error(flat, truth), float(loss)


def _quantiles(learn: Fold, test: Fold) -> None:
    print("\n| quantile | sensitivity, fold 8 cross-fitted | off .90 (RMS) | fold 9 | off .90 |")
    print("|---|---|---|---|---|")
    columns = range(learn.scores.shape[1])
    for way in QUANTILES:
        rng = np.random.default_rng(0)
        reached = np.zeros((TIMES, len(columns)))
        for time in range(TIMES):
            part = _parts(learn.patients, rng)
            for k in columns:
                scores, positive = learn.scores[:, k], learn.positive[:, k]
                for number in range(PARTS):
                    out = part == number
                    level = threshold(way, scores[positive & ~out])
                    reached[time, k] += (scores[positive & out] >= level).sum() / positive.sum()
        found = np.array(
            [
                (test.scores[test.positive[:, k], k] >= level).mean()
                for k in columns
                for level in [threshold(way, learn.scores[learn.positive[:, k], k])]
            ]
        )
        cells = [reached.mean(), _off(reached.mean(axis=0)), found.mean(), _off(found)]
        print(f"| {way} | {' | '.join(f'{float(value):.3f}' for value in cells)} |")


def _off(values: Scores) -> float:
    return float(np.sqrt(np.square(values - TARGET).mean()))


def _operating_points(names: list[str], learn: Fold, test: Fold) -> None:
    print(
        "\n| concept | positives in 8, 9 | sensitivity on fold 9 | at this threshold | "
        "of the operating point | chance of so far off, one side |"
    )
    print("|---|---|---|---|---|---|")
    criterion, inside, at = Criterion("sensitivity", TARGET), 0, 0
    chances: list[float] = []
    for k, name in enumerate(names):
        own = (learn.scores[:, k], learn.positive[:, k])
        draws = threshold_draws(criterion, *own, learn.patients)
        level = choose_threshold(criterion, *own)
        truth = test.positive[:, k]
        _, promise = learned_rates(criterion, rates_at(level, *own, learn.patients))
        found = rates_at(level, test.scores[:, k], truth, test.patients, draws, promise)
        if promise is None:
            raise ValueError(f"{criterion} promises nothing")
        interval = found.sensitivity_op_ci
        holds = interval.low <= TARGET <= interval.high
        inside += holds
        at += found.sensitivity_ci.low <= TARGET <= found.sensitivity_ci.high
        chances.append(
            _chance(found.sensitivity * found.n_positive, found.n_positive, promise.n_learned)
        )
        print(
            f"| {name} | {int(own[1].sum())}, {int(truth.sum())} | {found.sensitivity:.3f} | "
            f"{found.sensitivity_ci.low:.3f} to {found.sensitivity_ci.high:.3f} | "
            f"{interval.low:.3f} to {interval.high:.3f}{'' if holds else ': without .90'} | "
            f"{chances[-1]:.3f} |"
        )
    print(
        f"\nOf {len(names)} the interval of the operating point holds {TARGET} for {inside}, that "
        f"of the threshold for {at}. With all looked at together (Bonferroni) a chance below "
        f"{_OUTSIDE / len(names):.4f} would be doubtful; the smallest is {min(chances):.4f}."
    )


def _chance(found: float, n: float, n_learned: float) -> float:
    """Of as many or more, or of as few or fewer, whichever is rarer, if the promise is kept."""
    places = (np.arange(1000) + 0.5) / 1000
    rates = beta_quantiles(TARGET * (n_learned + 1), (1 - TARGET) * (n_learned + 1), places)
    more = float(beta_cdf(rates, found, n - found + 1).mean())
    fewer = float(1 - beta_cdf(rates, found + 1, n - found).mean())
    return min(more, fewer)


if __name__ == "__main__":
    main()
