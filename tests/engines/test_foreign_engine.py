"""An engine that was built for another bundle does not run, wherever it comes from.

The builds are real; only the driver is stood in for, so that a scan gets as far as the cache.
"""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

import pytest

from ecgscreen.bundle import load_bundle
from ecgscreen.errors import EngineError, ExitCode
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.simulate import write_dataset
from engines.compiled import CompiledEngine, load_or_build
from engines.cuda_driver import CudaDriver
from engines.tensorrt_build import import_tensorrt
from tests.engines.conftest import N_SAMPLES
from trainer.encoder import EncoderConfig, ResNet1d
from trainer.onnx_export import export_encoder


@pytest.fixture
def built(
    driver: ctypes.CDLL, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[CompiledEngine, CompiledEngine]:
    """Engines of the bundle, and of an encoder that is not its own, both in the cache."""
    monkeypatch.setenv("ECGSCREEN_CACHE", str(tmp_path / "cache"))
    config = EncoderConfig(widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), embedding_size=8)
    other = export_encoder(ResNet1d(config).eval(), N_SAMPLES)
    ours = load_bundle(bundle_dir).encoder_onnx
    device = CudaDriver().device
    return (
        load_or_build(import_tensorrt(), device, ours, "f16"),
        load_or_build(import_tensorrt(), device, other, "f16"),
    )


def test_an_engine_file_of_another_bundle(
    built: tuple[CompiledEngine, CompiledEngine], bundle_dir: Path, tmp_path: Path
) -> None:
    ours, theirs = built
    (ours.folder / ours.manifest.engine_file).write_bytes(theirs.content)
    write_dataset(tmp_path / "records", 1, seed=1)
    options = ScanOptions(
        (tmp_path / "records",), "rhythm.txt", tmp_path / "out", bundle_dir, engine="tensorrt"
    )
    with pytest.raises(EngineError, match="not what was built") as caught:
        scan(options)
    assert caught.value.exit_code == ExitCode.FAILED
    assert f"{ours.folder / ours.manifest.engine_file}: SHA-256" in caught.value.message
    assert "compile --fresh" in caught.value.advice
    assert not (tmp_path / "out").exists()


def test_a_whole_cache_entry_of_another_bundle(
    built: tuple[CompiledEngine, CompiledEngine], bundle_dir: Path
) -> None:
    ours, theirs = built
    shutil.rmtree(ours.folder)
    shutil.copytree(theirs.folder, ours.folder)
    onnx = load_bundle(bundle_dir).encoder_onnx
    again = load_or_build(import_tensorrt(), CudaDriver().device, onnx, "f16")
    assert again.built_because.startswith("encoder_sha256 was ")
    assert again.manifest.encoder_sha256 == ours.manifest.encoder_sha256
    assert [path.name for path in again.folder.glob("*.engine")] == [again.manifest.engine_file]
