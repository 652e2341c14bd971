"""The reports of a few results of every kind, written for a test."""

from __future__ import annotations

import csv
import os
import random
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from ecgscreen.calibration import PlattScaling
from ecgscreen.reports import DiagnosisRow, Provenance, Report, RunSummary, write_reports
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.run_store import RunStore
from ecgscreen.scoring import quantise_directions, record_embedding, score
from engines.base import EngineInfo
from tests.ecgscreen.rows import scored

D = 16
RNG = np.random.default_rng(0)
DIAGNOSES = (
    DiagnosisRow("atrial fibrillation | AF", "AFIB", "attention", "vocabulary", -0.2),
    DiagnosisRow("=weird, line", "", "info", "zero-shot"),
    DiagnosisRow(
        "Vorhofflattern ä",
        "AFLT",
        "critical",
        "vocabulary",
        0.0,
        "largest F1",
        PlattScaling(5.0, -1.0),
    ),
    DiagnosisRow("=weird, line", "", "info", "zero-shot", -0.9),
)
DIRECTIONS = quantise_directions(RNG.standard_normal((len(DIAGNOSES), D)))
STARTED = datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))
PROVENANCE = Provenance(
    version="0.1.0",
    command="scan",
    arguments={"roots": ["records"], "engine": None},
    started=STARTED,
    ended=STARTED + timedelta(seconds=4),
    bundle_name="default",
    bundle_sha256="b" * 64,
    list_name="rhythm.txt",
    list_sha256="c" * 64,
    preprocessing={"sampling_rate": 100.0, "band": [0.5, 40.0]},
    engine=EngineInfo("openvino", "2026.4", "CPU x", "f32", 32),
    engine_reason="the default",
    n_ignored=3,
)


RAW_BYTE = os.fsdecode(b"d/\xff.hea")
RESULTS = [
    scored("=cmd|' /C calc'!A0.hea", seed=1),
    scored('b/"quoted", with\nnewline.hea', n_windows=3, seed=2),
    not_scored("c/short.hea", Status.UNUSABLE, "too short", "2.0 s,\nat least 5 s"),
    scored(RAW_BYTE, seed=3),
    not_scored("e/cut.hea", Status.ERROR, "signal file truncated", "6 of 12 bytes"),
    not_scored("f/gone.hea", Status.VANISHED, "vanished during the run"),
    scored("g/ä.hea", n_windows=2, seed=4),
    scored("h/last.hea", seed=5),
]
SCORED = np.array([result.status is Status.SCORED for result in RESULTS])


def make_report(
    folder: Path, results: Iterable[RecordResult], reference: NDArray[np.float32] | None = None
) -> Report:
    store = RunStore.create(folder / "store", {})
    for each in results:
        store.append(each)
    store.finish()
    return Report(store, DIAGNOSES, DIRECTIONS, reference, PROVENANCE)


REFERENCE = score(scored("", 40, seed=9).embeddings, DIRECTIONS)


def write_sample(out: Path) -> tuple[Path, RunSummary]:
    """Write the reports of `RESULTS`, which arrived in another order."""
    shuffled = random.Random(3).sample(RESULTS, len(RESULTS))
    return out, write_reports(make_report(out, shuffled, REFERENCE), out)


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def expected_embeddings() -> NDArray[np.float16]:
    rows = np.full((len(RESULTS), D), np.nan, np.float16)
    for row, result in enumerate(RESULTS):
        if result.n_windows:
            rows[row] = record_embedding(result.embeddings)
    return rows


def text(dataset: h5py.Dataset) -> list[str]:
    assert h5py.check_string_dtype(dataset.dtype) == ("utf-8", None)
    return [value.decode("utf-8") for value in dataset[...]]
