"""The cache of engines: kept, rebuilt when stale, refused when damaged. Every build is real."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engines.base import EngineUnavailableError
from engines.compiled import MANIFEST, CompiledEngine, default_cache, load_or_build
from engines.cuda_driver import Device
from engines.tensorrt_build import TensorRT, import_tensorrt
from tests.engines.conftest import N_SAMPLES
from trainer.encoder import EncoderConfig, ResNet1d
from trainer.onnx_export import export_encoder

DEVICE = Device(name="NVIDIA Something", compute_capability="8.6", cuda_version="13.0")
Load = Callable[..., CompiledEngine]


@pytest.fixture(scope="module")
def tensorrt() -> TensorRT:
    return import_tensorrt("tensorrt_rtx")


@pytest.fixture(scope="module")
def small_onnx() -> bytes:
    """An encoder of one block, built in a moment."""
    config = EncoderConfig(widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), embedding_size=8)
    return export_encoder(ResNet1d(config).eval(), N_SAMPLES)


@pytest.fixture
def load(tensorrt: TensorRT, small_onnx: bytes, tmp_path: Path) -> Load:
    """`load_or_build` for one encoder and device, unless a test names others."""

    def load(**other: object) -> CompiledEngine:
        arguments: dict[str, object] = {"device": DEVICE, "precision": "f32", "cache": tmp_path}
        arguments |= {"tensorrt": tensorrt, "onnx": small_onnx}
        return load_or_build(**(arguments | other))  # type: ignore[arg-type]  # a test's own arguments

    return load


def test_it_is_built_once(load: Load) -> None:
    first = load(bundle_sha256="ab" * 32)
    assert first.built_because == "there was none"
    again = load()
    assert again.built_because == ""
    assert (again.content, again.manifest) == (first.content, first.manifest)
    document = json.loads((first.folder / MANIFEST).read_text(encoding="utf-8"))
    assert document["device"] == "NVIDIA Something"
    assert document["compute_capability"] == "8.6"
    assert document["precision"] == "f32"
    assert document["bundle_sha256"] == "ab" * 32
    assert document["package"] == "tensorrt_rtx"
    assert document["version"][0].isdecimal()
    assert (first.folder / document["engine_file"]).read_bytes() == first.content
    assert first.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"device": replace(DEVICE, name="Another")}, "device was NVIDIA Something, is Another"),
        ({"device": replace(DEVICE, cuda_version="13.1")}, "cuda_version was 13.0, is 13.1"),
        ({"bundle_sha256": "cd" * 32}, f"bundle_sha256 was {'ab' * 32}, is {'cd' * 32}"),
        ({"fresh": True}, "asked for"),
    ],
)
def test_a_stale_engine_is_rebuilt(load: Load, other: dict[str, object], why: str) -> None:
    first = load(bundle_sha256="ab" * 32)
    second = load(**other)
    assert second.built_because == why
    assert second.folder == first.folder
    assert len(list(first.folder.glob("*.engine"))) == 1
    assert load(**{**other, "fresh": False}).built_because == ""


def test_an_engine_of_another_version_is_rebuilt(load: Load, tensorrt: TensorRT) -> None:
    folder = load().folder
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for key, old in (("version", "1.0"), ("format_version", 0)):
        (folder / MANIFEST).write_text(json.dumps(manifest | {key: old}), encoding="utf-8")
        assert load().built_because.startswith(f"{key} was {old}, is ")


def test_precisions_and_devices_lie_side_by_side(load: Load) -> None:
    folders = {
        load(precision="f16").folder,
        load().folder,
        load(device=replace(DEVICE, compute_capability="8.9")).folder,
    }
    assert len(folders) == 3
    assert load(precision="f16").built_because == load().built_because == ""


def test_a_damaged_engine_is_refused(load: Load) -> None:
    first = load()
    engine = first.folder / first.manifest.engine_file
    flipped = bytearray(first.content)
    flipped[1000] ^= 1
    for content in (bytes(flipped), first.content[:-1], first.content + b"\0"):
        engine.write_bytes(content)
        with pytest.raises(EngineUnavailableError, match=r"SHA-256 \w{64}, expected") as caught:
            load()
        assert str(engine) in str(caught.value)
        assert "ecgscreen compile --fresh" in caught.value.advice
    engine.unlink()
    with pytest.raises(EngineUnavailableError, match="No such file"):
        load()
    assert load(fresh=True).built_because == "asked for"
    assert load().built_because == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format_version": 1}', "[" * 100_000])
def test_a_damaged_manifest_is_refused(load: Load, text: str) -> None:
    folder = load().folder
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(EngineUnavailableError, match="not an engine's manifest"):
        load()


@pytest.mark.parametrize(
    "entry",
    [
        {"engine_bytes": 10**15},
        {"engine_bytes": -2},
        {"engine_bytes": "12"},
        {"engine_file": None},
        {"engine_file": ""},
    ],
)
def test_an_entry_that_cannot_be_is_refused(load: Load, entry: dict[str, object]) -> None:
    folder = load().folder
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps(manifest | entry), encoding="utf-8")
    with pytest.raises(EngineUnavailableError, match=r"names an engine|not a regular file"):
        load()


def test_a_pipe_in_the_cache_is_not_waited_for(load: Load) -> None:
    first = load()
    for name in (first.manifest.engine_file, MANIFEST):
        (first.folder / name).unlink()
        os.mkfifo(first.folder / name)
        with pytest.raises(EngineUnavailableError, match="not a regular file"):
            load()


def test_a_name_in_a_manifest_leads_nowhere_else(load: Load, tmp_path: Path) -> None:
    folder = load().folder
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["engine_file"] = f"../{manifest['engine_file']}"
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    assert load().built_because == ""


def test_a_folder_that_cannot_be_written_is_named(load: Load, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineUnavailableError, match="engine cannot be kept") as caught:
        load(cache=tmp_path / "file" / "cache", fresh=True)
    assert "ECGSCREEN_CACHE" in caught.value.advice


def test_the_cache_is_where_the_user_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ECGSCREEN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "ecgscreen" / "engines"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "ecgscreen" / "engines"
    monkeypatch.setenv("ECGSCREEN_CACHE", str(tmp_path / "own"))
    assert default_cache() == tmp_path / "own"
