"""Which engine runs: an explicit choice, reported, never a silent fallback."""

from __future__ import annotations

from engines.base import Engine, EngineUnavailableError

ENGINES = ("openvino", "pytorch")
PRECISIONS = ("auto", "f32", "bf16", "f16")


def load_engine(
    name: str, onnx: bytes, *, precision: str = "auto", batch_size: int = 32, threads: int = 0
) -> Engine:
    """Load an encoder into the engine of that name.

    Parameters
    ----------
    name
        One of `ENGINES`.
    onnx
        The encoder as an ONNX file's bytes.
    precision
        One of `PRECISIONS`; what ``auto`` became stands in the engine's `info`.
    batch_size
        Rows of one call of the runtime.
    threads
        Processor threads; 0 leaves it to the runtime.

    Raises
    ------
    EngineUnavailableError
        If the engine is unknown or not installed, or the precision is not to be had.
    """
    if name == "openvino":
        from engines.openvino import OpenVINOEngine

        return OpenVINOEngine(onnx, precision=precision, batch_size=batch_size, threads=threads)
    if name == "pytorch":
        from engines.pytorch import PyTorchEngine

        return PyTorchEngine(onnx, precision=precision, batch_size=batch_size, threads=threads)
    raise EngineUnavailableError(
        f"there is no engine {name!r}", f"choose one of {', '.join(ENGINES)}"
    )
