"""What is packed for another process is the same there."""

from __future__ import annotations

import pickle
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgscreen.discover import Discovery
from ecgscreen.found import Found
from ecgscreen.packing import pack_found, pack_rows, unpack_found, unpack_rows
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.simulate import write_dataset
from ecgscreen.stamp import FileStamp
from tests.ecgscreen import rows


def scored(path: str, n_windows: int) -> RecordResult:
    return rows.scored(
        path,
        n_windows,
        seed=n_windows,
        files=(FileStamp(path, 500, 1_700_000_000_000_000_001), FileStamp("b", 7, 3, listed=False)),
        sha256="ab" * 32,
        acquired="2024-02-29T12:00:00",
    )


BAD = not_scored("c", Status.ERROR, SkipReason.TRUNCATED, "3 of 12 bytes", (FileStamp("c", 3, 9),))
GONE = not_scored("d", Status.VANISHED, SkipReason.GONE)


def sent(packed: Any) -> Any:
    return pickle.loads(pickle.dumps(packed))


@pytest.mark.parametrize(
    "made", [[], [BAD], [GONE], [scored("a", 2), BAD, GONE, scored("b\udcff", 1)]]
)
def test_rows(made: list[RecordResult]) -> None:
    found = list(unpack_rows(sent(pack_rows(made))))
    assert len(found) == len(made)
    for one, other in zip(found, made, strict=True):
        for field in fields(RecordResult):
            value, expected = getattr(one, field.name), getattr(other, field.name)
            assert type(value) is type(expected)
            if isinstance(value, np.ndarray):  # of none, the size of an embedding is open
                assert (len(value), value.tobytes()) == (len(expected), expected.tobytes())
            else:
                np.testing.assert_equal(value, expected, field.name)
        assert all(isinstance(file, FileStamp) for file in one.files)


def test_recordings(tmp_path: Path) -> None:
    write_dataset(tmp_path, 3, seed=1, sampling_rate=100.0)
    next(tmp_path.glob("*.dat")).rename(tmp_path / "without-header.dat")
    recordings = list(Discovery([tmp_path]))
    assert any(one.problem is not None for one in recordings)
    *found, row = unpack_found(sent(pack_found([*recordings, BAD])))
    assert isinstance(row, RecordResult)
    assert row.path == BAD.path
    for one, expected in zip(found, recordings, strict=True):
        assert isinstance(one, Found)
        assert astuple(one) == astuple(expected)
        assert type(one.path) is type(expected.path)
        assert all(isinstance(file, FileStamp) for file in one.files)
