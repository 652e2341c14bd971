"""A bundle is whole, or it is refused by name."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgscreen.bundle import load_bundle
from ecgscreen.bundle_manifest import FILES, MANIFEST, OPTIONAL_FILES
from ecgscreen.errors import BundleError, ExitCode
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import LEADS
from ecgscreen.scoring import percentiles, score
from ecgscreen.vocabulary import load_vocabulary
from tests.ecgscreen.bundles import rewritten


@pytest.fixture
def copy(bundle_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_dir, tmp_path / "copy"))


def refusal(folder: Path) -> BundleError:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert caught.value.exit_code == ExitCode.FAILED
    assert caught.value.advice
    return caught.value


def manifest_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return document


def test_a_whole_bundle(bundle_dir: Path) -> None:
    bundle = load_bundle(bundle_dir)
    assert bundle.name == "tiny"
    assert bundle.preprocessing == PreprocessConfig()
    assert bundle.sha256 == hashlib.sha256((bundle_dir / MANIFEST).read_bytes()).hexdigest()
    assert bundle.encoder_onnx == (bundle_dir / "encoder.onnx").read_bytes()
    vocabulary = load_vocabulary()
    assert list(bundle.concepts) == [concept.id for concept in vocabulary.concepts]
    vectors = np.stack(list(bundle.concepts.values()))
    assert vectors.shape == (len(vocabulary.concepts), bundle.embedding_size)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert np.linalg.norm(bundle.concept_texts, axis=1) == pytest.approx(1.0, abs=1e-3)
    assert len(bundle.concept_texts) == len(vectors)
    assert bundle.reference is not None
    assert bundle.reference.dtype == np.float16
    assert len(bundle.reference) == bundle.manifest["training"]["n_recordings"]
    assert bundle.seen_concepts < set(bundle.concepts)
    assert bundle.direction("AFIB") is bundle.concepts["AFIB"]


def test_thresholds_come_from_enough_validation_recordings(bundle_dir: Path) -> None:
    points = load_bundle(bundle_dir).operating_points
    assert points
    for point in points.values():
        assert 20 <= point.n_positive <= point.n
        assert -1 <= point.threshold <= 1
        assert point.criterion == "largest F1"


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert refusal(copy).message == f"{copy / name}: missing"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda content: content + b"\0", "more bytes, expected {0}"),
        (lambda content: content[:-1], "{1} bytes, expected {0}"),
        (lambda _content: b"", "0 bytes, expected {0}"),
        (lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:], "SHA-256 {2}"),
    ],
    ids=["longer", "shorter", "empty", "altered"],
)
def test_a_damaged_file_is_named(
    copy: Path, name: str, damage: Callable[[bytes], bytes], found: str
) -> None:
    content = (copy / name).read_bytes()
    damaged = damage(content)
    (copy / name).write_bytes(damaged)
    expected = found.format(len(content), len(damaged), hashlib.sha256(damaged).hexdigest())
    assert refusal(copy).message.startswith(f"{copy / name}: {expected}")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "not a bundle's manifest"),
        (b"{", "not a bundle's manifest"),
        (b"\xff\xfe", "not a bundle's manifest"),
        (b"[1]", "not a bundle's manifest"),
        (b"[" * 100_000, "not a bundle's manifest"),
        (b"null", "not a bundle's manifest"),
        (b"{}", "format_version"),
        (b'{"format_version": 1}', "name is None, expected str"),
        (b'{"format_version": 2}', "format version 2, expected 1"),
        (b'{"format_version": "1"}', "format version 1, expected 1"),
    ],
)
def test_a_manifest_of_another_kind(copy: Path, content: bytes, found: str) -> None:
    (copy / MANIFEST).write_bytes(content)
    message = refusal(copy).message
    assert message.startswith(f"{copy / MANIFEST}: ")
    assert found in message


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"lead_order": [*LEADS[1:], LEADS[0]]}, "lead order"),
        ({"lead_order": "I"}, "lead_order is 'I', expected list"),
        ({"lead_order": list(LEADS[:11])}, "lead order"),
        ({"preprocessing": {**PreprocessConfig().to_dict(), "gain": 1.0}}, "gain"),
        ({"preprocessing": {"sampling_rate": 100.0}}, "missing keys: clip"),
        ({"preprocessing": {**PreprocessConfig().to_dict(), "clip": "much"}}, "much"),
        *(
            ({"preprocessing": {**PreprocessConfig().to_dict(), key: value}}, f"{key} is ")
            for key, value in [
                ("sampling_rate", 1e12),
                ("sampling_rate", 0.0),
                ("window_s", 1e9),
                ("window_s", float("nan")),
                ("high_pass_hz", 0.0),
                ("low_pass_hz", 60.0),
                ("stop_hz", 80.0),
                ("millivolts_per_unit", 0.0),
                ("clip", -1.0),
            ]
        ),
        ({"embedding_size": "16"}, "embedding_size is '16', expected int"),
        ({"training": {}}, "training/date is None, expected str"),
        ({"training": None}, "training/date is None, expected str"),
        ({"text_encoder": {"name": "x"}}, "text_encoder/sha256 is None, expected str"),
        ({"files": {}}, "does not list encoder.onnx, text_head.npz"),
        ({"files": []}, "files is [], expected dict"),
    ],
)
def test_a_manifest_that_says_something_else(
    bundle_dir: Path, tmp_path: Path, change: dict[str, Any], found: str
) -> None:
    message = refusal(rewritten(bundle_dir, tmp_path / "bundle", **change)).message
    assert message.startswith(f"{tmp_path / 'bundle' / MANIFEST}: ")
    assert found in message


@pytest.mark.parametrize("size", [-1, -2, 10**15, 1.5, "12", None, True])
def test_absurd_sizes_reserve_no_memory(copy: Path, size: object) -> None:
    document = manifest_of(copy)
    document["files"]["concepts.npz"]["bytes"] = size
    (copy / MANIFEST).write_text(json.dumps(document), encoding="utf-8")
    assert "concepts.npz" in refusal(copy).message


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").message == f"{tmp_path / 'nowhere' / MANIFEST}: missing"
    file = tmp_path / "file"
    file.write_text("text")
    assert str(file / MANIFEST) in refusal(file).message


def test_files_beside_the_bundle_do_not_matter(copy: Path) -> None:
    (copy / "README").write_text("hello")
    assert load_bundle(copy).name == "tiny"


def test_without_reference_population_there_are_no_percentiles(
    bundle_dir: Path, tmp_path: Path
) -> None:
    assert frozenset({"reference.npz"}) == OPTIONAL_FILES
    bundle = load_bundle(rewritten(bundle_dir, tmp_path / "b", contents={"reference.npz": None}))
    assert bundle.reference is None
    whole = load_bundle(bundle_dir)
    assert whole.reference is not None
    directions = np.eye(2, whole.embedding_size)
    scores = score(whole.reference[:5], directions)
    assert np.isnan(percentiles(scores, None)).all()
    assert np.isfinite(percentiles(scores, score(whole.reference, directions))).all()


def test_a_concept_that_the_bundle_lacks(bundle_dir: Path) -> None:
    with pytest.raises(BundleError, match="no concept 'XYZ'"):
        load_bundle(bundle_dir).direction("XYZ")


def test_text_head_gives_unit_vectors(bundle_dir: Path) -> None:
    bundle = load_bundle(bundle_dir)
    projected = bundle.text_head.project(bundle.concept_texts[:7])
    assert projected.shape == (7, bundle.embedding_size)
    assert projected.dtype == np.float32
    assert np.linalg.norm(projected, axis=1) == pytest.approx(1.0, abs=1e-5)


COUNT_OPENED = """
import collections, json, sys
from pathlib import Path
opened = collections.Counter()
folder = sys.argv[1]
def count(event, arguments):
    if event == "open" and str(arguments[0]).startswith(folder):
        opened[Path(str(arguments[0])).name] += 1
sys.addaudithook(count)
from ecgscreen.bundle import load_bundle
bundle = load_bundle(Path(folder))
for _ in range(2):
    bundle.concepts, bundle.text_head, bundle.reference, bundle.check, bundle.encoder_onnx
    bundle.operating_points, bundle.concept_texts
print(json.dumps(opened))
"""


def test_every_file_is_read_once(bundle_dir: Path) -> None:
    """What was hashed is what is used, even if somebody changes the file in between."""
    finished = subprocess.run(
        [sys.executable, "-c", COUNT_OPENED, str(bundle_dir)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert json.loads(finished.stdout) == dict.fromkeys([*FILES, MANIFEST], 1)


def test_numbers_and_ids_of_a_manifest_that_nothing_holds(bundle_dir: Path, tmp_path: Path) -> None:
    preprocessing = PreprocessConfig().to_dict() | {"clip": 10**400}
    training = manifest_of(bundle_dir)["training"] | {"seen_concepts": [["AFIB"]]}
    for number, change in enumerate(({"preprocessing": preprocessing}, {"training": training})):
        changed = rewritten(bundle_dir, tmp_path / str(number), **change)
        assert "not a bundle's manifest" in refusal(changed).message
