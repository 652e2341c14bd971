"""An encoder's ONNX file in another precision.

TensorRT's networks are strongly typed since version 11: it computes in the types that the file
names. So a precision is a file, made from the bundle's float32 one when an engine is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engines.base import EngineUnavailableError

if TYPE_CHECKING:
    import onnx

HALF_PRECISIONS = ("f16", "bf16")
_BODY = frozenset({"Conv", "Relu", "MaxPool", "Add"})
"""What is computed in the lower precision. The mask before it, and pooling over time, the head
and the normalisation after it stay in float32: they cost next to nothing."""


_BF16_OPSET, _BF16_IR_VERSION = 22, 10
"""The first in which convolution and pooling may be bfloat16; nothing else here changed."""


def with_precision(onnx_bytes: bytes, precision: str) -> bytes:
    """An encoder whose convolutions compute in that precision.

    BatchNorm is folded into the convolution before it, in float64, so that each weight is
    rounded once (Jacob et al., CVPR 2018, equation 14).

    Parameters
    ----------
    onnx_bytes
        A float32 encoder, as `trainer.onnx_export.export_encoder` writes it.
    precision
        ``f32`` gives the same bytes back; ``f16`` or ``bf16``.

    Returns
    -------
    An ONNX file with the same inputs and output, both float32.

    Raises
    ------
    EngineUnavailableError
        If the package onnx is not installed, the file is no ONNX model, or it is built another
        way than an encoder is.
    """
    if precision == "f32":
        return onnx_bytes
    model = _read(onnx_bytes)
    fold_batch_norms(model.graph)
    _cast_body(model.graph, precision)
    if precision == "bf16":
        (domain,) = model.opset_import
        domain.version = max(domain.version, _BF16_OPSET)
        model.ir_version = max(model.ir_version, _BF16_IR_VERSION)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def _read(onnx_bytes: bytes) -> onnx.ModelProto:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise EngineUnavailableError(
            f"half precision needs {error.name}, which is not installed", "pip install onnx"
        ) from error
    try:
        return onnx.load_model_from_string(onnx_bytes)
    except DecodeError as error:
        raise EngineUnavailableError(
            "the encoder is no ONNX model, or not a whole one",
            "Copy the whole bundle again from where it was exported.",
        ) from error


def fold_batch_norms(graph: onnx.GraphProto) -> None:
    """Replace every convolution and the BatchNorm after it by one convolution with a bias."""
    from onnx import helper, numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = {node.output[0]: node for node in graph.node if node.op_type == "Conv"}
    nodes = []
    for node in graph.node:
        if node.op_type != "BatchNormalization":
            nodes.append(node)
            continue
        conv = convolutions.get(node.input[0])
        if conv is None or len(conv.input) != 2:
            raise _unlike_an_encoder(f"{node.name} does not follow a convolution without bias")
        weight, bias = _folded(
            constants[conv.input[1]],
            [constants[name] for name in node.input[1:]],
            {a.name: helper.get_attribute_value(a) for a in node.attribute}.get("epsilon", 1e-5),
        )
        names = [conv.input[1], node.input[2]]
        constants |= dict(zip(names, (weight, bias), strict=True))
        conv.input[:] = [conv.input[0], *names]
        conv.output[0] = node.output[0]
    used = {name for node in nodes for name in node.input}
    replace_nodes(graph, nodes)
    del graph.initializer[:]
    graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in constants.items() if name in used
    )


def _folded(
    weight: NDArray[np.float32], norm: list[NDArray[np.float32]], epsilon: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    scale, shift, mean, variance = (array.astype(np.float64) for array in norm)
    factor = scale / np.sqrt(variance + epsilon)
    folded = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
    return folded.astype(np.float32), (shift - mean * factor).astype(np.float32)


def _cast_body(graph: onnx.GraphProto, precision: str) -> None:
    """Round the body's weights, cast its input, and cast back to float32 what leaves it."""
    from onnx import TensorProto, helper

    kind = {"f16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}[precision]
    body = {node.output[0] for node in graph.node if node.op_type in _BODY}
    if graph.output[0].name in body:
        raise _unlike_an_encoder("its output is that of a convolution")
    constants = {tensor.name for tensor in graph.initializer}
    weights = {name for node in graph.node if node.op_type in _BODY for name in node.input}
    nodes: list[onnx.NodeProto] = []
    casts: dict[str, str] = {}
    for node in graph.node:
        into_body = node.op_type in _BODY
        for place, name in enumerate(node.input):
            if name in constants or (name in body) == into_body:
                continue
            if name not in casts:
                casts[name] = f"{name}.{precision if into_body else 'f32'}"
                target = kind if into_body else TensorProto.FLOAT
                nodes.append(
                    helper.make_node("Cast", [name], [casts[name]], f"cast_{name}", to=target)
                )
            node.input[place] = casts[name]
        nodes.append(node)
    replace_nodes(graph, nodes)
    for tensor in graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(_rounded(tensor, kind))


def replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Put other nodes in the place of a graph's own."""
    # Copies, since deleting from the graph takes its own nodes' content away.
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _rounded(tensor: onnx.TensorProto, kind: int) -> onnx.TensorProto:
    from onnx import helper, numpy_helper

    array = numpy_helper.to_array(tensor)
    with np.errstate(over="ignore"):
        rounded = array.astype(helper.tensor_dtype_to_np_dtype(kind))
    if not np.isfinite(rounded.astype(np.float32)).all():
        raise EngineUnavailableError(
            f"the encoder's {tensor.name} holds {np.abs(array).max():.3g}, too large for f16",
            "Use --precision bf16 or f32.",
        )
    return numpy_helper.from_array(rounded, tensor.name)


def _unlike_an_encoder(found: str) -> EngineUnavailableError:
    return EngineUnavailableError(
        f"the encoder is not built as expected: {found}",
        "Use --precision f32, or export the bundle again.",
    )
