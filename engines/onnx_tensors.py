"""Whether an ONNX file holds its tensors itself, asked before any runtime opens it.

A tensor of an ONNX file may lie in another file, which the model names (`TensorProto.external_data`
in onnx.proto, ONNX 1.17). A runtime opens that file: OpenVINO (2026.4) any one in or below the
working folder, wherever the model came from. An encoder from somebody else must not choose what is
read here. The file's messages are walked as protocol buffers encode them (protobuf.dev,
"Encoding"); no package is needed for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

_GRAPHS_AND_TENSORS: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "model": {7: "graph", 20: "training", 25: "function"},
        "training": {1: "graph", 2: "graph"},
        "function": {7: "node", 11: "attribute"},
        "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
        "node": {5: "attribute"},
        "attribute": {
            5: "tensor",
            6: "graph",
            10: "tensor",
            11: "graph",
            22: "sparse tensor",
            23: "sparse tensor",
        },
        "sparse tensor": {1: "tensor", 2: "tensor"},
        "tensor": {},
    }
)
"""Message -> its fields by number that lead to tensors, and their messages."""

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
"""Of a tensor."""

_VARINT, _FIXED_64, _BYTES, _GROUP, _END_GROUP, _FIXED_32 = range(6)
_LONGEST_VARINT = 10


def holds_its_tensors(onnx: bytes) -> bool:
    """Tell whether an ONNX file names no other file for any of its tensors.

    Parameters
    ----------
    onnx
        The file.

    Raises
    ------
    ValueError
        If it is no ONNX file.
    """
    content = memoryview(onnx)
    waiting = [("model", content)]
    n_graphs = 0
    while waiting:
        kind, message = waiting.pop()
        n_graphs += kind == "graph"
        for field, value in _fields(message):
            if kind == "tensor" and field in {_EXTERNAL_DATA, _DATA_LOCATION} and value:
                return False
            inner = _GRAPHS_AND_TENSORS[kind].get(field)
            if inner is not None and isinstance(value, memoryview):
                waiting.append((inner, value))
    if not n_graphs:
        raise ValueError("it holds no graph")
    return True


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and the value of every field: a number, or bytes."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        field, kind = key >> 3, key & 7
        if not field:
            raise ValueError("a field without number")
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield field, value
        elif kind in {_FIXED_64, _FIXED_32, _BYTES}:
            if kind == _BYTES:
                size, position = _varint(message, position)
            else:
                size = 8 if kind == _FIXED_64 else 4
            if size > len(message) - position:
                raise ValueError("a field longer than what it is part of")
            yield field, message[position : position + size]
            position += size
        elif kind not in {_GROUP, _END_GROUP}:
            # What lies between the two is fields again, and is looked at like those around it.
            raise ValueError("a field of unknown kind")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Give the number that begins at a position, and the position behind it."""
    number = 0
    for index, byte in enumerate(message[position : position + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, position + index + 1
    raise ValueError("a number without end")
