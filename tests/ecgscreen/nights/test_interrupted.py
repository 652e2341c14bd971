"""A run that was cut off is gone on with, and until then the last report stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ecgscreen import next_shard
from ecgscreen.errors import ExitCode
from ecgscreen.results import RecordResult
from ecgscreen.run_store import NEXT_MANIFEST, RunStore
from ecgscreen.scan import Listener, scan
from ecgscreen.screening import STORE
from ecgscreen.simulate import write_dataset
from tests.ecgscreen.nights.runs import N, Night, rows_of, same


class StopError(Exception):
    """Ends a run in the middle, as a kill would: nothing is told of it."""


def stopped_after(n: int) -> Listener:
    left = iter(range(n))

    def done(_result: RecordResult) -> None:
        if next(left, None) is None:
            raise StopError

    return Listener(done=done)


@pytest.mark.parametrize("after", [0, 5, N - 1])
def test_an_interrupted_run_is_gone_on_with(
    night: Night, bundle_dir: Path, records: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(next_shard, "SHARD_RECORDS", 3)
    with pytest.raises(StopError):
        scan(night.options, stopped_after(after))
    assert not (night.out / "report.csv").exists()
    result = night()
    assert len(night.read) == N - after - 1
    whole = Night(bundle_dir, records, night.out.parent / "whole")
    assert result.summary.exit_code == whole().summary.exit_code == ExitCode.SOME_NOT_SCORED
    same(night, whole)
    assert not (night.out / STORE / NEXT_MANIFEST).exists()
    assert sorted(set(rows_of(night.out).values())) == [1, 2][: 1 + (after < N - 1)]


def test_the_last_report_stays_until_the_next_run_is_whole(
    night: Night, bundle_dir: Path, records: Path
) -> None:
    night()
    before = night.reports
    write_dataset(records / "later", 4, seed=9, sampling_rate=100.0)
    with pytest.raises(StopError):
        scan(night.options, stopped_after(1))
    assert night.reports.csv == before.csv
    assert RunStore.open(night.out / STORE).n_records == N
    night()
    assert night.read == ["later/sim00002.hea", "later/sim00003.hea"]
    whole = Night(bundle_dir, records, night.out.parent / "whole")
    whole()
    same(night, whole)


def test_what_an_interrupted_run_of_another_list_left_does_not_count(
    night: Night, records: Path
) -> None:
    night()
    write_dataset(records / "later", 4, seed=9, sampling_rate=100.0)
    with pytest.raises(StopError):
        scan(replace(night.options, labels="form.txt", fresh=True), stopped_after(1))
    night()
    assert len(night.read) == 4
