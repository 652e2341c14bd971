from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.results import RecordResult, Status, not_scored, record_id_of, report_text


def test_the_id_is_the_hash_of_the_paths_bytes() -> None:
    name = b"ward/\xff-\xc3\xa4.hea"
    path = os.fsdecode(name)
    assert record_id_of(path) == hashlib.sha256(name).hexdigest()[:16]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a/ä,\n\t\x1b.hea", "a/ä,\n\t\x1b.hea"),
        (os.fsdecode(b"a\xff\x80b"), "a\\xff\\x80b"),
        ("a\0b", "a\\x00b"),
        ("\ud800", "\\ud800"),
    ],
)
def test_report_text_is_valid_utf8_without_nul(text: str, shown: str) -> None:
    assert report_text(text) == shown
    assert shown.encode("utf-8")


def result(status: Status, embeddings: NDArray[Any], starts: NDArray[Any]) -> RecordResult:
    return RecordResult(
        "p", record_id_of("p"), status, "", "", "good", 500.0, 10.0, ("I",), (), starts, embeddings
    )


def test_a_row_that_contradicts_itself_is_refused() -> None:
    one, start = np.zeros((1, 4), np.float16), np.zeros(1, np.float32)
    assert result(Status.SCORED, one, start).n_windows == 1
    assert not_scored("p", Status.ERROR, "truncated").n_windows == 0
    with pytest.raises(ValueError, match="scored with 0 windows"):
        result(Status.SCORED, one[:0], start[:0])
    with pytest.raises(ValueError, match="unusable with 1 windows"):
        result(Status.UNUSABLE, one, start)
    with pytest.raises(ValueError, match="do not go with"):
        result(Status.SCORED, one, np.zeros(2, np.float32))
    with pytest.raises(TypeError, match="float32 and float16 are expected"):
        result(Status.SCORED, one.astype(np.float32), start)
