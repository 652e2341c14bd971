"""Bundles and engines that somebody altered: a sentence that names the file, and no scan."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from ecgscreen.bundle import load_bundle
from ecgscreen.errors import ExitCode
from tests.ecgscreen.bundles import npz, rewritten
from tests.ecgscreen.hostile.confined import ConfinedScans
from tests.watched import Watch

Refused = Callable[[Path], str]


@pytest.fixture
def refused(confined: ConfinedScans, folder: Path, tmp_path: Path) -> Refused:
    """Scans the healthy recording with a bundle, and gives the sentence that ended it."""

    def scan(bundle: Path) -> str:
        out = tmp_path / "out"
        outcome = confined.scan(bundle, folder, out)
        assert outcome.exit_code == ExitCode.FAILED
        assert outcome.outside == ()
        assert outcome.rows == {}
        assert not (out / "report.csv").exists()
        return outcome.sentence

    return scan


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


def test_a_bundle_with_a_pickle(refused: Refused, bundle_dir: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = np.array([Trap(sprung)], dtype=object)
    for name in ("concepts.npz", "reference.npz"):
        with np.load(bundle_dir / name) as arrays:
            trapped = npz(**dict.fromkeys(arrays, trap))
        folder = tmp_path / f"with {name}"
        sentence = refused(rewritten(bundle_dir, folder, contents={name: trapped}))
        assert sentence.startswith(f"{folder / name}: ")
        assert not sprung.exists()
    with np.load(io.BytesIO(trapped), allow_pickle=True) as arrays:  # the trap is a real one
        next(iter(arrays.values()))
    assert sprung.exists()


def test_a_bundle_with_a_file_of_another_hash(
    refused: Refused, bundle_dir: Path, tmp_path: Path
) -> None:
    bundle = rewritten(bundle_dir, tmp_path / "bundle")
    for name in ("encoder.onnx", "concepts.npz", "calibration.json"):
        content = (bundle / name).read_bytes()
        (bundle / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        sentence = refused(bundle)
        assert sentence.startswith(f"{bundle / name}: SHA-256 ")
        assert "expected" in sentence
        (bundle / name).write_bytes(content)


@pytest.mark.parametrize("name", ["manifest.json", "encoder.onnx"])
def test_a_bundle_with_a_pipe_in_it(
    refused: Refused, bundle_dir: Path, tmp_path: Path, name: str
) -> None:
    bundle = rewritten(bundle_dir, tmp_path / "bundle")
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    assert refused(bundle).startswith(f"{bundle / name}: not a regular file")


def test_a_bundle_with_arrays_larger_than_memory(
    refused: Refused, bundle_dir: Path, tmp_path: Path
) -> None:
    def with_header(shape: str) -> bytes:
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("embeddings.npy", with_header("(1000000000, 16)"))
    folder = tmp_path / "bundle"
    contents = {"reference.npz": buffer.getvalue()}
    sentence = refused(rewritten(bundle_dir, folder, contents=contents))
    assert sentence.startswith(f"{folder / 'reference.npz'}: ")


def first_weight(model: onnx.ModelProto) -> Any:
    return next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 3)


def move(tensor: Any, location: str) -> None:
    """Let a tensor lie in a file instead."""
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location


def in_a_node(model: onnx.ModelProto, location: str) -> None:
    """The same weight, as the attribute of a node."""
    tensor = first_weight(model)
    constant = onnx.helper.make_node("Constant", [], [tensor.name], value=tensor)
    move(constant.attribute[0].t, location)
    model.graph.initializer.remove(tensor)
    model.graph.node.insert(0, constant)


@pytest.mark.parametrize("place", ["absolute", "above", "beside"])
@pytest.mark.parametrize("spot", [lambda model, at: move(first_weight(model), at), in_a_node])
def test_a_bundle_with_an_encoder_that_names_external_data(
    refused: Refused,
    bundle_dir: Path,
    tmp_path: Path,
    place: str,
    spot: Callable[[onnx.ModelProto, str], None],
) -> None:
    model = onnx.load_model_from_string((bundle_dir / "encoder.onnx").read_bytes())
    outside = tmp_path / "outside.bin"
    outside.write_bytes(numpy_helper.to_array(first_weight(model)).tobytes())
    folder = tmp_path / "bundle"
    spot(model, {"absolute": str(outside), "above": "../outside.bin", "beside": "w.bin"}[place])
    rewritten(bundle_dir, folder, contents={"encoder.onnx": model.SerializeToString()})
    (folder / "w.bin").write_bytes(outside.read_bytes())
    with Watch(outside, folder / "w.bin") as watch:
        sentence = refused(folder)
        assert watch.opened() == set()
    assert sentence.startswith(f"{folder / 'encoder.onnx'}: keeps weights in other files")


def test_a_runtime_would_read_what_an_encoder_names(
    bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why the bundle is asked before any runtime is: somebody scans where the patients are."""
    from engines.openvino import OpenVINOEngine

    model = onnx.load_model_from_string((bundle_dir / "encoder.onnx").read_bytes())
    outside = tmp_path / "outside.bin"
    outside.write_bytes(numpy_helper.to_array(first_weight(model)).tobytes())
    move(first_weight(model), str(outside))
    monkeypatch.chdir(tmp_path)
    with Watch(outside) as watch:
        OpenVINOEngine(model.SerializeToString(), precision="f32", threads=1)
        assert watch.opened() == {outside}


def test_a_bundle_whose_encoder_is_something_else(
    refused: Refused, bundle_dir: Path, tmp_path: Path
) -> None:
    """OpenVINO's own format, for one, which has other ways to name files."""
    for number, content in enumerate((b"", b"\0" * 50, b'<?xml version="1.0"?><net></net>')):
        folder = tmp_path / f"{number}"
        rewritten(bundle_dir, folder, contents={"encoder.onnx": content})
        assert refused(folder).startswith(f"{folder / 'encoder.onnx'}: no ONNX model: ")
    load_bundle(bundle_dir)
