"""From prepared recordings to rows, as a stream."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.embedding import embed_all
from ecgscreen.errors import EngineError
from ecgscreen.preparation import PreparedRecord
from ecgscreen.preprocess import Prepared
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status, not_scored
from engines.base import EngineInfo, EngineUnavailableError
from engines.stream import MOST_WAITING


def test_an_engine_that_fails_ends_with_a_sentence() -> None:
    class Failing:
        info = EngineInfo("tensorrt", "11", "a device", "f16", 2)

        def embed(
            self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
        ) -> NDArray[np.float32]:
            raise EngineUnavailableError("the device is gone", "Look at nvidia-smi.")

    windows = np.ones((1, 12, 1000), np.float32)
    prepared = Prepared(windows, np.ones(12, np.bool_), np.zeros(1, np.float32), True)
    record = PreparedRecord("one.hea", prepared, "good", 500.0, 10.0, ())
    with pytest.raises(EngineError, match="the device is gone") as caught:
        list(embed_all([record], Failing()))
    assert caught.value.advice == "Look at nvidia-smi."


def test_recordings_without_window_are_not_collected() -> None:
    class AtOnce:
        """Computes when it is asked to: when a batch is done does not depend on the load."""

        info = EngineInfo("at once", "1", "a device", "f32", 2)

        def embed(
            self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
        ) -> NDArray[np.float32]:
            return windows[:, :2, 0]

    bad = not_scored("bad.hea", Status.ERROR, SkipReason.BAD_HEADER)
    windows = np.ones((1, 12, 1000), np.float32)
    prepared = Prepared(windows, np.ones(12, np.bool_), np.zeros(1, np.float32), True)
    good = PreparedRecord("good.hea", prepared, "good", 500.0, 10.0, ())
    taken = []

    def many() -> Iterator[PreparedRecord | RecordResult]:
        yield good
        for number in range(10 * MOST_WAITING):
            taken.append(number)
            yield bad

    results = embed_all(many(), AtOnce())
    assert next(results).path == "good.hea"
    assert len(taken) == MOST_WAITING
    assert next(results) is bad
