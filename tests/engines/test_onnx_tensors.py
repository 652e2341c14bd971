"""Tensors that lie in other files are seen wherever an ONNX file can have them."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, GraphProto, ModelProto, SparseTensorProto, TensorProto

from engines.onnx_tensors import holds_its_tensors


def inside() -> TensorProto:
    return onnx.numpy_helper.from_array(np.arange(6, dtype=np.float32), "inside")


def elsewhere() -> TensorProto:
    tensor = TensorProto(name="elsewhere", data_type=1, dims=[6])
    tensor.data_location = TensorProto.EXTERNAL
    return tensor


def sparse(values: TensorProto, indices: TensorProto) -> SparseTensorProto:
    return SparseTensorProto(values=values, indices=indices, dims=[9])


def node(**attribute: object) -> onnx.NodeProto:
    one = onnx.NodeProto(op_type="Constant", output=["x"])
    one.attribute.append(AttributeProto(name="value", **attribute))
    return one


def model(graph: GraphProto, **other: object) -> ModelProto:
    return ModelProto(ir_version=8, producer_name="somebody", graph=graph, **other)


Place = Callable[[TensorProto], ModelProto]
PLACES: dict[str, Place] = {
    "initializer": lambda t: model(GraphProto(initializer=[inside(), t])),
    "sparse": lambda t: model(GraphProto(sparse_initializer=[sparse(t, inside())])),
    "indices": lambda t: model(GraphProto(sparse_initializer=[sparse(inside(), t)])),
    "attribute": lambda t: model(GraphProto(node=[node(t=t)])),
    "attributes": lambda t: model(GraphProto(node=[node(tensors=[inside(), t])])),
    "sparse attribute": lambda t: model(GraphProto(node=[node(sparse_tensor=sparse(t, t))])),
    "sparse attributes": lambda t: model(GraphProto(node=[node(sparse_tensors=[sparse(t, t)])])),
    "branch": lambda t: model(GraphProto(node=[node(g=GraphProto(initializer=[t]))])),
    "branches": lambda t: model(GraphProto(node=[node(graphs=[GraphProto(initializer=[t])])])),
    "function": lambda t: model(
        GraphProto(), functions=[onnx.FunctionProto(name="f", node=[node(t=t)])]
    ),
    "default": lambda t: model(
        GraphProto(),
        functions=[onnx.FunctionProto(attribute_proto=[AttributeProto(name="a", t=t)])],
    ),
    "training": lambda t: model(
        GraphProto(),
        training_info=[onnx.TrainingInfoProto(algorithm=GraphProto(initializer=[t]))],
    ),
    "first step": lambda t: model(
        GraphProto(),
        training_info=[onnx.TrainingInfoProto(initialization=GraphProto(initializer=[t]))],
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_tensor_elsewhere_is_seen(place: str) -> None:
    put = PLACES[place]
    assert holds_its_tensors(put(inside()).SerializeToString())
    assert not holds_its_tensors(put(elsewhere()).SerializeToString())
    named = inside()
    named.external_data.add(key="location", value="/etc/passwd")
    assert not holds_its_tensors(put(named).SerializeToString())


def test_the_table_has_every_way_to_a_tensor() -> None:
    """By the grammar that the onnx package brings along."""
    from engines.onnx_tensors import _GRAPHS_AND_TENSORS

    messages = {
        "model": ModelProto,
        "training": onnx.TrainingInfoProto,
        "function": onnx.FunctionProto,
        "graph": GraphProto,
        "node": onnx.NodeProto,
        "attribute": AttributeProto,
        "sparse tensor": SparseTensorProto,
        "tensor": TensorProto,
    }
    name_of = {message.DESCRIPTOR.name: name for name, message in messages.items()}
    for name, message in messages.items():
        found = {
            field.number: name_of[field.message_type.name]
            for field in message.DESCRIPTOR.fields
            if field.message_type is not None and field.message_type.name in name_of
        }
        assert found == _GRAPHS_AND_TENSORS[name], name


def test_a_group_hides_nothing() -> None:
    """An old way to nest, which readers skip."""
    hidden = model(GraphProto(initializer=[elsewhere()])).SerializeToString()
    group = bytes([99 << 3 & 0x7F | 0x80 | 3, 6]) + bytes([99 << 3 & 0x7F | 0x80 | 4, 6])
    assert not holds_its_tensors(group + hidden)


def test_what_is_no_onnx_file_is_refused() -> None:
    whole = model(GraphProto(initializer=[inside()])).SerializeToString()
    for content in (b"", whole[:-1], b"\0\0", b"\xff" * 20, b"<?xml version='1.0'?>", b"\x07"):
        with pytest.raises(ValueError, match=r"it holds|a field|a number"):
            holds_its_tensors(content)


def test_damage_never_hangs() -> None:
    whole = PLACES["function"](elsewhere()).SerializeToString()
    rng = random.Random(5)
    outcomes: set[bool | None] = set()
    for _ in range(2000):
        changed = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        try:
            outcomes.add(holds_its_tensors(bytes(changed)))
        except ValueError:
            outcomes.add(None)
    assert outcomes == {True, False, None}
