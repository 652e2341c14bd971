"""A screening that grows: every run does what is new, and the report is as of one run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgscreen import next_shard
from ecgscreen.errors import ExitCode, LockedError, NotScoredError, StoreError, UsageError
from ecgscreen.results import RecordResult, Status
from ecgscreen.run_store import MANIFEST, NEXT_MANIFEST, RunStore
from ecgscreen.scan import Listener, ScanOptions, ScanResult, scan
from ecgscreen.screening import STORE, read_basis, read_scoring
from ecgscreen.simulate import write_dataset
from ecgscreen.stored_report import stored_report
from tests.ecgscreen.bundles import rewritten
from tests.ecgscreen.reports_read import Reports, reports_of
from tests.watched import Watch

N = 12


@pytest.fixture
def records(tmp_path: Path, dataset: Path) -> Path:
    folder = tmp_path / "records"
    shutil.copytree(dataset, folder)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve recordings, two of them faulty."""
    folder = tmp_path_factory.mktemp("in") / "records"
    write_dataset(folder, N, seed=3, sampling_rate=100.0, faults=2)
    return folder


class Night:
    """The same command, night after night; remembers what each run read."""

    def __init__(self, bundle: Path, records: Path, out: Path) -> None:
        self.options = ScanOptions(roots=(records,), labels="rhythm.txt", out=out, bundle=bundle)
        self.out = out
        self.read: list[str] = []

    def __call__(self, **changed: Any) -> ScanResult:
        self.read.clear()
        return scan(
            replace(self.options, **changed),
            Listener(done=lambda result: self.read.append(result.path)),
        )

    @property
    def reports(self) -> Reports:
        return reports_of(self.out)

    def status(self, path: str) -> str:
        return self.reports.row(path)["status"]


@pytest.fixture
def night(bundle_dir: Path, records: Path, tmp_path: Path) -> Night:
    return Night(bundle_dir, records, tmp_path / "out")


def rows_of(out: Path) -> dict[str, int]:
    """Which run made each row."""
    return {row.result.path: row.run for row in RunStore.open(out / STORE).iter_rows()}


def same(night: Night, fresh: Night) -> None:
    assert night.reports.csv == fresh.reports.csv
    assert night.reports.arrays == fresh.reports.arrays


def test_what_did_not_change_is_not_read_again(night: Night) -> None:
    first = night()
    assert first.summary.exit_code == ExitCode.SOME_NOT_SCORED
    before = night.reports
    assert len(night.read) == N
    again = night()
    assert night.read == []
    assert night.reports.csv == before.csv
    assert night.reports.arrays == before.arrays
    assert again.summary.exit_code == ExitCode.OK, "nothing of this run was not scored"
    assert set(rows_of(night.out).values()) == {1}


def test_new_changed_and_vanished(night: Night, records: Path, bundle_dir: Path) -> None:
    night()
    scores = night.reports.row("sim00001.hea")
    write_dataset(records / "later", 2, seed=9, sampling_rate=100.0)
    shutil.copy(records / "sim00003.dat", records / "sim00001.dat")
    (records / "sim00002.hea").unlink()
    (records / "sim00002.dat").unlink()
    night()
    assert night.read == ["later/sim00000.hea", "later/sim00001.hea", "sim00001.hea"]
    assert night.reports.row("sim00001.hea") != scores
    gone = night.reports.row("sim00002.hea")
    assert (gone["status"], gone["reason"]) == ("vanished", "no longer in the folder")
    assert set(list(gone.values())[6:]) == {""}

    fresh = Night(bundle_dir, records, night.out.parent / "fresh")
    fresh()
    kept = [row for row in night.reports.rows if row["status"] != "vanished"]
    assert kept == fresh.reports.rows

    night()
    assert night.read == []
    assert night.status("sim00002.hea") == "vanished", "and stays so"


def test_what_came_back_is_read_again(night: Night, records: Path, tmp_path: Path) -> None:
    night()
    before = night.reports
    moved = [records / "sim00002.hea", records / "sim00002.dat"]
    for path in moved:
        path.rename(tmp_path / path.name)
    night()
    assert night.status("sim00002.hea") == "vanished"
    for path in moved:
        (tmp_path / path.name).rename(path)
    night()
    assert night.read == ["sim00002.hea"]
    assert night.reports.csv == before.csv


def test_a_failed_one_is_tried_again_when_it_changed_or_is_asked_for(
    night: Night, records: Path
) -> None:
    night()
    failed = [row["path"] for row in night.reports.rows if row["status"] != "scored"]
    assert len(failed) == 2
    night()
    assert night.read == []
    assert night(retry_failed=True).summary.exit_code == ExitCode.SOME_NOT_SCORED
    assert night.read == failed
    whole = records / "sim00000.hea"
    for suffix in (".hea", ".dat"):
        content = (
            whole.with_suffix(suffix).read_bytes().replace(b"sim00000", failed[0][:8].encode())
        )
        (records / failed[0]).with_suffix(suffix).write_bytes(content)
    assert night().summary.exit_code == ExitCode.OK
    assert night.read == failed[:1]
    assert night.status(failed[0]) == "scored"


def test_a_signal_file_of_another_name_counts_too(night: Night, records: Path) -> None:
    """Only reading tells that the header names it."""
    header = records / "sim00004.hea"
    (records / "sim00004.dat").rename(records / "elsewhere.dat")
    header.write_bytes(header.read_bytes().replace(b"sim00004.dat", b"elsewhere.dat"))
    night()
    (row,) = (
        row.result
        for row in RunStore.open(night.out / STORE).iter_rows()
        if row.result.path == "sim00004.hea"
    )
    assert [(file.name, file.listed) for file in row.files] == [
        ("sim00004.hea", True),
        ("elsewhere.dat", False),
    ]
    night()
    assert night.read == []
    os.utime(records / "elsewhere.dat", ns=(0, 0))
    night()
    assert night.read == ["sim00004.hea"]


def test_a_missing_signal_file_that_arrives(night: Night, records: Path) -> None:
    header = records / "sim00004.hea"
    header.write_bytes(header.read_bytes().replace(b"sim00004.dat", b"late.dat"))
    (records / "sim00004.dat").rename(records.parent / "late.dat")
    night()
    assert night.reports.row("sim00004.hea")["reason"].startswith("signal file missing")
    (records.parent / "late.dat").rename(records / "late.dat")
    night()
    assert night.read == ["sim00004.hea"]
    assert night.status("sim00004.hea") == "scored"


def test_a_header_that_came_late_takes_the_row_of_its_signal_file(
    night: Night, records: Path
) -> None:
    (records / "sim00004.hea").rename(records.parent / "sim00004.hea")
    night()
    assert night.status("sim00004.dat") == "error"
    (records.parent / "sim00004.hea").rename(records / "sim00004.hea")
    night()
    paths = [row["path"] for row in night.reports.rows]
    assert "sim00004.dat" not in paths
    assert night.status("sim00004.hea") == "scored"
    # Nor is it left in the store's files.
    assert "sim00004.dat" not in {
        row.result.path for row in RunStore.open(night.out / STORE).iter_rows()
    }


def test_a_folder_that_cannot_be_listed_takes_nothing_away(night: Night, records: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may list every folder")
    write_dataset(records / "ward", 2, seed=9, sampling_rate=100.0)
    night()
    (records / "ward").chmod(0)
    try:
        night()
    finally:
        (records / "ward").chmod(0o700)
    assert night.status("ward/") == "error"
    assert night.status("ward/sim00000.hea") == "scored"


def test_only_what_was_written_since(night: Night, records: Path) -> None:
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    for path in records.iterdir():
        os.utime(path, (now.timestamp() - 7200,) * 2)
    os.utime(records / "sim00003.dat")
    night(since=now - hour)
    assert night.read == ["sim00003.hea"]
    assert len(night.reports.rows) == 1
    night()
    assert len(night.read) == N - 1


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


def another_bundle(bundle: Path, folder: Path) -> Path:
    return rewritten(bundle, folder, licence="another")


def other_list(night: Night, _tmp_path: Path) -> ScanOptions:
    return replace(night.options, labels="superclass.txt")


def other_bundle(night: Night, tmp_path: Path) -> ScanOptions:
    return replace(night.options, bundle=another_bundle(night.options.bundle, tmp_path / "other"))


@pytest.mark.parametrize("change", [other_list, other_bundle])
def test_another_list_or_bundle_is_refused(
    night: Night, tmp_path: Path, change: Callable[[Night, Path], ScanOptions]
) -> None:
    night()
    before = night.reports
    changed = change(night, tmp_path)
    with pytest.raises(UsageError, match="was made with the") as caught:
        scan(changed)
    assert "--rescore" in caught.value.advice
    assert "--fresh" in caught.value.advice
    assert night.reports.csv == before.csv
    scan(replace(changed, fresh=True))
    assert night.reports.csv != before.csv or change is other_bundle
    assert rows_of(night.out).keys() == {row["path"] for row in before.rows}
    scan(changed)


def test_a_rescore_equals_a_scan_and_opens_no_recording(
    night: Night, bundle_dir: Path, records: Path, tmp_path: Path
) -> None:
    night()
    fresh = Night(bundle_dir, records, tmp_path / "fresh")
    fresh(labels="superclass.txt")
    with Watch(records, *records.iterdir()) as watch:
        rescored = night(labels="superclass.txt", rescore=True)
        assert watch.opened() == set()
    assert night.read == []
    same(night, fresh)
    assert rescored.summary.exit_code == ExitCode.SOME_NOT_SCORED
    run = json.loads((night.out / "run.json").read_text("utf-8"))
    assert run["rescored"] is True
    assert [(each["run"], each["n_records"]) for each in run["embeddings_from"]] == [(1, N)]
    assert "run 1 of" in (night.out / "report.html").read_text("utf-8")
    # Now the screening is one of that list.
    night(labels="superclass.txt")
    assert night.read == []
    with pytest.raises(UsageError, match="was made with the list"):
        night()


def test_a_rescore_needs_no_folder_and_keeps_what_was_scanned(
    night: Night, records: Path, tmp_path: Path
) -> None:
    night()
    night(labels="superclass.txt", rescore=True, roots=(tmp_path / "nowhere",))
    assert read_basis(RunStore.open(night.out / STORE)).roots == (records,)
    assert len(night.reports.rows) == N


def test_nothing_can_be_rescored_where_nothing_was_scanned(night: Night) -> None:
    with pytest.raises(UsageError, match="nothing can be scored again"):
        night(rescore=True)
    with pytest.raises(UsageError, match="does not go with"):
        night(rescore=True, fresh=True)


def test_another_engine_goes_on_and_is_told(night: Night, records: Path) -> None:
    night()
    write_dataset(records / "later", 3, seed=9, sampling_rate=100.0)
    night(engine="pytorch", precision="f32")
    assert len(night.read) == 3
    run = json.loads((night.out / "run.json").read_text("utf-8"))
    assert [(each["name"], each["n_scored"]) for each in run["engines"]] == [
        ("openvino", N - 2),
        ("pytorch", 3),
    ]


def test_a_strict_run_ends_at_the_first_failure(night: Night, records: Path) -> None:
    for path in records.glob("sim*"):
        if path.stem not in {"sim00000", "sim00001"}:
            path.unlink()
    night()
    before = night.reports
    (records / "cut.hea").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(NotScoredError, match=r"cut\.hea"):
            night(strict=True)
        assert night.reports.csv == before.csv
    assert night().summary.exit_code == ExitCode.SOME_NOT_SCORED
    with pytest.raises(NotScoredError, match=r"cut\.hea"):
        night(strict=True)


def test_nothing_to_do_has_a_code_where_it_is_asked_for(night: Night, records: Path) -> None:
    assert night(fail_if_empty=True).summary.exit_code == ExitCode.SOME_NOT_SCORED
    assert night(fail_if_empty=True).summary.exit_code == ExitCode.NOTHING_TO_DO
    totals = json.loads((night.out / "summary.json").read_text("utf-8"))
    assert (totals["exit_code"], totals["n_new"], totals["n_records"]) == (4, 0, N)


def test_the_content_is_hashed_as_sha256sum_does(night: Night, records: Path) -> None:
    night()
    (row,) = (
        row
        for row in RunStore.open(night.out / STORE).iter_rows()
        if row.result.path == "sim00000.hea"
    )
    command = "sha256sum sim00000.dat sim00000.hea | sha256sum"
    done = subprocess.run(command, shell=True, cwd=records, capture_output=True, check=True)
    assert row.result.sha256 == done.stdout.decode().split()[0]
    status = (records / "sim00000.dat").stat()
    assert ("sim00000.dat", status.st_size, status.st_mtime_ns, True) in row.result.files
    assert abs(datetime.now(UTC).timestamp() - row.made_s) < 600


def test_the_report_can_be_made_of_the_store_alone(
    night: Night, records: Path, tmp_path: Path
) -> None:
    result = night(language="de")
    store = RunStore.open(night.out / STORE)
    report = stored_report(store)
    assert report.provenance == result.provenance
    assert report.language == "de"
    scoring, basis = read_scoring(store), read_basis(store)
    assert "sinus rhythm" in scoring.list_text
    assert basis.roots == (records,)
    assert basis.bundle_folder == night.options.bundle
    assert np.isfinite([row.threshold for row in scoring.diagnoses]).any()


HOLD = """
import sys, time
from pathlib import Path
from ecgscreen.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holding(folder: Path, seconds: float) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_says_who_holds_the_folder(night: Night) -> None:
    with holding(night.out, 60) as process:
        try:
            with pytest.raises(LockedError, match=f"process {process.pid}, since 20") as caught:
                night()
        finally:
            process.kill()
    assert caught.value.exit_code == ExitCode.LOCKED
    assert night().summary.n_records == N, "the lock did not outlive the process"


def test_a_second_run_waits_if_it_is_to(night: Night) -> None:
    with holding(night.out, 1.0) as process:
        try:
            night(wait_lock_s=60.0)
        finally:
            process.kill()
    assert len(night.read) == N


def test_a_store_of_another_version_is_refused_unless_everything_is_anew(night: Night) -> None:
    night()
    path = night.out / STORE / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 1}))
    with pytest.raises(StoreError, match="version 1") as caught:
        night()
    assert "--fresh" in caught.value.advice
    night(fresh=True)
    assert len(night.read) == N
    assert {Status(row["status"]) for row in night.reports.rows} >= {Status.SCORED}
