"""Batches in flight change neither rows nor order, whatever the sizes of the items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from engines.select import load_engine
from engines.stream import MOST_WAITING, ConcurrentEngine, Windows, embed_stream
from tests.engines.conftest import N_SAMPLES, Batch

SIZES = (1, 0, 5, None, 23, 1, 1, 0, 40, None, 3, 2)


def items(batch: Batch) -> list[Windows | None]:
    """Items of `SIZES`, cut from the batch over and over."""
    order = np.arange(sum(size or 0 for size in SIZES)) % len(batch.windows)
    ends = np.cumsum([size or 0 for size in SIZES])
    return [
        None if size is None else (batch.windows[rows], batch.lead_mask[rows])
        for size, end in zip(SIZES, ends, strict=True)
        for rows in [order[end - (size or 0) : end]]
    ]


@pytest.mark.parametrize(
    ("name", "batch_size", "n_threads"),
    [("openvino", 4, 1), ("openvino", 4, 2), ("openvino", 32, 2), ("pytorch", 4, 1)],
)
def test_a_stream_gives_what_each_item_gives_alone(
    onnx_bytes: bytes, batch: Batch, name: str, batch_size: int, n_threads: int
) -> None:
    engine = load_engine(
        name, onnx_bytes, precision="f32", batch_size=batch_size, threads=n_threads
    )
    assert isinstance(engine, ConcurrentEngine) == (name == "openvino")
    found = list(embed_stream(engine, items(batch)))
    assert len(found) == len(SIZES)
    for rows, item in zip(found, items(batch), strict=True):
        if item is None or not len(item[0]):
            assert rows.shape == (0, 0)
        else:
            assert rows.tobytes() == engine.embed(*item).tobytes()


@pytest.mark.parametrize("name", ["openvino", "pytorch"])
def test_the_stream_is_read_a_few_batches_ahead(onnx_bytes: bytes, batch: Batch, name: str) -> None:
    engine = load_engine(name, onnx_bytes, precision="f32", batch_size=4, threads=1)
    n_slots = len(engine.slots) if isinstance(engine, ConcurrentEngine) else 1
    taken: list[int] = []

    def endless() -> Iterator[Windows]:
        while True:
            taken.append(1)
            yield batch.windows[:1], batch.lead_mask[:1]

    stream = embed_stream(engine, endless())
    next(stream)
    assert 4 <= len(taken) <= 4 * n_slots + 1


def test_items_without_windows_do_not_pile_up(onnx_bytes: bytes, batch: Batch) -> None:
    engine = load_engine("openvino", onnx_bytes, precision="f32", batch_size=4)
    taken: list[int] = []

    def mostly_none() -> Iterator[Windows | None]:
        yield batch.windows[:1], batch.lead_mask[:1]
        while True:
            taken.append(1)
            yield None

    stream = embed_stream(engine, mostly_none())
    assert len(next(stream)) == 1
    assert len(taken) <= 2 * MOST_WAITING
    assert next(stream).shape == (0, 0)


def test_a_stream_that_is_given_up_leaves_the_engine_usable(
    onnx_bytes: bytes, batch: Batch
) -> None:
    engine = load_engine("openvino", onnx_bytes, precision="f32", batch_size=2, threads=2)
    expected = engine.embed(*batch)

    def broken() -> Iterator[Windows]:
        for _ in range(2):
            yield batch.windows, batch.lead_mask
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(embed_stream(engine, broken()))
    stream = embed_stream(engine, iter([(batch.windows, batch.lead_mask)] * 3))
    next(stream)
    stream.close()
    assert engine.embed(*batch).tobytes() == expected.tobytes()


def test_other_shapes_are_refused(onnx_bytes: bytes, batch: Batch) -> None:
    engine = load_engine("openvino", onnx_bytes, precision="f32")
    with pytest.raises(ValueError, match=rf"expected \(N, 12, {N_SAMPLES}\)"):
        list(embed_stream(engine, [(batch.windows[..., 1:], batch.lead_mask)]))
