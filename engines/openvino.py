"""OpenVINO on a processor: the default engine."""

from __future__ import annotations

import errno
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.base import EngineInfo, EngineUnavailableError, require_shape
from engines.processor import has_amx, usable_cores
from engines.stream import embed_stream
from engines.winograd import Rewritten, rewrite

SPARE_BATCHES = 2
"""Batches that are ready while as many as there are threads run: 45 ms of work each."""

_CONVERTER = "openvino.tools.ovc"
"""Makes models of other frameworks' ones. The package goes without where it is not installed; it
takes a third of the import."""

_WANT = (os.strerror(errno.EAGAIN), os.strerror(errno.ENOMEM), "failed to map segment", "bad_alloc")
"""What the system, its loader and C++ call it; OpenVINO has the same errors for all faults."""


class OpenVINOEngine:
    """Runs the encoder with OpenVINO on the CPU.

    The model is compiled for one fixed batch size; a shorter batch is padded with zeros. Every
    thread runs batches of its own (OpenVINO calls that a stream): threads that share a batch wait
    for each other, above all where the processor has other work, such as reading the next files;
    and no sum is split in a way that depends on how many threads there are.

    Wide convolutions are computed with half the multiplications (see `engines.winograd`) on x86-64,
    but not in bf16 with AMX, which multiplies many times faster: elsewhere it was not measured.

    Parameters
    ----------
    onnx
        The encoder as an ONNX file's bytes, inputs ``windows`` and ``lead_mask``.
    precision
        ``auto``: bf16 where the processor computes it natively, else f32.
    batch_size
        Rows of one call.
    threads
        Processor threads; 0 takes one a core.
    direct
        Compute every convolution directly, to compare with.

    Attributes
    ----------
    slots
        Batches in flight; see `engines.stream`.

    Raises
    ------
    EngineUnavailableError
        If OpenVINO is not installed or finds no memory, or the precision is not to be had here.
    """

    def __init__(
        self,
        onnx: bytes,
        *,
        precision: str = "auto",
        batch_size: int = 32,
        threads: int = 0,
        direct: bool = False,
    ) -> None:
        ov = import_openvino()
        core = _core(ov)
        try:
            native_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        except RuntimeError as error:
            raise _for_want(error) or error from error
        reason = "asked for"
        if precision == "auto":
            precision = "bf16" if native_bf16 else "f32"
            reason = f"this processor {'computes' if native_bf16 else 'does not compute'} bf16"
        if precision not in {"f32", "bf16"}:
            raise EngineUnavailableError(
                f"openvino runs f32 and bf16 on a processor, not {precision}",
                "Use --precision auto, f32 or bf16.",
            )
        if precision == "bf16" and not native_bf16:
            raise EngineUnavailableError(
                "this processor does not compute bf16 natively", "Use --precision f32."
            )
        threads = threads or usable_cores()
        hints = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
            # Bound to cores, the threads of several processes would all be bound to the first ones.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = core.read_model(onnx, b"")
            _, n_leads, n_samples = (
                d.get_length() if d.is_static else 0
                for d in model.input("windows").get_partial_shape()
            )
            shape = (batch_size, n_leads, n_samples)
            model.reshape({"windows": list(shape), "lead_mask": list(shape[:2])})
            direct = direct or not _multiplying_less_pays(precision)
            rewritten = Rewritten.nothing() if direct else rewrite(ov, model)
            compiled = core.compile_model(model, "CPU", hints)
            _, self._embedding_size = (d.get_length() for d in model.output(0).get_partial_shape())
            self.slots = [
                _Slot(ov, compiled, shape, rewritten.inputs) for _ in range(threads + SPARE_BATCHES)
            ]
        except (RuntimeError, TypeError, ValueError) as error:
            raise _for_want(error) or EngineUnavailableError(
                "openvino cannot read the encoder: it is no ONNX model, or not a whole one",
                "Copy the whole bundle again from where it was exported.",
            ) from error
        self.info = EngineInfo(
            name="openvino",
            version=ov.get_version().split("-")[0],
            device=core.get_property("CPU", "FULL_DEVICE_NAME").strip(),
            precision=precision,
            batch_size=batch_size,
            precision_reason=reason,
            convolutions=str(rewritten),
        )

    def embed(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """See `engines.base.Engine.embed`."""
        require_shape(windows, lead_mask, *self.slots[0].windows.shape[1:])
        (rows,) = embed_stream(self, [(windows, lead_mask)])
        return rows if len(rows) else np.empty((0, self._embedding_size), np.float32)


class _Slot:
    """See `engines.stream.Slot`: an inference request and the arrays that it reads."""

    def __init__(
        self,
        ov: Any,
        compiled: Any,
        shape: tuple[int, int, int],
        constants: Mapping[str, NDArray[np.float32]],
    ) -> None:
        self.windows = np.zeros(shape, np.float32)
        self.lead_mask = np.zeros(shape[:2], np.float32)
        self._request = compiled.create_infer_request()
        # Kept, since a request does not keep what it reads.
        self._inputs = {"windows": self.windows, "lead_mask": self.lead_mask, **constants}
        for name, array in self._inputs.items():
            self._request.set_tensor(name, ov.Tensor(array, shared_memory=True))

    def start(self) -> None:
        self._request.start_async()

    def is_done(self) -> bool:
        return bool(self._request.wait_for(0))

    def result(self) -> NDArray[np.float32]:
        self._request.wait()
        rows: NDArray[np.float32] = self._request.get_output_tensor(0).data
        return rows

    def cancel(self) -> None:
        self._request.cancel()
        with suppress(RuntimeError):  # "was canceled", if it had not been done by then
            self._request.wait()


@cache
def _core(ov: Any) -> Any:
    """The one core of this process, and with it the one plugin, which is never given back.

    The plugin gives the thread that loads it a stack for signals' handlers. Of several that are
    given back in the order they came, or of one given back by another thread, that stack stays in
    use though its memory is gone, and the next signal ends the process (seen with OpenVINO 2026).
    """
    return ov.Core()


def _multiplying_less_pays(precision: str) -> bool:
    x86_64 = platform.machine().lower() in {"x86_64", "amd64"}
    return x86_64 and not (precision == "bf16" and has_amx())


def import_openvino() -> Any:
    """Import the package openvino, without what no engine needs of it.

    Raises
    ------
    EngineUnavailableError
        If it is not installed, or finds no memory.
    """
    # The package reports every import to an analytics host and writes an identifier into the
    # home folder, unless its telemetry module is not to be had. Patient systems do neither.
    if sys.modules.get("openvino_telemetry") is None:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # documented way to block an import
    try:
        with _without(_CONVERTER):
            import openvino
    except ImportError as error:
        raise _for_want(error) or EngineUnavailableError(
            "the engine openvino is not installed", "pip install openvino"
        ) from error
    return openvino


def _for_want(error: Exception) -> EngineUnavailableError | None:
    """Tell a machine that has no more from a model that is none, or a package that is not there."""
    wanting = next((words for words in _WANT if words in str(error)), None)
    if wanting is None:
        return None
    return EngineUnavailableError(
        f"openvino finds no memory, or no thread: {wanting}",
        "End other programs, or look at the limits (ulimit -v, ulimit -u).",
    )


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Have a module not there as long as the body runs, unless it is imported already."""
    is_there = module in sys.modules
    if not is_there:
        sys.modules[module] = None  # type: ignore[assignment]  # as above
    try:
        yield
    finally:
        if not is_there:
            del sys.modules[module]
