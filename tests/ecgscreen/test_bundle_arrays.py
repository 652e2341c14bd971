"""What the files of a bundle hold is as the manifest says, and nothing is unpickled."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.calibration import PlattScaling
from ecgscreen.errors import BundleError
from tests.ecgscreen.bundles import npz, rewritten


def npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def read(bundle: Bundle) -> None:
    """Open every array, as a scan with free text does."""
    _ = bundle.concepts, bundle.concept_texts, bundle.text_head, bundle.reference, bundle.check


class Trap:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["concepts.npz", "text_head.npz", "reference.npz", "check.npz"])
def test_a_pickle_is_refused_and_never_executed(
    bundle_dir: Path, tmp_path: Path, name: str
) -> None:
    sprung = tmp_path / "sprung"
    with np.load(bundle_dir / name) as arrays:
        trapped = npz(**dict.fromkeys(arrays, np.array([Trap(sprung)], dtype=object)))
    bundle = load_bundle(rewritten(bundle_dir, tmp_path / "bundle", contents={name: trapped}))
    with pytest.raises(BundleError, match=name):
        read(bundle)
    assert not sprung.exists()
    # The trap is a real one: who allows pickles falls into it.
    with np.load(tmp_path / "bundle" / name, allow_pickle=True) as arrays:
        next(iter(arrays.values()))
    assert sprung.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 and no more",
        b"\x80\x04N.",
        b"text",
        npz(other=np.zeros(3)),
        npy(np.zeros(3)),
    ],
)
@pytest.mark.parametrize("name", ["concepts.npz", "check.npz"])
def test_arrays_that_are_none(bundle_dir: Path, tmp_path: Path, name: str, content: bytes) -> None:
    bundle = load_bundle(rewritten(bundle_dir, tmp_path / "bundle", contents={name: content}))
    with pytest.raises(BundleError, match=name):
        read(bundle)


@pytest.mark.parametrize(
    "embeddings",
    [
        lambda rows: rows[:, :-1],
        lambda rows: rows[0],
        lambda rows: rows * 2,
        lambda rows: rows * np.nan,
        lambda rows: rows.astype(np.int8),
    ],
    ids=["narrower", "one", "longer", "NaN", "integers"],
)
@pytest.mark.parametrize("name", ["concepts.npz", "reference.npz"])
def test_embeddings_that_are_none(
    bundle_dir: Path,
    tmp_path: Path,
    name: str,
    embeddings: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
) -> None:
    with np.load(bundle_dir / name) as arrays:
        content = npz(**{**arrays, "embeddings": embeddings(arrays["embeddings"])})
    bundle = load_bundle(rewritten(bundle_dir, tmp_path / "bundle", contents={name: content}))
    with pytest.raises(BundleError, match=f"{name}: .*expected unit vectors"):
        read(bundle)


def test_concepts_that_are_not_one_an_embedding(bundle_dir: Path, tmp_path: Path) -> None:
    with np.load(bundle_dir / "concepts.npz") as arrays:
        content = npz(**{**arrays, "ids": arrays["ids"][1:]})
    contents = {"concepts.npz": content}
    bundle = load_bundle(rewritten(bundle_dir, tmp_path / "bundle", contents=contents))
    with pytest.raises(BundleError, match="concepts"):
        read(bundle)


@pytest.mark.parametrize(
    ("name", "key", "change"),
    [
        ("concepts.npz", "ids", lambda ids: np.arange(len(ids))),
        ("concepts.npz", "texts", lambda texts: texts[1:]),
        ("concepts.npz", "texts", lambda texts: texts[:, 0]),
        ("concepts.npz", "texts", lambda texts: texts * np.nan),
        ("text_head.npz", "weight_1", lambda weight: weight.T),
        ("text_head.npz", "bias_1", lambda bias: bias[0]),
        ("text_head.npz", "bias_1", lambda bias: bias[:-1]),
        ("text_head.npz", "weight_2", lambda weight: weight.astype(np.int8)),
        ("text_head.npz", "bias_2", lambda bias: bias / 0),
        ("check.npz", "windows", lambda windows: windows[:, :11]),
        ("check.npz", "lead_mask", lambda mask: mask.astype(np.float32)),
        ("check.npz", "embeddings", lambda rows: rows[:-1]),
    ],
)
def test_arrays_that_do_not_go_together(
    bundle_dir: Path,
    tmp_path: Path,
    name: str,
    key: str,
    change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
) -> None:
    with np.load(bundle_dir / name) as arrays, np.errstate(divide="ignore"):
        content = npz(**{**arrays, key: change(arrays[key] + 1 if "bias" in key else arrays[key])})
    bundle = load_bundle(rewritten(bundle_dir, tmp_path / "bundle", contents={name: content}))
    with pytest.raises(BundleError, match=f"{name}: {key} is .*, expected"):
        read(bundle)


def test_probabilities_are_there_where_the_bundle_has_them(
    bundle_dir: Path, tmp_path: Path
) -> None:
    calibration = json.loads((bundle_dir / "calibration.json").read_text(encoding="utf-8"))

    def platt_of(name: str) -> dict[str, PlattScaling]:
        contents = {"calibration.json": json.dumps(calibration).encode()}
        bundle = load_bundle(rewritten(bundle_dir, tmp_path / name, contents=contents))
        assert set(bundle.operating_points) == set(calibration["operating_points"])
        return bundle.platt_scalings

    calibration["platt"] = {"SR": {"slope": 8.0, "intercept": -3.0}}
    assert platt_of("new") == {"SR": PlattScaling(8.0, -3.0)}
    calibration["platt"]["SR"]["slope"] = -8.0
    with pytest.raises(BundleError, match="slope above zero"):
        platt_of("turned around")
    del calibration["platt"]
    assert platt_of("from before") == {}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"[" * 100_000, b'{"operating_points": {"AFIB": {}}}']
)
def test_a_calibration_that_is_none(bundle_dir: Path, tmp_path: Path, content: bytes) -> None:
    changed = rewritten(bundle_dir, tmp_path / "bundle", contents={"calibration.json": content})
    with pytest.raises(BundleError, match=r"calibration\.json: not understood"):
        _ = load_bundle(changed).operating_points


@pytest.mark.parametrize("threshold", ["NaN", "1e999", '"high"', "null", "1" + "0" * 400, "[0.5]"])
def test_thresholds_that_are_none(bundle_dir: Path, tmp_path: Path, threshold: str) -> None:
    point = f'{{"threshold": {threshold}, "n_positive": 30, "n": 60, "criterion": "largest F1"}}'
    content = f'{{"operating_points": {{"AFIB": {point}}}}}'.encode()
    changed = rewritten(bundle_dir, tmp_path / "bundle", contents={"calibration.json": content})
    with pytest.raises(BundleError, match=r"calibration\.json: not understood"):
        _ = load_bundle(changed).operating_points
