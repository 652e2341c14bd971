"""Executes an ONNX graph with PyTorch's functions, node by node.

Imports torch: only the engine ``pytorch`` loads this module, when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx.helper
import onnx.numpy_helper
import torch
from torch.nn import functional

from engines.base import EngineUnavailableError

_GEMM_ROWS = 32
"""Bounds the products that are summed: 16 MB with 1,024 features and D = 128."""


class OnnxGraph:
    """An ONNX graph of the few operators that the encoder is made of (opset 18)."""

    def __init__(self, model: Any, device: torch.device) -> None:
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
            f"Known are {', '.join(sorted(_OPERATORS))}.",
        ) from None


def _conv(x: Any, weight: Any, bias: Any = None, **a: Any) -> Any:
    before, after = a["pads"]
    if before != after:
        x, before = functional.pad(x, (before, after)), 0
    return functional.conv1d(x, weight, bias, stride=a["strides"][0], padding=before)


def _batch_norm(x: Any, scale: Any, shift: Any, mean: Any, variance: Any, **a: Any) -> Any:
    return functional.batch_norm(
        x, mean, variance, scale, shift, training=False, eps=a.get("epsilon", 1e-5)
    )


def _max_pool(x: Any, **a: Any) -> Any:
    return functional.max_pool1d(
        x, a["kernel_shape"][0], stride=a["strides"][0], padding=a["pads"][0]
    )


def _gemm(x: Any, weight: Any, bias: Any, **a: Any) -> Any:
    weight = weight if a.get("transB") else weight.T
    # The rounding of a matrix product depends on how many rows it has; that of a sum does not.
    rows = [(part.unsqueeze(1) * weight).sum(dim=-1) for part in x.split(_GEMM_ROWS)]
    return torch.cat(rows) + bias


def _reduce_mean(x: Any, axes: Any, **a: Any) -> Any:
    return x.mean(dim=tuple(axes.tolist()), keepdim=bool(a.get("keepdims", 1)))


def _reduce_max(x: Any, axes: Any, **a: Any) -> Any:
    return x.amax(dim=tuple(axes.tolist()), keepdim=bool(a.get("keepdims", 1)))


def _lp_normalization(x: Any, **a: Any) -> Any:
    return functional.normalize(x.float(), p=float(a.get("p", 2)), dim=a.get("axis", -1))


def _concat(*tensors: Any, **a: Any) -> Any:
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
