"""The ONNX file is the only copy of the weights: it goes out and comes back to the byte."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper

from engines.select import load_engine
from trainer.encoder import EncoderConfig, ResNet1d
from trainer.onnx_export import IR_VERSION, OPSET, export_encoder, restore_encoder

N_SAMPLES = 400
CONFIGS = (
    EncoderConfig(widths=(8, 8, 16, 16), embedding_size=32),
    EncoderConfig(
        widths=(8, 16, 8, 16),
        blocks=(1, 2, 1, 3),
        kernel_size=5,
        stem_kernel_size=7,
        embedding_size=24,
        dropout=0.0,
    ),
)


def trained(config: EncoderConfig) -> ResNet1d:
    """An encoder whose normalisation statistics were moved by some batches."""
    torch.manual_seed(4)
    encoder = ResNet1d(config).train()
    with torch.no_grad():
        for _ in range(3):
            encoder(2 + 3 * torch.randn(16, 12, N_SAMPLES), torch.ones(16, 12))
    return encoder.eval()


@pytest.fixture(params=CONFIGS, ids=["usual", "other shape"])
def encoder(request: pytest.FixtureRequest) -> ResNet1d:
    config: EncoderConfig = request.param
    return trained(config)


def parse(content: bytes) -> ModelProto:
    return onnx.load_model_from_string(content)


def test_restored_and_exported_again_it_is_the_same_file(encoder: ResNet1d) -> None:
    content = export_encoder(encoder, N_SAMPLES)
    restored = restore_encoder(content)
    assert restored.config == encoder.config
    assert not restored.training
    assert export_encoder(restored, N_SAMPLES) == content
    state = encoder.state_dict()
    for name, tensor in restored.state_dict().items():
        if tensor.is_floating_point():
            assert torch.equal(tensor, state[name]), name


def test_weights_keep_their_names(encoder: ResNet1d) -> None:
    model = parse(export_encoder(encoder, N_SAMPLES))
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    state = {k: v.numpy() for k, v in encoder.state_dict().items() if v.is_floating_point()}
    assert set(found) == {*state, "lead_mask.axis", "pooling.axis"}
    for name, value in state.items():
        assert found[name].dtype == np.float32
        assert np.array_equal(found[name], value), name


def test_normalisation_stays_a_node(encoder: ResNet1d) -> None:
    model = parse(export_encoder(encoder, N_SAMPLES))
    kinds = [node.op_type for node in model.graph.node]
    expected = sum(isinstance(m, torch.nn.BatchNorm1d) for m in encoder.modules())
    assert kinds.count("BatchNormalization") == expected
    assert kinds.count("Conv") == sum(isinstance(m, torch.nn.Conv1d) for m in encoder.modules())
    assert "Dropout" not in kinds


def test_the_file_is_valid_and_says_what_goes_in_and_out(encoder: ResNet1d) -> None:
    model = parse(export_encoder(encoder, N_SAMPLES))
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == IR_VERSION
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]

    def shape(value: onnx.ValueInfoProto) -> tuple[str, list[object]]:
        dims = value.type.tensor_type.shape.dim
        return value.name, [d.dim_param or d.dim_value for d in dims]

    assert [shape(value) for value in model.graph.input] == [
        ("windows", ["N", 12, N_SAMPLES]),
        ("lead_mask", ["N", 12]),
    ]
    size = encoder.config.embedding_size
    assert [shape(value) for value in model.graph.output] == [("embedding", ["N", size])]


@pytest.mark.parametrize("name", ["openvino", "pytorch"])
def test_engines_run_what_was_exported(encoder: ResNet1d, name: str) -> None:
    rng = np.random.default_rng(0)
    windows = rng.normal(2, 3, size=(5, 12, N_SAMPLES)).astype(np.float32)
    mask = rng.random((5, 12)) < 0.7
    with torch.inference_mode():
        expected = encoder(torch.from_numpy(windows), torch.from_numpy(mask)).numpy()
    engine = load_engine(name, export_encoder(encoder, N_SAMPLES), precision="f32", batch_size=4)
    assert np.abs(engine.embed(windows, mask) - expected).max() < 1e-4


def test_training_mode_and_threads_of_the_encoder_leave_no_trace() -> None:
    encoder = trained(CONFIGS[0])
    content = export_encoder(encoder, N_SAMPLES)
    assert export_encoder(encoder.train(), N_SAMPLES) == content
    assert export_encoder(encoder.bfloat16().float(), N_SAMPLES) != content


def changed(content: bytes, change: str) -> bytes:
    model = parse(content)
    if change == "no configuration":
        del model.metadata_props[:]
    elif change == "other shape":
        weight = model.graph.initializer[0]
        weight.CopyFrom(numpy_helper.from_array(np.zeros((2, 2), np.float32), weight.name))
    elif change == "missing weight":
        del model.graph.initializer[3]
    serialised: bytes = model.SerializeToString()
    return serialised


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("no configuration", "does not say how its encoder is built"),
        ("other shape", r"stem\.0\.weight has shape \(2, 2\)"),
        ("missing weight", r"lacks stem\.1\.running_mean"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(change: str, message: str) -> None:
    content = export_encoder(trained(CONFIGS[0]), N_SAMPLES)
    with pytest.raises(ValueError, match=message):
        restore_encoder(changed(content, change))


def test_a_foreign_file_is_refused() -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [])
    with pytest.raises(ValueError, match="does not say"):
        restore_encoder(helper.make_model(graph).SerializeToString())
