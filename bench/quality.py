"""What the quality gate rejects under recorded noise, and whether that helps.

    python -m bench.quality --data ../shared/data --bundle SIBLING

Noise is added to LUDB and to PTB-XL's fold 9 (both folders) at 24 to -6 dB, and the share of
recordings counted that are unusable then. With a bundle that was trained on folds 1-7, the macro
AUC of the superclasses on fold 9 is given for all recordings, for those that the gate keeps, and
for those that it rejects. Two records of the noise are at hand: muscle (ma) and wander (bw).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.noise import add_noise, at_rate, read_noise
from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.preprocess import preprocess
from ecgscreen.quality import assess_quality
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording
from ecgscreen.scoring import quantise_directions, record_embedding, score
from ecgscreen.vocabulary import load_vocabulary
from engines.base import Engine
from engines.select import load_engine
from trainer.data import read_ptbxl_table
from trainer.evaluate_sets import check_not_trained_on_folds
from trainer.metrics import macro_auc, measurable

DECIBELS = (24, 12, 6, 0, -6)
FOLDERS = ("ptb-xl", "ptb-xl-zscored")
TEST_FOLD = 9


@dataclass(frozen=True)
class Carried:
    """A recording and the superclasses that it carries, bool (K,)."""

    recording: Recording
    classes: NDArray[np.bool_]


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, help="trained on folds 1-7: gives the curve of AUC")
    arguments = parser.parse_args()
    data: Path = arguments.data
    names, carried = test_fold(data)
    sets = {"ludb": ludb(data), "ptb-xl fold 9": [case.recording for case in carried]}
    noises = {name: read_noise(data / "nstdb", name) for name in ("ma", "bw")}
    print(
        "| set | n | noise | ratio in | clean | " + " | ".join(f"{d} dB" for d in DECIBELS) + " |"
    )
    print("|---" * (5 + len(DECIBELS)) + "|")
    for label, recordings in sets.items():
        for name, noise in noises.items():
            for in_band in (True, False):
                shares = [rejected(recordings)] + [
                    rejected(noised(recordings, noise, d, in_band)) for d in DECIBELS
                ]
                cells = " | ".join(f"{100 * share:.1f} %" for share in shares)
                band = "0.5-40 Hz" if in_band else "all"
                print(f"| {label} | {len(recordings)} | {name} | {band} | {cells} |", flush=True)
    if arguments.bundle is not None:
        print_curve(load_bundle(arguments.bundle), names, carried, noises["ma"])


def ludb(data: Path) -> list[Recording]:
    """Every recording of LUDB."""
    found = [read_recording(path) for path in sorted((data / "ludb").rglob("*.hea"))]
    return [recording for recording in found if isinstance(recording, Recording)]


def test_fold(data: Path) -> tuple[tuple[str, ...], list[Carried]]:
    """The K superclasses' ids, and the recordings of fold 9."""
    vocabulary = load_vocabulary()
    names = tuple(concept.id for concept in vocabulary.task("superclass"))
    cases = []
    for folder in FOLDERS:
        for row in read_ptbxl_table(data / folder, (TEST_FOLD,)):
            recording = read_recording(row.path, data / folder)
            if isinstance(recording, Recording):
                concepts = vocabulary.concepts_of(row.scp_codes)
                cases.append(Carried(recording, np.array([name in concepts for name in names])))
    return names, cases


def noised(
    recordings: Sequence[Recording], noise: NDArray[np.float32], decibels: float, in_band: bool
) -> list[Recording]:
    """The recordings with noise, the same stretches each time."""
    rng = np.random.default_rng(0)
    rates = {recording.sampling_rate for recording in recordings}
    at = {rate: at_rate(noise, rate) for rate in rates}
    return [
        add_noise(one, at[one.sampling_rate], decibels, rng, in_band=in_band) for one in recordings
    ]


def rejected(recordings: Sequence[Recording]) -> float:
    """The share that is unusable."""
    return float(np.mean([assess_quality(one).reason is not None for one in recordings]))


def print_curve(
    bundle: Bundle, names: tuple[str, ...], cases: Sequence[Carried], noise: NDArray[np.float32]
) -> None:
    """The macro AUC against the noise in the encoder's band."""
    check_not_trained_on_folds(bundle, (TEST_FOLD,))
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32", threads=1)
    directions = quantise_directions(np.stack([bundle.direction(name) for name in names]))
    carried = np.stack([case.classes for case in cases])
    clean = [case.recording for case in cases]
    print("\n| muscle noise | all | kept: n | kept | all leads, kept | rejected: n | rejected |")
    print("|---" * 7 + "|")
    for decibels in (None, *DECIBELS):
        now = clean if decibels is None else noised(clean, noise, decibels, in_band=True)
        qualities = [assess_quality(one) for one in now]
        kept = np.array([quality.reason is None for quality in qualities])
        whole = [np.ones(len(LEADS), np.bool_)] * len(now)
        ungated = score(embed(now, whole, engine, bundle), directions)
        masks = [q.usable if q.reason is None else w for q, w in zip(qualities, whole, strict=True)]
        gated = score(embed(now, masks, engine, bundle), directions)
        figures = (
            _auc(ungated, carried),
            str(int(kept.sum())),
            _auc(gated[kept], carried[kept]),
            _auc(ungated[kept], carried[kept]),
            str(int((~kept).sum())),
            _auc(ungated[~kept], carried[~kept]),
        )
        label = "none" if decibels is None else f"{decibels} dB"
        print(f"| {label} | {' | '.join(figures)} |", flush=True)


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


def _auc(scores: NDArray[np.float32], carried: NDArray[np.bool_]) -> str:
    enough = measurable(carried)
    return f"{macro_auc(scores[:, enough], carried[:, enough]):.3f}" if enough.any() else ""


if __name__ == "__main__":
    main()
