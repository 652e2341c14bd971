"""What every engine promises, held by each in each of its precisions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from engines.base import Engine, EngineUnavailableError
from engines.openvino import import_openvino
from engines.select import ENGINES, load_engine
from tests.engines.conftest import N_SAMPLES, Batch
from trainer.encoder import ResNet1d


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """PyTorch's number of threads belongs to the whole process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_rows_do_not_depend_on_batches_order_or_threads(
    engine_and_precision: tuple[str, str], onnx_bytes: bytes, batch: Batch
) -> None:
    name, precision = engine_and_precision
    order = np.random.default_rng(1).permutation(len(batch.windows))
    expected = None
    for batch_size, n_threads in ((1, 1), (3, 1), (8, 1), (32, 1), (32, 2)):
        engine = load_engine(
            name, onnx_bytes, precision=precision, batch_size=batch_size, threads=n_threads
        )
        found = engine.embed(*batch)
        expected = found if expected is None else expected
        assert found.tobytes() == expected.tobytes(), (batch_size, n_threads)
        shuffled = engine.embed(batch.windows[order], batch.lead_mask[order])
        assert shuffled.tobytes() == expected[order].tobytes(), (batch_size, n_threads)
        alone = engine.embed(batch.windows[4:5], batch.lead_mask[4:5])
        assert alone.tobytes() == expected[4:5].tobytes(), (batch_size, n_threads)


def test_embeddings_are_unit_vectors(
    engine_and_precision: tuple[str, str], onnx_bytes: bytes, batch: Batch
) -> None:
    name, precision = engine_and_precision
    found = load_engine(name, onnx_bytes, precision=precision).embed(*batch)
    assert found.shape == (11, 32)
    assert found.dtype == np.float32
    tolerance = 1e-5 if precision == "f32" else 1e-2
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=tolerance)
    assert np.abs(found[0] - found[1]).max() > 0.01  # windows differ, so do their embeddings


def test_no_window_gives_no_row(
    engine_and_precision: tuple[str, str], onnx_bytes: bytes, batch: Batch
) -> None:
    name, precision = engine_and_precision
    found = load_engine(name, onnx_bytes, precision=precision).embed(
        batch.windows[:0], batch.lead_mask[:0]
    )
    assert found.shape == (0, 32)
    assert found.dtype == np.float32


def test_results_are_not_overwritten_by_the_next_call(
    engine_and_precision: tuple[str, str], onnx_bytes: bytes, batch: Batch
) -> None:
    name, precision = engine_and_precision
    engine = load_engine(name, onnx_bytes, precision=precision, batch_size=4)
    first = engine.embed(batch.windows[:4], batch.lead_mask[:4])
    kept = first.copy()
    engine.embed(batch.windows[4:], batch.lead_mask[4:])
    assert first.tobytes() == kept.tobytes()


def test_what_a_masked_lead_holds_does_not_matter(
    engine_and_precision: tuple[str, str], onnx_bytes: bytes, batch: Batch
) -> None:
    name, precision = engine_and_precision
    engine = load_engine(name, onnx_bytes, precision=precision)
    other = batch.windows + 3.0 * ~batch.lead_mask[..., None]
    assert np.abs(other - batch.windows).max() == 3.0
    found = engine.embed(other.astype(np.float32), batch.lead_mask)
    assert found.tobytes() == engine.embed(*batch).tobytes()
    unmasked = engine.embed(other.astype(np.float32), np.ones_like(batch.lead_mask))
    assert np.abs(unmasked - found).max() > 1e-3


def test_what_is_not_finite_stays_so(
    engine_and_precision: tuple[str, str], onnx_bytes: bytes, batch: Batch
) -> None:
    name, precision = engine_and_precision
    spoilt = batch.windows.copy()
    spoilt[2, 1] = np.nan
    engine = load_engine(name, onnx_bytes, precision=precision)
    found = engine.embed(spoilt, batch.lead_mask)
    expected = engine.embed(*batch)
    others = np.arange(len(found)) != 2
    assert found[others].tobytes() == expected[others].tobytes()


def engine_in_f32(name: str, onnx: bytes) -> Engine:
    """The engine; the test is skipped where this machine has no device for it."""
    try:
        return load_engine(name, onnx, precision="f32")
    except EngineUnavailableError as error:
        if name != "tensorrt":
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_agrees_with_the_module(
    name: str, encoder: ResNet1d, onnx_bytes: bytes, batch: Batch
) -> None:
    with torch.inference_mode():
        expected = encoder(
            torch.from_numpy(batch.windows), torch.from_numpy(batch.lead_mask)
        ).numpy()
    found = engine_in_f32(name, onnx_bytes).embed(*batch)
    assert np.abs(found - expected).max() < 1e-5


def test_engines_agree(
    engine_and_precision: tuple[str, str], onnx_bytes: bytes, batch: Batch
) -> None:
    name, precision = engine_and_precision
    reference = load_engine("pytorch", onnx_bytes, precision="f32").embed(*batch)
    found = load_engine(name, onnx_bytes, precision=precision).embed(*batch)
    assert np.abs(found - reference).max() < (1e-4 if precision == "f32" else 1e-2)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say it")
def test_no_thread_is_bound_to_a_core(onnx_bytes: bytes, batch: Batch) -> None:
    engine = load_engine("openvino", onnx_bytes, batch_size=4, threads=1)
    engine.embed(*batch)
    threads = [int(entry.name) for entry in Path("/proc/self/task").iterdir()]
    assert len(threads) > 1
    assert all(os.sched_getaffinity(thread) == os.sched_getaffinity(0) for thread in threads)


def test_info_says_what_runs(engine_and_precision: tuple[str, str], onnx_bytes: bytes) -> None:
    name, precision = engine_and_precision
    info = load_engine(name, onnx_bytes, precision=precision, batch_size=5).info
    batch_size = 256 if name == "tensorrt" else 5
    assert (info.name, info.precision, info.batch_size) == (name, precision, batch_size)
    assert info.precision_reason == "asked for"
    assert info.device
    assert info.version[0].isdecimal()
    # PyTorch's version is a class of its own, which HDF5 cannot store.
    assert type(info.version) is str


def test_auto_becomes_a_precision(onnx_bytes: bytes) -> None:
    assert load_engine("pytorch", onnx_bytes).info.precision == "f32"
    openvino = load_engine("openvino", onnx_bytes)
    try:
        load_engine("openvino", onnx_bytes, precision="bf16")
        expected = "bf16"
    except EngineUnavailableError:
        expected = "f32"
    assert openvino.info.precision == expected
    does = "computes" if expected == "bf16" else "does not compute"
    assert openvino.info.precision_reason == f"this processor {does} bf16"


@pytest.mark.parametrize("name", ENGINES)
def test_other_shapes_are_refused(name: str, onnx_bytes: bytes, batch: Batch) -> None:
    engine = engine_in_f32(name, onnx_bytes)
    for windows, mask in (
        (batch.windows[:, :11], batch.lead_mask[:, :11]),
        (batch.windows[..., :-1], batch.lead_mask),
        (batch.windows, batch.lead_mask[:-1]),
    ):
        with pytest.raises(ValueError, match=rf"expected \(N, 12, {N_SAMPLES}\)"):
            engine.embed(windows, mask)


def test_unknown_engine(onnx_bytes: bytes) -> None:
    with pytest.raises(EngineUnavailableError, match="no engine 'tpu'") as caught:
        load_engine("tpu", onnx_bytes)
    assert caught.value.advice == "Choose one of openvino, tensorrt, pytorch."


@pytest.mark.parametrize(
    ("name", "precision", "advice"),
    [
        ("openvino", "f16", "Use --precision auto, f32 or bf16."),
        ("tensorrt", "int7", "Use --precision auto, f32, f16 or bf16."),
        ("openvino", "int7", "Use --precision auto, f32 or bf16."),
        ("pytorch", "int7", "Use --precision f32 or bf16."),
    ],
)
def test_unknown_precision(onnx_bytes: bytes, name: str, precision: str, advice: str) -> None:
    with pytest.raises(EngineUnavailableError, match=f"{name} .*{precision}") as caught:
        load_engine(name, onnx_bytes, precision=precision)
    assert caught.value.advice == advice


@pytest.mark.parametrize("name", ENGINES)
def test_what_is_not_verified_is_not_offered(onnx_bytes: bytes, name: str) -> None:
    with pytest.raises(EngineUnavailableError, match=f"{name} has no int8: quantised"):
        load_engine(name, onnx_bytes, precision="int8")


@pytest.mark.skipif(torch.cuda.is_available(), reason="f16 runs on the CUDA device of this machine")
def test_half_precision_needs_a_device(onnx_bytes: bytes) -> None:
    with pytest.raises(EngineUnavailableError, match="does not run f16 on cpu"):
        load_engine("pytorch", onnx_bytes, precision="f16")


@pytest.mark.parametrize(
    ("name", "package", "advice"),
    [
        ("openvino", "openvino", "pip install openvino"),
        ("pytorch", "torch", "pip install 'ecgscreen[train]'"),
        ("pytorch", "onnx", "pip install 'ecgscreen[train]'"),
    ],
)
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, onnx_bytes: bytes, name: str, package: str, advice: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EngineUnavailableError, match=f"{package}.* not installed") as caught:
        load_engine(name, onnx_bytes)
    assert caught.value.advice == advice


def test_an_operator_that_pytorch_does_not_know() -> None:
    value = helper.make_tensor_value_info("windows", TensorProto.FLOAT, ["N", 12, N_SAMPLES])
    graph = helper.make_graph([helper.make_node("Erf", ["windows"], ["y"])], "g", [value], [])
    with pytest.raises(EngineUnavailableError, match="operator Erf is not known"):
        load_engine("pytorch", helper.make_model(graph).SerializeToString())


def model_of(operator: str, name: str, shape: list[int | str]) -> bytes:
    value = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph([helper.make_node(operator, [name], ["y"])], "g", [value], [])
    content: bytes = helper.make_model(graph).SerializeToString()
    return content


NO_MODELS = [
    *(b"", b"no model", b"\x08\x07"),
    model_of("Relu", "signal", ["N", 12, N_SAMPLES]),
    model_of("Relu", "windows", ["N", 12]),
    model_of("Relu", "windows", ["N", 12, N_SAMPLES]),
    model_of("NoSuch", "windows", ["N", 12, N_SAMPLES]),
    # A name that is no UTF-8.
    model_of("Relu", "windowz", ["N", 12, N_SAMPLES]).replace(b"windowz", b"window\xd7"),
]


@pytest.mark.parametrize("content", NO_MODELS)
def test_openvino_refuses_what_is_no_model(content: bytes) -> None:
    with pytest.raises(EngineUnavailableError, match="cannot read the encoder"):
        load_engine("openvino", content, precision="f32")


@pytest.mark.parametrize("step", ["get_property", "read_model", "compile_model"])
def test_openvino_without_room_does_not_blame_the_model(
    step: str, onnx_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise RuntimeError("Exception from src/plugin.cpp:54:\nResource temporarily unavailable\n")

    monkeypatch.setattr(import_openvino().Core, step, refuse)
    with pytest.raises(EngineUnavailableError, match="or no thread: Resource temporarily unav"):
        load_engine("openvino", onnx_bytes)


def test_openvino_that_cannot_be_mapped_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def find_spec(self, name: str, *_others: object) -> None:
            if name == "openvino":
                raise ImportError("libopenvino.so: failed to map segment from shared object")

    monkeypatch.delitem(sys.modules, "openvino")
    monkeypatch.setattr(sys, "meta_path", [Full(), *sys.meta_path])
    with pytest.raises(EngineUnavailableError, match="finds no memory"):
        import_openvino()


TWO_THEN_A_SIGNAL = """
import os, signal, sys
from pathlib import Path
from engines.select import load_engine

model = Path(sys.argv[1]).read_bytes()
first, second = (load_engine("openvino", model, threads=1) for _ in range(2))
del first
del second
signal.signal(signal.SIGINT, lambda *_: print("answered"))
os.kill(os.getpid(), signal.SIGINT)
"""


def test_a_signal_after_two_engines_is_answered(onnx_bytes: bytes, tmp_path: Path) -> None:
    """OpenVINO's stack for handlers of signals outlives its memory otherwise."""
    model = tmp_path / "encoder.onnx"
    model.write_bytes(onnx_bytes)
    command = [sys.executable, "-c", TWO_THEN_A_SIGNAL, str(model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "answered\n"), done.stderr
