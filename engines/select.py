"""Which engine runs: an explicit choice, reported, never a silent fallback."""

from __future__ import annotations

from contextlib import suppress

from engines.base import Engine, EngineUnavailableError

ENGINES = ("openvino", "tensorrt", "pytorch")
PROCESSOR_ENGINES = frozenset({"openvino"})
"""Those that do as well with a thread in each of several processes as with all in one."""
PRECISIONS = ("auto", "f32", "f16", "bf16", "int8")


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
        Rows of one call of the runtime; tensorrt always takes 256.
    threads
        Processor threads; 0 leaves it to the runtime. Says nothing to tensorrt.

    Raises
    ------
    EngineUnavailableError
        If the engine is unknown or not installed, or the precision is not to be had.
    """
    if precision == "int8" and name in ENGINES:
        raise EngineUnavailableError(
            f"{name} has no int8: quantised after training, the encoder moves scores by more than "
            "the .01 that is allowed",
            "Use --precision auto.",
        )
    if name == "openvino":
        from engines.openvino import OpenVINOEngine

        return OpenVINOEngine(onnx, precision=precision, batch_size=batch_size, threads=threads)
    if name == "tensorrt":
        from engines.tensorrt import TensorRTEngine

        return TensorRTEngine(onnx, precision=precision)
    if name == "pytorch":
        from engines.pytorch import PyTorchEngine

        return PyTorchEngine(onnx, precision=precision, batch_size=batch_size, threads=threads)
    raise EngineUnavailableError(
        f"there is no engine {name!r}", f"Choose one of {', '.join(ENGINES)}."
    )


def import_engine(name: str) -> None:
    """Import what takes longest when an engine is loaded; what is wrong with it shows then.

    Parameters
    ----------
    name
        Of `PROCESSOR_ENGINES`; others may depend on a device that the caller does not need yet.
    """
    if name == "openvino":
        from engines.openvino import import_openvino

        with suppress(EngineUnavailableError):
            import_openvino()
