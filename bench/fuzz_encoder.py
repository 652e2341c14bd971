"""A network as small as one can be that keeps the promises of an encoder."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np

EMBEDDING_SIZE = 16
TEXT_SIZE = 32
_N_FILTERS = 8


@cache
def tiny_encoder() -> bytes:
    """Give an ONNX file of some 8 KB: a convolution, the mean over time, a projection."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of protobuf, about its own future
        from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(3)
    weights = {
        "filters": rng.normal(size=(_N_FILTERS, 12, 10)),
        "projection": rng.normal(size=(EMBEDDING_SIZE, _N_FILTERS + 12)),
    }
    nodes = [
        helper.make_node("Conv", ["windows", "filters"], ["filtered"], strides=[10]),
        helper.make_node("Relu", ["filtered"], ["rectified"]),
        helper.make_node("GlobalAveragePool", ["rectified"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Concat", ["features", "lead_mask"], ["all"], axis=1),
        helper.make_node("Gemm", ["all", "projection"], ["projected"], transB=1),
        helper.make_node("LpNormalization", ["projected"], ["embeddings"], axis=1, p=2),
    ]
    shapes = {"windows": ["N", 12, 1000], "lead_mask": ["N", 12]}
    graph = helper.make_graph(
        nodes,
        "encoder",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", EMBEDDING_SIZE])],
        [
            numpy_helper.from_array(array.astype(np.float32), name)
            for name, array in weights.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content
