"""What the TensorRT engine does around TensorRT: buffers, batches, memory, refusals.

The encoder itself is held by test_engines.py where there is a device. Here a small library stands
in for the driver, so that a machine without one goes through every call too.
"""

from __future__ import annotations

import ctypes
import gc
from ctypes import c_long, c_void_p
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import engines.cuda_driver
import engines.tensorrt
from engines.base import EngineUnavailableError
from engines.cuda_driver import CudaDriver, Device
from engines.select import load_engine
from engines.tensorrt import TensorRTEngine, tensorrt_precision
from engines.tensorrt_build import FULL_BATCH, TensorRT

N_LEADS, N_SAMPLES, SIZE = 12, 40, 7


class Kernel(ctypes.Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("windows", "lead_mask", "embedding")),
        *((name, c_long) for name in ("rows", "leads", "samples", "size")),
    )


class Context:
    """Of TensorRT's execution context, what the engine calls."""

    def __init__(self, driver: ctypes.CDLL) -> None:
        self._driver = driver
        self._kernel = Kernel(leads=N_LEADS, samples=N_SAMPLES, size=SIZE)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._kernel.rows = shape[0]
        return shape[0] == FULL_BATCH

    def set_tensor_address(self, name: str, address: int) -> bool:
        setattr(self._kernel, name, address)
        return True

    def set_device_memory(self, address: int, size: int) -> None:
        assert address
        assert size == 64

    def execute_async_v3(self, stream: int) -> bool:
        return not self._driver.run_encoder(c_void_p(stream), ctypes.byref(self._kernel))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, driver: ctypes.CDLL) -> TensorRTEngine:
    shapes = {
        "windows": (-1, N_LEADS, N_SAMPLES),
        "lead_mask": (-1, N_LEADS),
        "embedding": (-1, SIZE),
    }
    deserialised = SimpleNamespace(
        device_memory_size_v2=64,
        get_tensor_shape=shapes.__getitem__,
        create_execution_context=lambda strategy: Context(driver),
    )
    module: Any = SimpleNamespace(
        __version__="11.0",
        Runtime=lambda logger: SimpleNamespace(deserialize_cuda_engine=lambda plan: deserialised),
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED=2),
    )
    monkeypatch.setattr(
        engines.tensorrt, "import_tensorrt", lambda: TensorRT("tensorrt", module, None, [])
    )
    monkeypatch.setattr(
        engines.tensorrt, "load_or_build", lambda *_, **__: SimpleNamespace(content=b"")
    )
    return TensorRTEngine(b"")


def test_every_row_comes_back_in_its_place(engine: TensorRTEngine) -> None:
    rng = np.random.default_rng(4)
    for n in (0, 1, FULL_BATCH - 1, FULL_BATCH, FULL_BATCH + 1, 5 * FULL_BATCH + 3):
        windows = rng.normal(size=(n, N_LEADS, N_SAMPLES)).astype(np.float32)
        lead_mask = rng.random((n, N_LEADS)) < 0.7
        found = engine.embed(windows, lead_mask)
        expected = (windows[..., :SIZE] * lead_mask[..., None]).sum(axis=1)
        assert found.dtype == np.float32
        assert found.shape == (n, SIZE)
        assert found == pytest.approx(expected, abs=1e-5)


def test_it_says_what_runs(engine: TensorRTEngine) -> None:
    info = engine.info
    assert (info.name, info.version) == ("tensorrt", "11.0 (tensorrt)")
    assert info.device == "Stand-in, compute capability 8.7"
    assert (info.precision, info.precision_reason) == ("f16", "the fastest of tensorrt")
    assert info.batch_size == FULL_BATCH


def test_other_shapes_are_refused_before_anything_runs(engine: TensorRTEngine) -> None:
    windows = np.zeros((2, N_LEADS, N_SAMPLES + 1), np.float32)
    with pytest.raises(ValueError, match=rf"expected \(N, {N_LEADS}, {N_SAMPLES}\)"):
        engine.embed(windows, np.ones((2, N_LEADS), np.bool_))


def test_an_engine_that_goes_gives_everything_back(
    engine: TensorRTEngine, driver: ctypes.CDLL, request: pytest.FixtureRequest
) -> None:
    before = driver.live_handles()
    another = TensorRTEngine(b"")
    assert driver.live_handles() > before
    del another
    gc.collect()
    assert driver.live_handles() == before


def test_the_device_is_described(driver: ctypes.CDLL) -> None:
    assert CudaDriver().device == Device("Stand-in", "8.7", "13.2")


def test_an_error_of_the_driver_is_a_sentence(driver: ctypes.CDLL) -> None:
    with pytest.raises(EngineUnavailableError, match="cuMemAlloc_v2 failed with error 2: out of"):
        CudaDriver().allocate(1 << 40)


def test_a_driver_without_a_device(driver: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_DEVICE", "1")
    with pytest.raises(EngineUnavailableError, match="shows no device"):
        CudaDriver()


def test_a_machine_without_a_driver(monkeypatch: pytest.MonkeyPatch, onnx_bytes: bytes) -> None:
    monkeypatch.setattr(engines.cuda_driver, "LIBRARY", "libnosuchdriver.so.1")
    with pytest.raises(EngineUnavailableError, match="no NVIDIA driver here") as caught:
        load_engine("tensorrt", onnx_bytes)
    assert "--engine openvino" in caught.value.advice


def test_a_library_that_lacks_a_call_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.cuda_driver, "LIBRARY", "libc.so.6")
    with pytest.raises(EngineUnavailableError, match="too old: it has no cuInit"):
        CudaDriver()


def test_auto_is_half_precision() -> None:
    assert tensorrt_precision("auto") == "f16"
    assert [tensorrt_precision(name) for name in ("f32", "bf16")] == ["f32", "bf16"]
