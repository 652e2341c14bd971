"""Write an encoder as an ONNX graph that keeps PyTorch's parameter names.

The graph is put together node by node instead of traced: its initialisers are the module's
``state_dict`` under the same names, BatchNorm stays a node of its own, and the same weights
give the same bytes. `restore_encoder` goes the other way, so the bundle's ONNX file is the only
copy of the weights.
"""

from __future__ import annotations

import json
from typing import cast

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ecgscreen.recording import LEADS
from trainer.encoder import BasicBlock, EncoderConfig, ResNet1d

OPSET = 18
IR_VERSION = 9
"""Old enough for the runtimes of the last years."""


def export_encoder(encoder: ResNet1d, n_samples: int) -> bytes:
    """The encoder as the bytes of an ONNX file.

    Parameters
    ----------
    encoder
        Its weights are written as float32, its dropout is left out.
    n_samples
        Of a window.

    Returns
    -------
    A model with inputs ``windows`` float32 (N, 12, n_samples) and ``lead_mask`` float32 (N, 12)
    and output ``embedding`` float32 (N, D). The encoder's configuration stands in the metadata.
    """
    graph = _Graph(encoder)
    lead_axis = graph.constant("lead_mask.axis", np.array([2], dtype=np.int64))
    time_axis = graph.constant("pooling.axis", np.array([2], dtype=np.int64))
    column = graph.node("Unsqueeze", ["lead_mask", lead_axis])
    x = graph.node("Mul", ["windows", column])
    conv, norm, _, pool = cast(
        "tuple[nn.Conv1d, nn.BatchNorm1d, nn.ReLU, nn.MaxPool1d]", tuple(encoder.stem)
    )
    x = graph.relu(graph.batch_norm(graph.conv(x, "stem.0", conv), "stem.1", norm))
    x = graph.node(
        "MaxPool",
        [x],
        kernel_shape=[pool.kernel_size],
        strides=[pool.stride],
        pads=[pool.padding] * 2,
    )
    for i, stage in enumerate(encoder.stages):
        for j, block in enumerate(cast("nn.Sequential", stage)):
            x = _block(graph, x, f"stages.{i}.{j}", cast("BasicBlock", block))
    average = graph.node("ReduceMean", [x, time_axis], keepdims=0)
    maximum = graph.node("ReduceMax", [x, time_axis], keepdims=0)
    pooled = graph.node("Concat", [average, maximum], axis=1)
    head = graph.node("Gemm", [pooled, "head.weight", "head.bias"], transB=1)
    graph.node("LpNormalization", [head], output="embedding", axis=1, p=2)
    serialised: bytes = graph.model(encoder, n_samples).SerializeToString(deterministic=True)
    return serialised


def restore_encoder(onnx_bytes: bytes) -> ResNet1d:
    """The module that `export_encoder` wrote, in evaluation mode.

    Raises
    ------
    ValueError
        If the file has no configuration or its weights do not fit it.
    """
    model = onnx.load_model_from_string(onnx_bytes)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if "encoder_config" not in metadata:
        raise ValueError("the ONNX file does not say how its encoder is built")
    config = EncoderConfig.from_dict(json.loads(metadata["encoder_config"]))
    encoder = ResNet1d(config)
    state = encoder.state_dict()
    held = {tensor.name for tensor in model.graph.initializer}
    weights = [name for name, tensor in state.items() if tensor.is_floating_point()]
    if missing := [name for name in weights if name not in held]:
        raise ValueError(f"the ONNX file lacks {', '.join(missing)}")
    for tensor in model.graph.initializer:
        if tensor.name in state:
            array = numpy_helper.to_array(tensor).copy()
            if tuple(state[tensor.name].shape) != array.shape:
                raise ValueError(f"{tensor.name} has shape {array.shape}, not as configured")
            state[tensor.name] = torch.from_numpy(array)
    encoder.load_state_dict(state)
    return encoder.eval()


def _block(graph: _Graph, x: str, name: str, block: BasicBlock) -> str:
    out = graph.conv(x, f"{name}.conv1", block.conv1)
    out = graph.relu(graph.batch_norm(out, f"{name}.bn1", block.bn1))
    out = graph.conv(out, f"{name}.conv2", block.conv2)
    out = graph.batch_norm(out, f"{name}.bn2", block.bn2)
    if len(block.shortcut):
        conv, norm = cast("tuple[nn.Conv1d, nn.BatchNorm1d]", tuple(block.shortcut))
        x = graph.conv(x, f"{name}.shortcut.0", conv)
        x = graph.batch_norm(x, f"{name}.shortcut.1", norm)
    return graph.relu(graph.node("Add", [out, x]))


class _Graph:
    """Collects nodes; names of values are the numbers of their nodes."""

    def __init__(self, encoder: ResNet1d) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initialisers = [
            numpy_helper.from_array(tensor.detach().float().cpu().numpy(), name)
            for name, tensor in encoder.state_dict().items()
            if tensor.is_floating_point()
        ]

    def constant(self, name: str, value: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
        self._initialisers.append(numpy_helper.from_array(value, name))
        return name

    def node(self, op_type: str, inputs: list[str], output: str = "", **attributes: object) -> str:
        output = output or f"{op_type.lower()}_{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(op_type, inputs, [output], name=f"node_{output}", **attributes)
        )
        return output

    def conv(self, x: str, name: str, module: nn.Conv1d) -> str:
        return self.node(
            "Conv",
            [x, f"{name}.weight"],
            kernel_shape=list(module.kernel_size),
            strides=list(module.stride),
            pads=[*cast("tuple[int]", module.padding)] * 2,
        )

    def batch_norm(self, x: str, name: str, module: nn.BatchNorm1d) -> str:
        names = [f"{name}.{p}" for p in ("weight", "bias", "running_mean", "running_var")]
        return self.node("BatchNormalization", [x, *names], epsilon=module.eps)

    def relu(self, x: str) -> str:
        return self.node("Relu", [x])

    def model(self, encoder: ResNet1d, n_samples: int) -> onnx.ModelProto:
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [
                value("windows", TensorProto.FLOAT, ["N", len(LEADS), n_samples]),
                value("lead_mask", TensorProto.FLOAT, ["N", len(LEADS)]),
            ],
            [value("embedding", TensorProto.FLOAT, ["N", encoder.config.embedding_size])],
            self._initialisers,
        )
        model = helper.make_model(
            graph,
            producer_name="ecgscreen",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        helper.set_model_props(model, {"encoder_config": json.dumps(vars(encoder.config))})
        onnx.checker.check_model(model, full_check=True)
        return model
