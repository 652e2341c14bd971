"""Convolutions with half the multiplications, against those that are computed directly."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import engines.openvino
from engines.base import Engine, EngineUnavailableError
from engines.select import load_engine
from engines.winograd import (
    BLOCK,
    INPUT_SUMS,
    MIN_CHANNELS,
    OUTPUT_SUMS,
    TAPS,
    WEIGHT_SUMS,
    Rewritten,
    block_sums,
    rewrite,
)
from trainer.encoder import EncoderConfig, ResNet1d
from trainer.onnx_export import export_encoder

WIDE = MIN_CHANNELS
HALF = "Winograd F(4,3) in {} of {}, else direct"


def encoder(**shape: object) -> ResNet1d:
    """An encoder whose normalisation does something; weights that neither grow nor fade."""
    torch.manual_seed(5)
    module = ResNet1d(EncoderConfig.from_dict({"embedding_size": 16, **shape})).eval()
    for name, tensor in module.state_dict().items():
        if name.endswith(("running_mean", ".bias")):
            tensor.uniform_(-0.2, 0.2)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
    return module


@pytest.fixture(scope="module")
def wide() -> ResNet1d:
    return encoder(widths=(8, 8, WIDE, WIDE), blocks=(1, 1, 2, 1))


@pytest.fixture(scope="module")
def wide_onnx(wide: ResNet1d) -> bytes:
    return export_encoder(wide, 1000)


def batch(n_samples: int, n: int = 5) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rng = np.random.default_rng(2)
    lead_mask = rng.random((n, 12)) < 0.9
    lead_mask[:, 0] = True
    windows = rng.normal(size=(n, 12, n_samples)).astype(np.float32)
    return windows * lead_mask[..., None], lead_mask


def expected(
    module: ResNet1d, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    with torch.inference_mode():
        embeddings: NDArray[np.float32] = module(
            torch.from_numpy(windows), torch.from_numpy(lead_mask)
        ).numpy()
    return embeddings


def load(onnx: bytes, precision: str = "f32", batch_size: int = 4, threads: int = 1) -> Engine:
    try:
        return load_engine(
            "openvino", onnx, precision=precision, batch_size=batch_size, threads=threads
        )
    except EngineUnavailableError as error:
        pytest.skip(str(error))


def test_four_outputs_of_six_products_are_those_of_twelve() -> None:
    rng = np.random.default_rng(0)
    inputs, taps = rng.normal(size=6), rng.normal(size=3)
    found = OUTPUT_SUMS @ ((WEIGHT_SUMS @ taps) * (INPUT_SUMS @ inputs))
    assert found == pytest.approx(np.correlate(inputs, taps, "valid"), abs=1e-6)


def test_a_block_is_convolved_as_a_whole() -> None:
    rng = np.random.default_rng(0)
    inputs, taps = rng.normal(size=BLOCK + TAPS - 1), rng.normal(size=TAPS)
    of_inputs, of_products = block_sums()
    weights = np.repeat(WEIGHT_SUMS @ taps, BLOCK // 4)
    found = of_products @ (weights * (of_inputs @ inputs))
    assert found == pytest.approx(np.correlate(inputs, taps, "valid"), abs=1e-6)


def test_sums_of_inputs_and_products_are_exact_in_bf16() -> None:
    for matrix in (INPUT_SUMS, OUTPUT_SUMS):
        rounded = torch.from_numpy(matrix).to(torch.bfloat16).float().numpy()
        assert rounded.tolist() == matrix.tolist()


@pytest.mark.parametrize(
    ("shape", "n_samples", "told"),
    [
        # Lengths 63 and 32: with places behind the end, and without.
        ({"widths": (8, 8, WIDE, WIDE)}, 1000, HALF.format(6, 20)),
        ({"widths": (8, 8, 8, WIDE)}, 500, HALF.format(3, 20)),
        # All of it in blocks, from the first stage on.
        ({"widths": (WIDE, WIDE, WIDE, WIDE), "blocks": (1, 1, 1, 1)}, 256, HALF.format(5, 12)),
        # 21 places are 24 in blocks, but 11 would be 16.
        ({"widths": (8, 8, WIDE, WIDE), "blocks": (1, 1, 1, 1)}, 336, HALF.format(1, 12)),
        ({"widths": (8, 8, 8, WIDE - 1)}, 500, "direct"),
        ({"widths": (8, 8, 8, WIDE), "kernel_size": 5}, 500, "direct"),
    ],
)
def test_encoders_of_other_shapes(shape: dict[str, object], n_samples: int, told: str) -> None:
    module = encoder(**shape)
    windows, lead_mask = batch(n_samples)
    engine = load(export_encoder(module, n_samples))
    assert engine.info.convolutions == told
    found = engine.embed(windows, lead_mask)
    assert np.abs(found - expected(module, windows, lead_mask)).max() < 1e-5


def test_bf16_rounds_and_no_more(wide: ResNet1d, wide_onnx: bytes) -> None:
    windows, lead_mask = batch(1000)
    engine = load(wide_onnx, "bf16")
    found = engine.embed(windows, lead_mask)
    assert 1e-5 < np.abs(found - expected(wide, windows, lead_mask)).max() < 1e-2


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_rows_do_not_depend_on_batches_or_threads(wide_onnx: bytes, precision: str) -> None:
    windows, lead_mask = batch(1000, 7)
    rows = [
        load(wide_onnx, precision, batch_size, threads).embed(windows, lead_mask).tobytes()
        for batch_size, threads in ((1, 1), (3, 1), (32, 2))
    ]
    assert len(set(rows)) == 1


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_what_is_not_finite_stays_in_its_row(wide_onnx: bytes, precision: str) -> None:
    windows, lead_mask = batch(1000)
    spoilt = windows.copy()
    spoilt[2, 0, 500:] = np.nan
    engine = load(wide_onnx, precision)
    others = np.arange(len(windows)) != 2
    found = engine.embed(spoilt, lead_mask)
    assert found[others].tobytes() == engine.embed(windows, lead_mask)[others].tobytes()


def test_it_is_left_out_where_it_was_not_measured(
    monkeypatch: pytest.MonkeyPatch, wide_onnx: bytes
) -> None:
    told = HALF.format(4, 14)
    assert load(wide_onnx, "bf16").info.convolutions == told
    monkeypatch.setattr(engines.openvino, "has_amx", lambda: True)
    assert load(wide_onnx, "bf16").info.convolutions == "direct"
    assert load(wide_onnx, "f32").info.convolutions == told
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert load(wide_onnx, "f32").info.convolutions == "direct"


def test_what_requests_read_lives_as_long_as_the_engine(
    monkeypatch: pytest.MonkeyPatch, wide_onnx: bytes
) -> None:
    matrices: list[weakref.ref[NDArray[np.float32]]] = []

    def watched(ov: Any, model: Any) -> Rewritten:
        rewritten = rewrite(ov, model)
        matrices.extend(weakref.ref(matrix) for matrix in rewritten.inputs.values())
        return rewritten

    monkeypatch.setattr(engines.openvino, "rewrite", watched)
    engine = load(wide_onnx)
    gc.collect()
    assert [matrix() is not None for matrix in matrices] == [True, True]
    del engine
    gc.collect()
    assert [matrix() is None for matrix in matrices] == [True, True]
