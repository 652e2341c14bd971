"""OpenVINO on a processor: the default engine."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.base import Batches, EngineInfo, EngineUnavailableError


class OpenVINOEngine:
    """Runs the encoder with OpenVINO on the CPU.

    The model is compiled for one fixed batch size; a shorter batch is padded with zeros.

    Parameters
    ----------
    onnx
        The encoder as an ONNX file's bytes, inputs ``windows`` and ``lead_mask``.
    precision
        ``auto``: bf16 where the processor computes it natively, else f32.
    batch_size
        Rows of one call.
    threads
        Processor threads; 0 leaves it to OpenVINO.

    Raises
    ------
    EngineUnavailableError
        If OpenVINO is not installed, or the precision is not to be had here.
    """

    def __init__(
        self, onnx: bytes, *, precision: str = "auto", batch_size: int = 32, threads: int = 0
    ) -> None:
        ov = _import_openvino()
        core = ov.Core()
        native_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        reason = "asked for"
        if precision == "auto":
            precision = "bf16" if native_bf16 else "f32"
            reason = f"this processor {'computes' if native_bf16 else 'does not compute'} bf16"
        if precision not in {"f32", "bf16"}:
            raise EngineUnavailableError(
                f"openvino runs f32 and bf16 on a processor, not {precision}",
                "use --precision auto, f32 or bf16",
            )
        if precision == "bf16" and not native_bf16:
            raise EngineUnavailableError(
                "this processor does not compute bf16 natively", "use --precision f32"
            )
        try:
            model = core.read_model(onnx, b"")
        except RuntimeError as error:
            raise EngineUnavailableError(
                "openvino cannot read the encoder: it is no ONNX model, or not a whole one",
                "copy the whole bundle again from where it was exported",
            ) from error
        _, n_leads, n_samples = (
            d.get_length() if d.is_static else 0 for d in model.input("windows").get_partial_shape()
        )
        model.reshape(
            {"windows": [batch_size, n_leads, n_samples], "lead_mask": [batch_size, n_leads]}
        )
        hints: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
        }
        if threads:
            hints["INFERENCE_NUM_THREADS"] = threads
        self._request = core.compile_model(model, "CPU", hints).create_infer_request()
        self._batches = Batches(batch_size, n_leads, n_samples)
        self._embedding_size = model.output(0).get_partial_shape()[1].get_length()
        self.info = EngineInfo(
            name="openvino",
            version=ov.get_version().split("-")[0],
            device=core.get_property("CPU", "FULL_DEVICE_NAME").strip(),
            precision=precision,
            batch_size=batch_size,
            precision_reason=reason,
        )

    def embed(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """See `engines.base.Engine.embed`."""
        out = np.empty((len(windows), self._embedding_size), dtype=np.float32)
        for rows, batch in self._batches.cut(windows, lead_mask):
            result = self._request.infer(batch, share_inputs=True, share_outputs=True)
            out[rows] = result[0][: rows.stop - rows.start]
        return out


def _import_openvino() -> Any:
    # The package reports every import to an analytics host and writes an identifier into the
    # home folder, unless its telemetry module is not to be had. Patient systems do neither.
    if sys.modules.get("openvino_telemetry") is None:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # documented way to block an import
    try:
        import openvino
    except ImportError as error:
        raise EngineUnavailableError(
            "the engine openvino is not installed", "pip install openvino"
        ) from error
    return openvino
