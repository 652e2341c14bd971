"""Whether the mean of wordings, and of shifted windows, tells more than one: on fold 8.

    python -m bench.ensembles --bundle runs/final2/sibling ptb-xl ptb-xl-zscored

A bundle holds a concept as the mean direction of its wordings; here its bare name stands beside. A
recording of ten seconds is one window; here the mean with two that are shifted by half a second, as
scans take the mean of a long recording's windows. Macro AUC, differences paired over patients.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.scoring import quantise_directions, record_embedding, score
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.vocabulary import Vocabulary, load_vocabulary
from engines.base import Engine
from engines.select import load_engine
from trainer.data import LabelledRecordings, load_ptbxl
from trainer.metrics import Interval, bootstrap_interval, macro_auc, measurable

TASKS = ("superclass", "subclass", "diagnostic", "form", "rhythm")
SHIFT_S = 0.5


@dataclass(frozen=True, eq=False)
class Arm:
    """A way to score: embeddings float16 (N, D), and a direction (D,) by concept."""

    embeddings: NDArray[np.float16]
    directions: dict[str, NDArray[np.float32]]


def shifted(windows: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Windows moved by some samples, mirrored where they end; float32, the same shape."""
    padded = np.pad(windows, ((0, 0), (0, 0), (abs(n), abs(n))), mode="reflect")
    start = abs(n) + n
    moved: NDArray[np.float32] = padded[:, :, start : start + windows.shape[2]]
    return moved


def main() -> None:
    """Print a table a fold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--folds", type=int, nargs="+", default=[8])
    arguments = parser.parse_args()
    bundle, vocabulary = load_bundle(arguments.bundle), load_vocabulary()
    engine = load_engine("openvino", bundle.encoder_onnx, threads=1)
    names = _by_name(bundle, vocabulary)
    for fold in arguments.folds:
        recordings = load_ptbxl(arguments.folders, [fold], vocabulary, bundle.preprocessing)
        one, mean = _embeddings(engine, recordings, bundle.preprocessing.sampling_rate)
        arms = {
            "mean of wordings, one window (as it is)": Arm(one, bundle.concepts),
            "bare name": Arm(one, names),
            "mean of three windows": Arm(mean, bundle.concepts),
        }
        print(f"\n| fold {fold}, {len(one)} recordings | {' | '.join(TASKS)} |")
        print(f"|---|{'---|' * len(TASKS)}")
        base = None
        for label, arm in arms.items():
            cells = []
            for task in TASKS:
                scores, positive = _scores(arm, recordings, vocabulary, task)
                cell = f"{macro_auc(scores, positive):.3f}"
                if base is not None:
                    against = _scores(base, recordings, vocabulary, task)[0]
                    value, interval = _difference(scores, against, positive, recordings.patients)
                    cell += f", {value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"
                cells.append(cell)
            base = base or arm
            print(f"| {label} | {' | '.join(cells)} |", flush=True)


def _by_name(bundle: Bundle, vocabulary: Vocabulary) -> dict[str, NDArray[np.float32]]:
    encoder = TextEncoder(str(bundle.manifest["text_encoder"]["name"]))
    known = [concept for concept in vocabulary.concepts if concept.id in bundle.concepts]
    rows = bundle.text_head.project(encoder.embed([concept.name for concept in known]))
    return {concept.id: row for concept, row in zip(known, rows, strict=True)}


def _embeddings(
    engine: Engine, recordings: LabelledRecordings, sampling_rate: float
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    n = round(SHIFT_S * sampling_rate)
    all_three = np.stack(
        [
            engine.embed(shifted(recordings.windows, shift), recordings.lead_mask)
            for shift in (0, -n, n)
        ],
        axis=1,
    ).astype(np.float16)
    return all_three[:, 0], np.stack([record_embedding(rows) for rows in all_three])


def _scores(
    arm: Arm, recordings: LabelledRecordings, vocabulary: Vocabulary, task: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    names = [each.id for each in vocabulary.task(task) if each.id in recordings.concept_ids]
    positive = recordings.carried[:, [recordings.concept_ids.index(name) for name in names]]
    counted = measurable(positive)
    directions = np.stack([arm.directions[name] for name in names])[counted]
    return score(arm.embeddings, quantise_directions(directions)), positive[:, counted]


def _difference(
    scores: NDArray[np.float32],
    against: NDArray[np.float32],
    positive: NDArray[np.bool_],
    patients: NDArray[np.str_],
) -> tuple[float, Interval]:
    def statistic(rows: NDArray[np.intp]) -> float:
        truth = positive[rows]
        return macro_auc(scores[rows], truth) - macro_auc(against[rows], truth)

    return statistic(np.arange(len(scores))), bootstrap_interval(statistic, patients)


if __name__ == "__main__":
    main()
