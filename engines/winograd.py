"""Convolutions of three taps with half the multiplications, in a graph of OpenVINO.

Four neighbouring outputs of a convolution with three taps take twelve products of a weight and an
input, but six of sums of both: Winograd's F(4,3) (Lavin and Gray, CVPR 2016, section 4). Over all
channels the six are matrix products, and nearly all the work; weights are summed when a model is
rewritten, inputs and outputs by two more products with small matrices. The points are 0, 1, -1,
1/2, -2 and infinity, which round less than 0, +-1 and +-2 (Barabasz et al., ACM Transactions on
Mathematical Software 46(4), 2020); what is multiplied with inputs and products is exact in bf16.

From one such convolution to the next a value stays in blocks of time: shape (BLOCK, n_blocks, N,
channels), so that every sum over time is a matrix product of one matrix with all the rest. Places
behind its end are zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

TAPS, TILE = 3, 4
BLOCK = 8
"""Places that one small matrix makes sums of: most of it is zero with more."""
MIN_CHANNELS = 256
"""With fewer, the sums take what the products save: those grow with the channels, these with their
square."""
MOST_PADDING = 4 / 3
"""How many places all blocks may have, against those of the value that is in them."""

WEIGHT_SUMS = np.array(
    [
        [1, 0, 0],
        [1 / 3, 1 / 3, 1 / 3],
        [-1 / 3, 1 / 3, -1 / 3],
        [-16 / 15, -8 / 15, -4 / 15],
        [1 / 15, -2 / 15, 4 / 15],
        [0, 0, 1],
    ],
    np.float32,
)
"""(6, 3), of the taps: G of Lavin and Gray."""
INPUT_SUMS = np.array(
    [
        [1, -1.5, -2, 1.5, 1, 0],
        [0, -1, 0.5, 2.5, 1, 0],
        [0, 1, -2.5, 0.5, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 0.5, -1, -0.5, 1, 0],
        [0, 1, -1.5, -2, 1.5, 1],
    ],
    np.float32,
)
"""(6, 6), of the inputs that four outputs depend on: B transposed."""
OUTPUT_SUMS = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 0.5, -2, 0],
        [0, 1, 1, 0.25, 4, 0],
        [0, 1, -1, 0.125, -8, 1],
    ],
    np.float32,
)
"""(4, 6), of the products: A transposed."""


@dataclass(frozen=True)
class Rewritten:
    """What became of a model.

    Attributes
    ----------
    n_rewritten, n_convolutions
        Convolutions computed by F(4,3), and all that the model has.
    inputs
        Inputs that the model has more than before, and what they are to be set to, once.
    """

    n_rewritten: int
    n_convolutions: int
    inputs: Mapping[str, NDArray[np.float32]]

    @classmethod
    def nothing(cls) -> Rewritten:
        """Of a model that is left as it is."""
        return cls(0, 0, {})

    def __str__(self) -> str:
        if not self.n_rewritten:
            return "direct"
        return f"Winograd F(4,3) in {self.n_rewritten} of {self.n_convolutions}, else direct"


def rewrite(ov: Any, model: Any) -> Rewritten:
    """Rewrite a model's convolutions of three taps and stride 1 where that pays.

    Those count that have `MIN_CHANNELS` on both sides, and a BatchNorm after them, which is folded
    into their weights.

    Parameters
    ----------
    ov
        The package openvino.
    model
        An `openvino.Model` of static shapes; changed in place.
    """
    return _Rewriting(ov).run(model)


def block_sums() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`INPUT_SUMS` and `OUTPUT_SUMS` of all tiles of a block.

    Returns
    -------
    (6 * n_tiles, BLOCK + 2), from a block with the places before and behind it; and
    (BLOCK, 6 * n_tiles); the six matrices outermost.
    """
    n_tiles = BLOCK // TILE
    n_products = TILE + TAPS - 1
    inputs = np.zeros((n_products, n_tiles, BLOCK + TAPS - 1), np.float32)
    outputs = np.zeros((BLOCK, n_products, n_tiles), np.float32)
    for tile in range(n_tiles):
        start = tile * TILE
        inputs[:, tile, start : start + n_products] = INPUT_SUMS
        outputs[start : start + TILE, :, tile] = OUTPUT_SUMS
    return inputs.reshape(-1, BLOCK + TAPS - 1), outputs.reshape(BLOCK, -1)


@dataclass(frozen=True)
class _Blocks:
    """A value in blocks.

    Attributes
    ----------
    source
        Output of a node, shape (BLOCK, n_blocks, N, channels).
    length
        Of the value itself; what lies behind is zero.
    """

    source: Any
    length: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.source.get_shape())

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Shape (BLOCK, n_blocks, 1, 1)."""
        n_blocks = self.shape[1]
        places = np.arange(BLOCK)[:, None] + BLOCK * np.arange(n_blocks)
        return (places < self.length)[..., None, None]


_Key: TypeAlias = tuple[str, int]


def _key(source: Any) -> _Key:
    """A node's name, and which of its outputs."""
    return source.get_node().get_name(), source.get_index()


class _Rewriting:
    def __init__(self, ov: Any) -> None:
        self._op = ov.opset13
        self._in_blocks: dict[_Key, _Blocks] = {}
        """Values that are computed in blocks, by what gave them in the model as it was."""
        self._cut: dict[_Key, _Blocks] = {}
        """Others, that were cut for them."""
        self._joined: dict[_Key, Any] = {}
        """The former, for nodes that know no blocks."""
        self._shared: dict[tuple[int, ...], Any] = {}
        """Constants: what OpenVINO takes to compile a model grows with its nodes."""
        self._zero = self._op.constant(np.float32(0))
        inputs, outputs = block_sums()
        self._constants = {"winograd_inputs": inputs, "winograd_outputs": outputs}
        # Not constants of the model: OpenVINO (2026.4) multiplies those in f32, whatever the
        # precision, where they stand on the left.
        self._parameters = {}
        for name, array in self._constants.items():
            self._parameters[name] = self._op.parameter(array.shape, np.float32, name)
            self._parameters[name].output(0).set_names({name})

    def run(self, model: Any) -> Rewritten:
        n_rewritten = n_convolutions = 0
        for node in model.get_ordered_ops():
            kind = node.get_type_name()
            n_convolutions += kind == "Convolution"
            sources = [each.get_source_output() for each in node.inputs()]
            norm = self._norm_after(node) if kind == "Convolution" else None
            if norm is not None:
                self._in_blocks[_key(norm.output(0))] = self._convolved(node, norm)
                n_rewritten += 1
            elif not any(_key(each) in self._in_blocks for each in sources):
                continue
            elif kind == "Relu":
                self._in_blocks[_key(node.output(0))] = self._each(self._op.relu, sources)
            elif kind == "Add" and sources[0].get_shape() == sources[1].get_shape():
                self._in_blocks[_key(node.output(0))] = self._each(self._op.add, sources)
            else:
                for each, source in zip(node.inputs(), sources, strict=True):
                    if _key(source) in self._in_blocks:
                        each.replace_source_output(self._whole(source))
        if not n_rewritten:
            return Rewritten(0, n_convolutions, {})
        model.add_parameters(list(self._parameters.values()))
        model.validate_nodes_and_infer_types()
        return Rewritten(n_rewritten, n_convolutions, self._constants)

    def _norm_after(self, convolution: Any) -> Any:
        """The BatchNorm after a convolution that is to be rewritten, else None."""
        attributes = convolution.get_attributes()
        one = {"strides": [1], "dilations": [1], "pads_begin": [1], "pads_end": [1]}
        width, width_in, *taps = convolution.input_value(1).get_shape()
        length = convolution.get_output_shape(0)[2]
        readers = list(convolution.output(0).get_target_inputs())
        norm = readers[0].get_node() if len(readers) == 1 else None
        fits = (
            {name: list(attributes[name]) for name in one} == one
            and taps == [TAPS]
            and min(width, width_in) >= MIN_CHANNELS
            and -(-length // BLOCK) * BLOCK <= MOST_PADDING * length
            and norm is not None
            and norm.get_type_name() == "BatchNormInference"
            and readers[0].get_index() == 0
            and _are_constants([convolution.input_value(1), *norm.input_values()[1:]])
        )
        return norm if fits else None

    def _convolved(self, convolution: Any, norm: Any) -> _Blocks:
        op = self._op
        matrices, bias = _matrices(convolution, norm)
        n_products, width, width_in = matrices.shape
        value = self._blocks(convolution.input_value(0))
        _, n_blocks, n_rows, _ = value.shape
        columns = op.reshape(self._with_neighbours(value), self._ints(BLOCK + TAPS - 1, -1), False)
        sums = op.matmul(self._parameters["winograd_inputs"], columns, False, False)
        rows = op.reshape(sums, self._ints(n_products, -1, width_in), False)
        products = op.matmul(rows, op.constant(matrices, shared_memory=True), False, True)
        columns = op.reshape(products, self._ints(n_products * BLOCK // TILE, -1), False)
        outputs = op.matmul(self._parameters["winograd_outputs"], columns, False, False)
        blocks = op.reshape(outputs, self._ints(BLOCK, n_blocks, n_rows, width), False)
        result = op.add(blocks, bias.reshape(1, 1, 1, -1))
        if not value.inside.all():
            result = op.multiply(result, value.inside.astype(np.float32))
        return _Blocks(result.output(0), value.length)

    def _with_neighbours(self, value: _Blocks) -> Any:
        """Blocks with the last place of the one before and the first of the one behind."""
        op = self._op
        zero, one, block = self._ints(0), self._ints(1), self._ints(BLOCK)
        last = op.slice(value.source, self._ints(BLOCK - 1), block, one, zero)
        first = op.slice(value.source, zero, one, one, zero)
        return op.concat([self._moved(last, 1), value.source, self._moved(first, -1)], 0)

    def _moved(self, places: Any, by: int) -> Any:
        """What one place of each block has, moved by so many blocks."""
        begin, end = self._ints(0, by, 0, 0), self._ints(0, -by, 0, 0)
        return self._op.pad(places, begin, end, "constant", self._zero)

    def _each(self, operator: Any, sources: list[Any]) -> _Blocks:
        values = [self._blocks(source) for source in sources]
        return _Blocks(operator(*(each.source for each in values)).output(0), values[0].length)

    def _blocks(self, source: Any) -> _Blocks:
        key, op = _key(source), self._op
        if key not in self._in_blocks and key not in self._cut:
            n_rows, width, length = source.get_shape()
            n_blocks = -(-length // BLOCK)
            # OpenVINO's convolutions keep the channels of a place together: no copy yet.
            places = op.transpose(source, self._ints(0, 2, 1))
            if behind := n_blocks * BLOCK - length:
                begin, end = self._ints(0, 0, 0), self._ints(0, behind, 0)
                places = op.pad(places, begin, end, "constant", self._zero)
            shape = self._ints(n_rows, n_blocks, BLOCK, width)
            blocks = op.reshape(places, shape, False)
            cut = op.transpose(blocks, self._ints(2, 1, 0, 3))
            self._cut[key] = _Blocks(cut.output(0), length)
        return self._in_blocks.get(key) or self._cut[key]

    def _whole(self, source: Any) -> Any:
        key, op = _key(source), self._op
        if key not in self._joined:
            value = self._in_blocks[key]
            _, n_blocks, n_rows, width = value.shape
            blocks = op.transpose(value.source, self._ints(2, 1, 0, 3))
            shape = self._ints(n_rows, n_blocks * BLOCK, width)
            places = op.reshape(blocks, shape, False)
            if n_blocks * BLOCK > value.length:
                places = op.slice(places, *map(self._ints, (0, value.length, 1, 1)))
            self._joined[key] = op.transpose(places, self._ints(0, 2, 1)).output(0)
        return self._joined[key]

    def _ints(self, *values: int) -> Any:
        if values not in self._shared:
            self._shared[values] = self._op.constant(np.array(values, np.int64))
        return self._shared[values]


def _are_constants(sources: list[Any]) -> bool:
    return all(
        each.get_node().get_type_name() == "Constant"
        and each.get_element_type().get_type_name() == "f32"
        for each in sources
    )


def _matrices(convolution: Any, norm: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The six matrices of a convolution and the BatchNorm after it, and their bias."""
    scale, shift, mean, variance = (
        norm.input_value(place).get_node().data.astype(np.float64) for place in range(1, 5)
    )
    factor = scale / np.sqrt(variance + norm.get_attributes()["epsilon"])
    taps = convolution.input_value(1).get_node().data * factor.astype(np.float32)[:, None, None]
    matrices = (WEIGHT_SUMS @ taps.reshape(-1, TAPS).T).reshape(-1, *taps.shape[:2])
    return matrices, (shift - mean * factor).astype(np.float32)
