"""From an encoder's ONNX file to a serialised TensorRT engine.

One API serves two packages: ``tensorrt``, the full library for every NVIDIA device, and
``tensorrt_rtx`` (TensorRT for RTX), which is small and builds without a device. Both return None
or False where something fails, and tell why to their logger: every return is checked here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from engines.base import EngineUnavailableError
from engines.onnx_precision import HALF_PRECISIONS, with_precision

PACKAGES = ("tensorrt", "tensorrt_rtx")
"""In the order of preference."""
PRECISIONS = ("f32", *HALF_PRECISIONS)
INSTALL = "pip install 'ecgscreen[tensorrt]'"
FULL_BATCH = 256
"""Rows of the shape that is run: a recording's result depends on no other batch size."""
WORKSPACE_BYTES = 1 << 30
"""Scratch memory that the builder may plan with; the shipped encoder takes 83 MB of it."""
_NEWEST_CALL = "device_memory_size_v2"
"""Of those that the engine makes, the one that came last: with version 10.1."""
_SAID = 3
"""Messages of the logger that an error quotes, the last ones."""


@dataclass(frozen=True)
class TensorRT:
    """A TensorRT package, imported, and what it logs.

    Attributes
    ----------
    package
        Of `PACKAGES`.
    module
        The package itself.
    logger
        To be given to whatever the module makes.
    said
        The messages that the logger got, errors and warnings.
    """

    package: str
    module: Any
    logger: Any
    said: list[str]

    @property
    def version(self) -> str:
        """Such as ``1.7.1.116``."""
        return str(self.module.__version__)

    def need(self, result: Any, doing: str, advice: str) -> Any:
        """The result, unless it is None, False or 0.

        Raises
        ------
        EngineUnavailableError
            With what the logger got in the meantime.
        """
        if result is None or result is False or result == 0:
            said = "; ".join(self.said[-_SAID:]) or "it says nothing more"
            raise EngineUnavailableError(f"{self.package} cannot {doing}: {said}", advice)
        return result


def import_tensorrt(package: str | None = None) -> TensorRT:
    """Import TensorRT, with a logger that keeps what it is told.

    Parameters
    ----------
    package
        Of `PACKAGES`; None takes the first that is installed.

    Raises
    ------
    EngineUnavailableError
        If none is installed, its libraries cannot be loaded, or it is too old.
    """
    package = package or next(filter(installed, PACKAGES), None)
    if package is None:
        raise EngineUnavailableError("the engine tensorrt is not installed", INSTALL)
    try:
        module = import_module(package)
    except (ImportError, OSError) as error:
        raise EngineUnavailableError(
            f"the package {package} cannot be imported: {error}", INSTALL
        ) from error
    if not hasattr(module.ICudaEngine, _NEWEST_CALL):
        raise EngineUnavailableError(
            f"{package} {module.__version__} is too old", "Install tensorrt 10.1 or later."
        )
    said: list[str] = []
    return TensorRT(package, module, _logger(module, said.append), said)


def installed(package: str) -> bool:
    """Whether a package is to be had, without importing it."""
    try:
        return find_spec(package) is not None
    except ValueError:  # what the import system raises for a module that is blocked
        return False


def build_engine(
    tensorrt: TensorRT, onnx: bytes, precision: str, *, max_batch: int = FULL_BATCH
) -> bytes:
    """Parse an encoder and build it, for the device of this machine where there is one.

    TensorRT for RTX builds without a device too, for all that it knows.

    Parameters
    ----------
    tensorrt
        From `import_tensorrt`.
    onnx
        The float32 encoder, inputs ``windows`` (N, n_leads, n_samples) and ``lead_mask``.
    precision
        Of `PRECISIONS`: of the convolutions; see `engines.onnx_precision`.
    max_batch
        The batch is dynamic, from 1 to this; the kernels are chosen for this one.

    Returns
    -------
    The serialised engine.

    Raises
    ------
    EngineUnavailableError
        With TensorRT's own words, if it does not parse or build the encoder.
    """
    trt, need = tensorrt.module, tensorrt.need
    broken = "Copy the whole bundle again from where it was exported."
    no_device = (
        "Look at nvidia-smi; the full tensorrt package builds on a machine with a device only."
    )
    typed_onnx = with_precision(onnx, precision)
    tensorrt.said.clear()
    builder = need(_made(trt.Builder, tensorrt.logger), "start its builder", no_device)
    network = need(builder.create_network(_typed(trt)), "make a network", no_device)
    parser = trt.OnnxParser(network, tensorrt.logger)
    parsed = parser.parse(typed_onnx)
    # The parser's own list is the short one, and names node and operator.
    if errors := [" ".join(str(parser.get_error(i)).split()) for i in range(parser.num_errors)]:
        tensorrt.said[:] = errors
    need(parsed, "parse the encoder", broken)
    # Bytes that are no ONNX file at all may pass for an empty one.
    need(network.num_outputs, "find the encoder in what it parsed", broken)
    config = need(builder.create_builder_config(), "configure a build", no_device)
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    # TF32 would keep ten bits of what is called f32 here.
    config.clear_flag(trt.BuilderFlag.TF32)
    if strict := getattr(trt.BuilderFlag, "STRICT_NANS", None):
        config.set_flag(strict)
    profile = need(builder.create_optimization_profile(), "make a profile", no_device)
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        _, *rest = tensor.shape
        profile.set_shape(tensor.name, (1, *rest), (max_batch, *rest), (max_batch, *rest))
    if config.add_optimization_profile(profile) < 0:
        need(None, "take the range of batches", broken)
    serialised = need(
        builder.build_serialized_network(network, config), "build the encoder", no_device
    )
    return bytes(serialised)


def _made(make: Callable[..., Any], *arguments: Any) -> Any:
    """The object, or None: a constructor that fails raises TypeError, having returned null."""
    try:
        return make(*arguments)
    except TypeError:
        return None


def _typed(trt: Any) -> int:
    """The flag for strongly typed networks; from version 11 on there are no others."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _logger(module: Any, keep: Callable[[str], None]) -> Any:
    class Logger(module.ILogger):  # type: ignore[misc]  # the base is known only at run time
        def __init__(self) -> None:
            module.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity <= module.ILogger.Severity.WARNING:
                keep(" ".join(message.split()))

    return Logger()
