"""What the quality gate rejects under recorded noise.

    python -m bench.quality --data ../shared/data

Noise is added to LUDB and to PTB-XL's fold 9 (both folders) at 24 to -6 dB, and the share of
recordings counted that are unusable then. Two records of the noise are at hand: muscle (ma) and
wander (bw). Whether rejecting helps, `bench.quality_gate` measures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.noise import Ratio, add_noise, at_rate, read_noise
from ecgscreen.quality import assess_quality
from ecgscreen.readers import read_recording
from ecgscreen.recording import Recording
from ecgscreen.vocabulary import load_vocabulary
from trainer.data import read_ptbxl_table

DECIBELS = (24, 12, 6, 0, -6)
FOLDERS = ("ptb-xl", "ptb-xl-zscored")
TEST_FOLD = 9


@dataclass(frozen=True)
class Carried:
    """A recording, whose it is, and the superclasses that it carries, bool (K,)."""

    recording: Recording
    patient: str
    classes: NDArray[np.bool_]


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data: Path = parser.parse_args().data
    _, carried = test_fold(data)
    sets = {"LUDB": ludb(data), "PTB-XL fold 9": [case.recording for case in carried]}
    noises = {name: read_noise(data / "nstdb", name) for name in ("ma", "bw")}
    print(
        "| set | n | noise | ratio of | clean | " + " | ".join(f"{d} dB" for d in DECIBELS) + " |"
    )
    print("|---" * (5 + len(DECIBELS)) + "|")
    for label, recordings in sets.items():
        for name, noise in noises.items():
            for ratio in Ratio:
                shares = [rejected(recordings)] + [
                    rejected(noised(recordings, noise, d, ratio)) for d in DECIBELS
                ]
                cells = " | ".join(f"{100 * share:.1f} %" for share in shares)
                print(f"| {label} | {len(recordings)} | {name} | {ratio} | {cells} |", flush=True)


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
                classes = np.array([name in concepts for name in names])
                cases.append(Carried(recording, row.patient, classes))
    return names, cases


def noised(
    recordings: Sequence[Recording], noise: NDArray[np.float32], decibels: float, ratio: Ratio
) -> list[Recording]:
    """The recordings with noise, the same stretches each time."""
    rng = np.random.default_rng(0)
    rates = {recording.sampling_rate for recording in recordings}
    at = {rate: at_rate(noise, rate) for rate in rates}
    return [add_noise(one, at[one.sampling_rate], decibels, rng, ratio) for one in recordings]


def rejected(recordings: Sequence[Recording]) -> float:
    """The share that is unusable."""
    return float(np.mean([assess_quality(one).reason is not None for one in recordings]))


if __name__ == "__main__":
    main()
