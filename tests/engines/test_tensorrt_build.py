"""TensorRT for RTX parses and builds encoders here, without a device."""

from __future__ import annotations

import sys
from types import ModuleType

import onnx
import pytest

from ecgscreen.bundle import default_bundle, load_bundle
from engines.base import EngineUnavailableError
from engines.tensorrt_build import PACKAGES, PRECISIONS, TensorRT, build_engine, import_tensorrt


@pytest.fixture(scope="module")
def tensorrt() -> TensorRT:
    return import_tensorrt("tensorrt_rtx")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_encoder_is_parsed_and_built(
    precision: str, tensorrt: TensorRT, onnx_bytes: bytes
) -> None:
    assert len(build_engine(tensorrt, onnx_bytes, precision)) > 10_000


def test_the_shipped_encoder_is_parsed_and_built(tensorrt: TensorRT) -> None:
    onnx_bytes = load_bundle(default_bundle()).encoder_onnx
    half = len(build_engine(tensorrt, onnx_bytes, "f16"))
    # Its weights in half precision, and kernels.
    assert 0.4 * len(onnx_bytes) < half < 0.8 * len(onnx_bytes)


@pytest.mark.parametrize("content", [b"no model", b"\x08\x07", b""])
def test_what_is_no_encoder_is_refused(tensorrt: TensorRT, content: bytes) -> None:
    # Some bytes pass for an empty model, which holds no encoder.
    with pytest.raises(EngineUnavailableError, match=r"cannot (parse|find) the encoder") as caught:
        build_engine(tensorrt, content, "f32")
    assert caught.value.advice == "Copy the whole bundle again from where it was exported."


def test_an_error_quotes_what_tensorrt_said(tensorrt: TensorRT, onnx_bytes: bytes) -> None:
    model = onnx.load_model_from_string(onnx_bytes)
    model.graph.node[4].op_type = "Nonsense"
    with pytest.raises(EngineUnavailableError, match=r"cannot parse the encoder: .*Nonsense"):
        build_engine(tensorrt, model.SerializeToString(), "f32")
    # The next build starts with a clean slate.
    assert build_engine(tensorrt, onnx_bytes, "f32")
    assert tensorrt.said == []


def test_a_version_that_lacks_a_call_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ModuleType("tensorrt")
    vars(old).update(ICudaEngine=object, __version__="8.5.2")
    monkeypatch.setitem(sys.modules, "tensorrt", old)
    with pytest.raises(EngineUnavailableError, match=r"tensorrt 8\.5\.2 is too old: .* 10\.1"):
        import_tensorrt("tensorrt")


def test_without_a_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in PACKAGES:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EngineUnavailableError, match="tensorrt is not installed") as caught:
        import_tensorrt()
    assert caught.value.advice == "pip install 'ecgscreen[tensorrt]'"
    with pytest.raises(EngineUnavailableError, match="tensorrt_rtx cannot be imported"):
        import_tensorrt("tensorrt_rtx")
