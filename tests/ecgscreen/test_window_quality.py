"""How good each window of a long recording is: judged, stored, and said in report.h5."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgscreen.errors import StoreError
from ecgscreen.packing import pack_rows, unpack_rows
from ecgscreen.reports import write_reports
from ecgscreen.results import RecordResult
from ecgscreen.run_store import RunStore
from ecgscreen.simulate.wfdb_writer import write_wfdb
from tests.ecgscreen.reports_written import make_report, text
from tests.ecgscreen.rows import scored
from tests.ecgscreen.test_long_recording import LONG, run
from tests.ecgscreen.test_run_store import replace_shard, replaced, with_array

PHRASES = ("good",) * 3 + ("usable: V3 flat; noted: V1 steps",) + ("good",) * 9
DAY = replace(scored("day.hea", n_windows=13, seed=1), window_quality=PHRASES)


def stored(folder: Path, *results: RecordResult) -> list[RecordResult]:
    store = RunStore.create(folder, {})
    for each in results:
        store.append(each)
    store.finish()
    return list(RunStore.open(folder).iter_results())


def test_every_window_of_a_long_recording_is_judged(tmp_path: Path) -> None:
    signal = LONG.signal.copy()
    signal[:, 2000:4000] = 0
    signal[8, 6000:7000] = 0
    row, _ = run(write_wfdb(replace(LONG, signal=signal), tmp_path, "holes"))
    assert row.n_windows == 13
    assert row.window_quality == ("good",) * 4 + ("usable: V3 flat",) + ("good",) * 8


def test_it_is_stored_and_sent_as_it_is(tmp_path: Path) -> None:
    (found,) = stored(tmp_path, DAY)
    assert found.window_quality == PHRASES
    (sent,) = unpack_rows(pack_rows([DAY]))
    assert sent.window_quality == PHRASES


def test_a_store_from_before_is_read(tmp_path: Path) -> None:
    """Of a row without it, the store holds what it always did."""
    short, before = scored("a.hea", n_windows=2), replace(DAY, window_quality=())
    assert [row.window_quality for row in stored(tmp_path, short, before)] == [(), ()]
    (shard,) = tmp_path.glob("shard-*.npz")
    with np.load(shard) as arrays:
        lines = arrays["text"].tobytes().decode("ascii").split("\n")
    assert [len(json.loads(line)) for line in lines] == [11, 11]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'["good", 3]', b'["good", 4]'),
        (b'["good", 3]', b'["good", 1000000000000]'),
        (b'["good", 3]', b'["good", 2]'),
        (b'["good", 3]', b'["good", "3"]'),
        (b'["good", 3]', b"[17, 3]"),
        (b'["good", 3]', b"[]"),
        (b'["good", 3]', b"3"),
    ],
)
def test_a_store_that_was_altered_is_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    stored(tmp_path, DAY)
    (shard,) = tmp_path.glob("shard-*.npz")
    replace_shard(tmp_path, with_array(shard.read_bytes(), "text", replaced(old, new)))
    with pytest.raises(StoreError, match="is no shard of a run store"):
        list(RunStore.open(tmp_path).iter_results())


def test_report_h5_says_it_of_every_window(tmp_path: Path) -> None:
    before = replace(DAY, path="before.hea", window_quality=())
    minute = scored("minute.hea", n_windows=2)
    write_reports(make_report(tmp_path, [before, DAY, minute, scored("one.hea")]), tmp_path)
    with h5py.File(tmp_path / "report.h5") as report:
        quality = text(report["windows/quality"])
        assert report["windows/record_index"][...].tolist() == [0] * 13 + [1] * 13 + [2] * 2
    # What is not long is judged as a whole.
    assert quality == ["", *[""] * 12, *PHRASES, minute.quality, minute.quality]


def test_there_is_one_for_each_window_or_none() -> None:
    with pytest.raises(ValueError, match="quality of 2 windows, there are 13"):
        replace(DAY, window_quality=("good", "good"))
