"""The encoder in half precision, computed by ONNX's own reference in the types of the file."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from engines.base import EngineUnavailableError
from engines.onnx_precision import HALF_PRECISIONS, with_precision
from engines.select import load_engine
from tests.engines.conftest import Batch

KIND = {"f16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
ROUNDING = {"f16": 2.0**-11, "bf16": 2.0**-8}
"""Of one number, relative."""


def test_f32_is_the_file_itself(onnx_bytes: bytes) -> None:
    assert with_precision(onnx_bytes, "f32") is onnx_bytes


@pytest.mark.parametrize("precision", HALF_PRECISIONS)
def test_half_precision_rounds_and_no_more(precision: str, onnx_bytes: bytes, batch: Batch) -> None:
    expected = load_engine("pytorch", onnx_bytes, precision="f32").embed(*batch)
    model = onnx.load_model_from_string(with_precision(onnx_bytes, precision))
    (found,) = ReferenceEvaluator(model).run(
        None, {"windows": batch.windows[:4], "lead_mask": batch.lead_mask[:4].astype(np.float32)}
    )
    assert found.dtype == np.float32
    worst = np.abs(found - expected[:4]).max()
    assert 1e-6 < worst < 8 * ROUNDING[precision]


@pytest.mark.parametrize("precision", HALF_PRECISIONS)
def test_every_convolution_is_of_that_type(precision: str, onnx_bytes: bytes) -> None:
    model = onnx.load_model_from_string(with_precision(onnx_bytes, precision))
    onnx.checker.check_model(model, full_check=True)
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    nodes = list(model.graph.node)
    before = onnx.load_model_from_string(onnx_bytes).graph.node
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    assert len(convolutions) == sum(node.op_type == "Conv" for node in before)
    for conv in convolutions:
        assert [types[name] for name in conv.input[1:]] == [KIND[precision]] * 2
    assert {types[name] for name in types if name.startswith("head")} == {TensorProto.FLOAT}
    assert not [node for node in nodes if node.op_type == "BatchNormalization"]
    # One cast into the convolutions, one out of them: nothing goes back and forth.
    assert [
        helper.get_attribute_value(node.attribute[0]) for node in nodes if node.op_type == "Cast"
    ] == [
        KIND[precision],
        TensorProto.FLOAT,
    ]


def test_the_same_encoder_gives_the_same_bytes(onnx_bytes: bytes) -> None:
    assert with_precision(onnx_bytes, "f16") == with_precision(onnx_bytes, "f16")


def test_a_weight_that_f16_cannot_hold_is_named(onnx_bytes: bytes) -> None:
    model = onnx.load_model_from_string(onnx_bytes)
    (weight,) = (t for t in model.graph.initializer if t.name == "stem.0.weight")
    huge = numpy_helper.to_array(weight) * 1e6
    weight.CopyFrom(numpy_helper.from_array(huge, weight.name))
    with pytest.raises(EngineUnavailableError, match=r"stem\.0\.weight holds .* too large for f16"):
        with_precision(model.SerializeToString(), "f16")
    assert with_precision(model.SerializeToString(), "bf16")


def test_what_is_no_encoder_is_refused(onnx_bytes: bytes) -> None:
    with pytest.raises(EngineUnavailableError, match="no ONNX model"):
        with_precision(b"no model", "f16")
    model = onnx.load_model_from_string(onnx_bytes)
    norm = next(node for node in model.graph.node if node.op_type == "BatchNormalization")
    norm.input[0] = "mul_1"
    with pytest.raises(EngineUnavailableError, match="does not follow a convolution"):
        with_precision(model.SerializeToString(), "f16")
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 12])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [value])
    graph.output[0].name = "y"
    with pytest.raises(EngineUnavailableError, match="its output is that of a convolution"):
        with_precision(helper.make_model(graph).SerializeToString(), "f16")


def test_without_onnx_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, onnx_bytes: bytes
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(EngineUnavailableError, match="onnx, which is not installed") as caught:
        with_precision(onnx_bytes, "f16")
    assert caught.value.advice == "pip install onnx"
