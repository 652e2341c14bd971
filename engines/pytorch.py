"""PyTorch, on a processor or a CUDA device: the reference that others are held against.

The encoder's ONNX file is the only copy of the weights, so this engine executes that graph,
node by node, with PyTorch's functions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.base import Batches, EngineInfo, EngineUnavailableError

LEAST_BATCH = 2
"""A single row is convolved by other kernels than several, which round differently."""


class PyTorchEngine:
    """Runs the encoder's ONNX graph with PyTorch.

    Parameters
    ----------
    onnx
        The encoder as an ONNX file's bytes, inputs ``windows`` and ``lead_mask``.
    precision
        ``auto`` and ``f32`` are float32; ``bf16`` and ``f16`` (CUDA) run under autocast.
    batch_size
        Rows of one call, at least `LEAST_BATCH`.
    threads
        Processor threads; 0 leaves it to PyTorch.
    device
        ``auto`` takes a CUDA device where there is one; else a PyTorch device string.

    Raises
    ------
    EngineUnavailableError
        If PyTorch or onnx is not installed, or device and precision do not go together.
    """

    def __init__(
        self,
        onnx: bytes,
        *,
        precision: str = "auto",
        batch_size: int = 32,
        threads: int = 0,
        device: str = "auto",
    ) -> None:
        try:
            import onnx as onnx_package
            import torch

            from engines.onnx_graph import OnnxGraph
        except ImportError as error:
            raise EngineUnavailableError(
                f"the engine pytorch needs {error.name}, which is not installed",
                "pip install 'ecgscreen[train]'",
            ) from error
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        reason = "the reference" if precision == "auto" else "asked for"
        precision = "f32" if precision == "auto" else precision
        if precision not in {"f32", "bf16", "f16"} or (precision == "f16" and device == "cpu"):
            raise EngineUnavailableError(
                f"pytorch does not run {precision} on {device}", "Use --precision f32 or bf16."
            )
        if threads:
            torch.set_num_threads(threads)
        self._device = torch.device(device)
        self._autocast = {"bf16": torch.bfloat16, "f16": torch.float16}.get(precision)
        self._graph = OnnxGraph(onnx_package.load_model_from_string(onnx), self._device)
        n_leads, n_samples = self._graph.input_shape("windows")[1:]
        batch_size = max(batch_size, LEAST_BATCH)
        self._batches = Batches(batch_size, n_leads, n_samples)
        self.info = EngineInfo(
            name="pytorch",
            version=str(torch.__version__),
            device=torch.cuda.get_device_name() if device.startswith("cuda") else "CPU",
            precision=precision,
            batch_size=batch_size,
            precision_reason=reason,
        )

    def embed(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """See `engines.base.Engine.embed`."""
        import torch

        rows_out = []
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, self._autocast, enabled=self._autocast is not None),
        ):
            for rows, batch in self._batches.cut(windows, lead_mask):
                tensors = {
                    key: torch.from_numpy(value).to(self._device) for key, value in batch.items()
                }
                embedding = self._graph.run(tensors).float().cpu().numpy()
                rows_out.append(embedding[: rows.stop - rows.start].copy())
        if not rows_out:
            return np.empty((0, self._graph.output_size()), dtype=np.float32)
        return np.concatenate(rows_out)
