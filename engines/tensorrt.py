"""TensorRT on an NVIDIA device: the full package or TensorRT for RTX, whichever is installed."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.base import EngineInfo, EngineUnavailableError, require_shape
from engines.compiled import CompiledEngine, load_or_build
from engines.cuda_driver import CudaDriver
from engines.stream import embed_stream
from engines.tensorrt_build import FULL_BATCH, PRECISIONS, TensorRT, import_tensorrt

_SLOTS = 2
"""While the device computes one batch, the next one is copied into page-locked memory."""
_INPUTS = ("windows", "lead_mask")
_OUTPUT = "embedding"
_REBUILD = "Build it anew with ecgscreen compile --fresh."


class TensorRTEngine:
    """Runs the encoder with TensorRT on the first NVIDIA device.

    The engine comes from the cache of `engines.compiled`, and is built where it is missing or
    stale. Whatever the batch size asked for, the shape that runs is that of `FULL_BATCH` rows, as
    one CUDA graph: copies and kernels in a single call of the driver.

    Parameters
    ----------
    onnx
        The encoder as an ONNX file's bytes, inputs ``windows`` and ``lead_mask``.
    precision
        ``auto`` is ``f16``; ``f32`` and ``bf16`` are to be had too.
    cache
        Folder of built engines; None: `engines.compiled.default_cache`.

    Attributes
    ----------
    slots
        Batches in flight; see `engines.stream`.

    Raises
    ------
    EngineUnavailableError
        If TensorRT, the driver or a device is missing, the precision is not to be had, the
        engine cannot be built, or the one in the cache is damaged.
    """

    def __init__(self, onnx: bytes, *, precision: str = "auto", cache: Path | None = None) -> None:
        reason = "the fastest of tensorrt" if precision == "auto" else "asked for"
        precision = tensorrt_precision(precision)
        tensorrt = import_tensorrt()
        driver = CudaDriver()
        weakref.finalize(self, driver.close).atexit = False  # a process that ends gives all back
        compiled = load_or_build(tensorrt, driver.device, onnx, precision, cache=cache)
        tensorrt.said.clear()
        # The engine's memory is the runtime's: both live as long as this object.
        self._runtime = tensorrt.need(
            tensorrt.module.Runtime(tensorrt.logger), "start its runtime", _REBUILD
        )
        self._engine = tensorrt.need(
            self._runtime.deserialize_cuda_engine(compiled.content), "load the engine", _REBUILD
        )
        self._driver = driver
        self.slots = [_Slot(tensorrt, driver, self._engine) for _ in range(_SLOTS)]
        self._embedding_size = int(self._engine.get_tensor_shape(_OUTPUT)[1])
        self.info = EngineInfo(
            name="tensorrt",
            version=f"{tensorrt.version} ({tensorrt.package})",
            device=f"{driver.device.name}, compute capability {driver.device.compute_capability}",
            precision=precision,
            batch_size=FULL_BATCH,
            precision_reason=reason,
        )

    def embed(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """See `engines.base.Engine.embed`."""
        require_shape(windows, lead_mask, *self.slots[0].windows.shape[1:])
        (rows,) = embed_stream(self, [(windows, lead_mask)])
        return rows if len(rows) else np.empty((0, self._embedding_size), np.float32)


def compile_for_this_device(
    onnx: bytes, precision: str, *, cache: Path | None, bundle_sha256: str, fresh: bool
) -> CompiledEngine:
    """Build the engine that `TensorRTEngine` would load; see `engines.compiled.load_or_build`.

    Raises
    ------
    EngineUnavailableError
        As `TensorRTEngine` does.
    """
    precision = tensorrt_precision(precision)
    return load_or_build(
        import_tensorrt(),
        CudaDriver().device,
        onnx,
        precision,
        cache=cache,
        bundle_sha256=bundle_sha256,
        fresh=fresh,
    )


def tensorrt_precision(precision: str) -> str:
    """What ``auto`` stands for; every other precision is checked.

    Raises
    ------
    EngineUnavailableError
        If the engine does not have it.
    """
    chosen = "f16" if precision == "auto" else precision
    if chosen not in PRECISIONS:
        raise EngineUnavailableError(
            f"tensorrt runs {', '.join(PRECISIONS)}, not {precision}",
            f"Use --precision auto, {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}.",
        )
    return chosen


class _Slot:
    """See `engines.stream.Slot`: a CUDA stream, buffers on both sides, a graph of a whole batch."""

    def __init__(self, tensorrt: TensorRT, driver: CudaDriver, engine: Any) -> None:
        shapes = {name: (FULL_BATCH, *engine.get_tensor_shape(name)[1:]) for name in _INPUTS}
        inputs = {name: driver.pinned(shape) for name, shape in shapes.items()}
        self.windows, self.lead_mask = inputs["windows"], inputs["lead_mask"]
        self._driver = driver
        self._stream = driver.stream()
        self._output = driver.pinned((FULL_BATCH, *engine.get_tensor_shape(_OUTPUT)[1:]))
        self._context = _context(tensorrt, engine)
        need = tensorrt.need
        addresses = {
            name: driver.allocate(4 * int(np.prod(shape))) for name, shape in shapes.items()
        }
        addresses[_OUTPUT] = driver.allocate(self._output.nbytes)
        for name, shape in shapes.items():
            need(self._context.set_input_shape(name, shape), f"take {shape} as {name}", _REBUILD)
        for name, address in addresses.items():
            need(self._context.set_tensor_address(name, address), f"use memory as {name}", _REBUILD)
        scratch = int(engine.device_memory_size_v2)
        self._context.set_device_memory(driver.allocate(scratch), scratch)

        def run() -> None:
            for name, buffer in inputs.items():
                driver.to_device(addresses[name], buffer, self._stream)
            need(self._context.execute_async_v3(self._stream), "run the encoder", _REBUILD)
            driver.to_host(self._output, addresses[_OUTPUT], self._stream)

        run()  # what TensorRT prepares at the first call cannot be captured
        driver.wait(self._stream)
        driver.begin_capture(self._stream)
        run()
        self._graph = driver.end_capture(self._stream)

    def start(self) -> None:
        self._driver.use()
        self._driver.launch(self._graph, self._stream)

    def is_done(self) -> bool:
        return self._driver.is_done(self._stream)

    def result(self) -> NDArray[np.float32]:
        self._driver.wait(self._stream)
        return self._output

    def cancel(self) -> None:
        self._driver.wait(self._stream)  # a graph cannot be stopped, and takes milliseconds


def _context(tensorrt: TensorRT, engine: Any) -> Any:
    """An execution context whose scratch memory is ours, for the one shape that runs."""
    trt, need = tensorrt.module, tensorrt.need
    strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
    if kernels := getattr(trt, "DynamicShapesKernelSpecializationStrategy", None):
        # TensorRT for RTX compiles kernels for a shape when it meets it. Done beside the work, the
        # first batches would run with other kernels, which round differently.
        config = need(engine.create_runtime_config(), "configure a run", _REBUILD)
        config.set_execution_context_allocation_strategy(strategy)
        config.dynamic_shapes_kernel_specialization_strategy = kernels.EAGER
        return need(engine.create_execution_context(config), "make a context", _REBUILD)
    return need(engine.create_execution_context(strategy), "make a context", _REBUILD)
