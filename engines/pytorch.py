"""PyTorch, on a processor or a CUDA device: the reference that others are held against.

The encoder's ONNX file is the only copy of the weights, so this engine executes that graph,
node by node, with PyTorch's functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines.base import Batches, EngineInfo, EngineUnavailableError

if TYPE_CHECKING:
    import torch


class PyTorchEngine:
    """Runs the encoder's ONNX graph with PyTorch.

    Parameters
    ----------
    onnx
        The encoder as an ONNX file's bytes, inputs ``windows`` and ``lead_mask``.
    precision
        ``auto`` and ``f32`` are float32; ``bf16`` and ``f16`` (CUDA) run under autocast.
    batch_size
        Rows of one call.
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
        except ImportError as error:
            raise EngineUnavailableError(
                f"the engine pytorch needs {error.name}, which is not installed",
                "pip install 'ecgscreen[train]'",
            ) from error
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        precision = "f32" if precision == "auto" else precision
        if precision not in {"f32", "bf16", "f16"} or (precision == "f16" and device == "cpu"):
            raise EngineUnavailableError(
                f"pytorch does not run {precision} on {device}", "use --precision f32 or bf16"
            )
        if threads:
            torch.set_num_threads(threads)
        self._device = torch.device(device)
        self._autocast = {"bf16": torch.bfloat16, "f16": torch.float16}.get(precision)
        self._graph = OnnxGraph(onnx_package.load_model_from_string(onnx), self._device)
        n_leads, n_samples = self._graph.input_shape("windows")[1:]
        self._batches = Batches(batch_size, n_leads, n_samples)
        self.info = EngineInfo(
            name="pytorch",
            version=torch.__version__,
            device=torch.cuda.get_device_name() if device.startswith("cuda") else "CPU",
            precision=precision,
            batch_size=batch_size,
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


class OnnxGraph:
    """An ONNX graph of the few operators that the encoder is made of (opset 18)."""

    def __init__(self, model: Any, device: torch.device) -> None:
        import onnx.helper
        import onnx.numpy_helper
        import torch

        self._nodes = [
            (
                _operator(node.op_type),
                list(node.input),
                node.output[0],
                {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute},
            )
            for node in model.graph.node
        ]
        self._constants = {
            tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()).to(device)
            for tensor in model.graph.initializer
        }
        self._output = model.graph.output[0]
        self._inputs = {value.name: value for value in model.graph.input}

    def input_shape(self, name: str) -> tuple[int, ...]:
        """Dimensions of an input; 0 where one is free."""
        return tuple(d.dim_value for d in self._inputs[name].type.tensor_type.shape.dim)

    def output_size(self) -> int:
        """Length of an embedding."""
        return int(self._output.type.tensor_type.shape.dim[1].dim_value)

    def run(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Execute the nodes in order; returns the graph's only output."""
        values: dict[str, Any] = {"": None, **self._constants, **inputs}
        for operator, names, output, attributes in self._nodes:
            values[output] = operator(*(values[name] for name in names), **attributes)
        result: torch.Tensor = values[self._output.name]
        return result


def _operator(op_type: str) -> Callable[..., Any]:
    try:
        return _OPERATORS[op_type]
    except KeyError:
        raise EngineUnavailableError(
            f"the ONNX operator {op_type} is not known to the engine pytorch",
            f"known are {', '.join(sorted(_OPERATORS))}",
        ) from None


def _conv(x: Any, weight: Any, bias: Any = None, **a: Any) -> Any:
    from torch.nn import functional

    before, after = a["pads"]
    if before != after:
        x, before = functional.pad(x, (before, after)), 0
    return functional.conv1d(x, weight, bias, stride=a["strides"][0], padding=before)


def _batch_norm(x: Any, scale: Any, shift: Any, mean: Any, variance: Any, **a: Any) -> Any:
    from torch.nn import functional

    return functional.batch_norm(
        x, mean, variance, scale, shift, training=False, eps=a.get("epsilon", 1e-5)
    )


def _max_pool(x: Any, **a: Any) -> Any:
    from torch.nn import functional

    return functional.max_pool1d(
        x, a["kernel_shape"][0], stride=a["strides"][0], padding=a["pads"][0]
    )


def _gemm(x: Any, weight: Any, bias: Any, **a: Any) -> Any:
    return x @ (weight.T if a.get("transB") else weight) + bias


def _reduce_mean(x: Any, axes: Any, **a: Any) -> Any:
    return x.mean(dim=tuple(axes.tolist()), keepdim=bool(a.get("keepdims", 1)))


def _reduce_max(x: Any, axes: Any, **a: Any) -> Any:
    return x.amax(dim=tuple(axes.tolist()), keepdim=bool(a.get("keepdims", 1)))


def _lp_normalization(x: Any, **a: Any) -> Any:
    from torch.nn import functional

    return functional.normalize(x.float(), p=float(a.get("p", 2)), dim=a.get("axis", -1))


def _concat(*tensors: Any, **a: Any) -> Any:
    import torch

    return torch.cat(tensors, dim=a["axis"])


_OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": lambda a, b: a + b,
    "BatchNormalization": _batch_norm,
    "Concat": _concat,
    "Conv": _conv,
    "Gemm": _gemm,
    "LpNormalization": _lp_normalization,
    "MaxPool": _max_pool,
    "Mul": lambda a, b: a * b,
    "ReduceMax": _reduce_max,
    "ReduceMean": _reduce_mean,
    "Relu": lambda x: x.relu(),
    "Unsqueeze": lambda x, axes: x.unsqueeze(int(axes)),
}
