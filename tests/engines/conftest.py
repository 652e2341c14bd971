"""A small encoder with statistics like a trained one's, and windows to run through it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import engines.cuda_driver
from engines.base import EngineUnavailableError
from engines.select import load_engine
from trainer.encoder import EncoderConfig, ResNet1d
from trainer.onnx_export import export_encoder

N_SAMPLES = 500


class Batch(NamedTuple):
    windows: NDArray[np.float32]
    lead_mask: NDArray[np.bool_]


@pytest.fixture(scope="session")
def encoder() -> ResNet1d:
    """An encoder whose normalisation does something."""
    generator = torch.Generator().manual_seed(7)
    module = ResNet1d(EncoderConfig(widths=(8, 8, 16, 16), embedding_size=32)).eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            noise = torch.rand(tensor.shape, generator=generator)
            if tensor.ndim > 1:
                tensor.copy_((noise - 0.5) * 4 / tensor[0].numel() ** 0.5)
            elif name.endswith(("running_var", "1.weight", "2.weight")):
                tensor.copy_(0.5 + noise)
            elif tensor.is_floating_point():
                tensor.copy_((noise - 0.5) * 0.4)
    return module


@pytest.fixture(scope="session")
def onnx_bytes(encoder: ResNet1d) -> bytes:
    return export_encoder(encoder, N_SAMPLES)


@pytest.fixture(scope="session")
def batch() -> Batch:
    """Eleven windows, some with leads missing: no multiple of any batch size."""
    rng = np.random.default_rng(3)
    lead_mask = rng.random((11, 12)) < 0.8
    lead_mask[:, 1] = True
    windows = rng.normal(size=(11, 12, N_SAMPLES)).astype(np.float32)
    windows *= lead_mask[..., None]
    return Batch(windows, lead_mask)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Engines that tests build stay out of the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(
    params=[
        *("openvino f32", "openvino bf16", "pytorch f32", "pytorch bf16"),
        *("tensorrt f32", "tensorrt f16", "tensorrt bf16"),
    ]
)
def engine_and_precision(request: pytest.FixtureRequest, onnx_bytes: bytes) -> tuple[str, str]:
    """Every engine in every precision that this machine has."""
    name, precision = str(request.param).split()
    try:
        load_engine(name, onnx_bytes, precision=precision)
    except EngineUnavailableError as error:
        pytest.skip(str(error))
    return name, precision


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for the library that stands in for the driver")
    path = tmp_path_factory.mktemp("driver") / "libstandin.so"
    source = Path(__file__).with_name("stand_in_driver.c")
    subprocess.run(
        [compiler, "-std=c11", "-shared", "-fPIC", "-o", str(path), str(source)], check=True
    )
    return path


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, library: Path) -> ctypes.CDLL:
    """The library that stands in for the driver, in its place."""
    monkeypatch.setattr(engines.cuda_driver, "LIBRARY", str(library))
    return ctypes.CDLL(str(library))
