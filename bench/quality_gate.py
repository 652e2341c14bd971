"""Whether the quality gate earns its place: AUC against muscle noise, with it and without.

    python -m bench.quality_gate --data ../shared/data --bundle SIBLING

The macro AUC of the superclasses on PTB-XL's fold 9, by a bundle that was trained on folds 1-7,
under record ``ma`` of the noise stress test database: in all leads of all recordings, in all leads
of half of the recordings (a night of mixed quality), and in some leads of all. Beside the figure
of everything, scored with all leads, stands that of what the gate keeps, scored with the leads
that it leaves. Intervals are of 95 %, by bootstrap over patients; the difference is of the kept
with the gate and of all without it, on the same draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.noise import Ratio, read_noise
from bench.quality import TEST_FOLD, Carried, noised, test_fold
from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.preprocess import preprocess
from ecgscreen.quality import assess_quality
from ecgscreen.recording import LEADS, Recording
from ecgscreen.scoring import quantise_directions, record_embedding, score
from engines.base import Engine
from engines.select import load_engine
from trainer.evaluate_sets import check_not_trained_on_folds
from trainer.metrics import bootstrap_interval, macro_auc, measurable

LIMBS = 6
SOME_LEADS = 3
REPLICATES = 500
_FEW = 30
_WHOLE = np.ones(len(LEADS), np.bool_)


@dataclass(frozen=True)
class Outcome:
    """What became of recordings.

    Attributes
    ----------
    kept
        bool, shape (N,).
    without, gated
        float32, shape (N, K): cosines with all leads, and with those that the gate leaves (with
        all where it rejects).
    """

    kept: NDArray[np.bool_]
    without: NDArray[np.float32]
    gated: NDArray[np.float32]


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True, help="trained on folds 1-7")
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    check_not_trained_on_folds(bundle, (TEST_FOLD,))
    names, cases = test_fold(arguments.data)
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32", threads=1)
    directions = quantise_directions(np.stack([bundle.direction(name) for name in names]))

    def outcome(recordings: Sequence[Recording]) -> Outcome:
        qualities = [assess_quality(one) for one in recordings]
        kept = np.array([quality.reason is None for quality in qualities])
        masks = [quality.usable if quality.reason is None else _WHOLE for quality in qualities]
        whole = [_WHOLE] * len(recordings)
        without = score(embed(recordings, whole, engine, bundle), directions)
        gated = score(embed(recordings, masks, engine, bundle), directions)
        return Outcome(kept, without, gated)

    clean = [case.recording for case in cases]
    reference = outcome(clean)
    print("| noise in | ratio of | dB | all | kept: n | kept, no gate | kept, gated | difference |")
    print("|---" * 8 + "|")
    print_row("nothing", "", "", reference, cases)
    half = np.random.default_rng(1).random(len(cases)) < 0.5
    for where, ratio, decibels, spoil in situations(read_noise(arguments.data / "nstdb", "ma")):
        found = outcome(spoil(clean))
        print_row(where, ratio, f"{decibels}", found, cases)
        if where == "all leads":
            mixed = Outcome(
                np.where(half, found.kept, reference.kept),
                np.where(half[:, np.newaxis], found.without, reference.without),
                np.where(half[:, np.newaxis], found.gated, reference.gated),
            )
            print_row("all leads of half of them", ratio, f"{decibels}", mixed, cases)


def situations(
    noise: NDArray[np.float32],
) -> Iterator[tuple[str, Ratio, int, Callable[[Sequence[Recording]], list[Recording]]]]:
    """Where the noise is, how loud, and what adds it."""

    def in_rows(
        decibels: int, ratio: Ratio, rows: Callable[[np.random.Generator], NDArray[np.intp]]
    ) -> Callable[[Sequence[Recording]], list[Recording]]:
        def spoil(recordings: Sequence[Recording]) -> list[Recording]:
            rng = np.random.default_rng(2)
            noisy = noised(recordings, noise, decibels, ratio)
            return [_with_rows(*pair, rows(rng)) for pair in zip(recordings, noisy, strict=True)]

        return spoil

    def all_rows(_: np.random.Generator) -> NDArray[np.intp]:
        return np.arange(len(LEADS))

    def limbs(_: np.random.Generator) -> NDArray[np.intp]:
        return np.arange(LIMBS)

    def some(rng: np.random.Generator) -> NDArray[np.intp]:
        return rng.permutation(len(LEADS))[:SOME_LEADS]

    for ratio, all_decibels in ((Ratio.QRS, (24, 12, 6, 0, -6)), (Ratio.BAND, (6, 0, -6, -12))):
        for decibels in all_decibels:
            yield "all leads", ratio, decibels, in_rows(decibels, ratio, all_rows)
    for decibels in (12, 6, 0, -6):
        yield "limb leads", Ratio.QRS, decibels, in_rows(decibels, Ratio.QRS, limbs)
    for decibels in (12, 6, 0, -6):
        yield "three leads", Ratio.QRS, decibels, in_rows(decibels, Ratio.QRS, some)


def _with_rows(clean: Recording, noisy: Recording, rows: NDArray[np.intp]) -> Recording:
    signal = clean.signal.copy()
    signal[rows] = noisy.signal[rows]
    return replace(clean, signal=signal)


def print_row(
    where: str, ratio: str, decibels: str, found: Outcome, cases: Sequence[Carried]
) -> None:
    """One line of the table."""
    carried = np.stack([case.classes for case in cases])
    patients = np.array([case.patient for case in cases])

    def of_all(rows: NDArray[np.intp]) -> float:
        return _auc(found.without[rows], carried[rows])

    def of_kept(scores: NDArray[np.float32]) -> Callable[[NDArray[np.intp]], float]:
        def statistic(rows: NDArray[np.intp]) -> float:
            rows = rows[found.kept[rows]]
            return _auc(scores[rows], carried[rows])

        return statistic

    def difference(rows: NDArray[np.intp]) -> float:
        return of_kept(found.gated)(rows) - of_all(rows)

    everything = np.arange(len(cases))

    def cell(statistic: Callable[[NDArray[np.intp]], float], form: str = ".3f") -> str:
        interval = bootstrap_interval(statistic, patients, replicates=REPLICATES)
        low, high = (f"{value:{form}}" for value in (interval.low, interval.high))
        return f"{statistic(everything):{form}} ({low} to {high})".replace("0.", ".")

    n_kept = int(found.kept.sum())
    cells = [cell(of_all), str(n_kept)]
    if n_kept >= _FEW:
        cells += [cell(of_kept(found.without)), cell(of_kept(found.gated))]
        cells.append(cell(difference, "+.3f"))
    else:
        cells += ["", "", ""]
    print(f"| {where} | {ratio} | {decibels} | {' | '.join(cells)} |", flush=True)


def embed(
    recordings: Sequence[Recording],
    masks: Sequence[NDArray[np.bool_]],
    engine: Engine,
    bundle: Bundle,
) -> NDArray[np.float16]:
    """Embeddings as a scan stores them, float16 (N, D)."""
    prepared = [
        preprocess(recording, mask, bundle.preprocessing)
        for recording, mask in zip(recordings, masks, strict=True)
    ]
    counts = [len(one.windows) for one in prepared]
    rows = engine.embed(
        np.concatenate([one.windows for one in prepared]),
        np.repeat(np.stack([one.lead_mask for one in prepared]), counts, axis=0),
    ).astype(np.float16)
    return np.stack([record_embedding(part) for part in np.split(rows, np.cumsum(counts)[:-1])])


def _auc(scores: NDArray[np.float32], carried: NDArray[np.bool_]) -> float:
    enough = measurable(carried)
    return macro_auc(scores[:, enough], carried[:, enough]) if enough.any() else float("nan")


if __name__ == "__main__":
    main()
