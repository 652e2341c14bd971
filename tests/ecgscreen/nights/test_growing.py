"""A screening that grows: every run does what is new, and the report is as of one run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode, NotScoredError, StoreError
from ecgscreen.recording import SkipReason
from ecgscreen.run_store import RunStore
from ecgscreen.screening import STORE
from ecgscreen.simulate import write_dataset
from tests.ecgscreen.nights.runs import N, Night, rows_of


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


def test_a_fault_that_passes_is_tried_again(
    night: Night, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network share that did not answer: the files are as they were when it does again."""
    night()
    whole = night.reports
    (records / "sim00000.dat").touch()
    (records / "sim00000.hea").touch()

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as outage:
        outage.setattr(os, "pread", fail)
        assert night().summary.exit_code == ExitCode.SOME_NOT_SCORED
        # Whether that is a recording is not to be seen then.
        assert night.read == ["sim00000.hea", "truth.csv"]
        assert night.reports.row("sim00000.hea")["reason"].startswith(SkipReason.READ_ERROR)
        assert night().summary.exit_code == ExitCode.SOME_NOT_SCORED, "it is tried, and said"
    assert night().summary.exit_code == ExitCode.OK
    assert night.read == ["sim00000.hea"]
    assert night.reports.csv == whole.csv
    night()
    assert night.read == []


def test_nothing_is_written_through_a_link(night: Night, tmp_path: Path) -> None:
    night()
    before = (night.out / "report.csv").read_bytes()
    elsewhere = tmp_path / "elsewhere"
    for what in (elsewhere / "new", elsewhere):
        elsewhere.mkdir(exist_ok=True)
        shutil.rmtree(night.out / STORE, ignore_errors=True)
        (night.out / STORE).unlink(missing_ok=True)
        (night.out / STORE).symlink_to(what)
        with pytest.raises(StoreError, match="is a symbolic link"):
            night()
        assert list(elsewhere.iterdir()) == []
    assert (night.out / "report.csv").read_bytes() == before


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


def test_a_strict_run_says_whether_there_are_reports(night: Night, records: Path) -> None:
    for path in records.glob("sim*"):
        if path.stem != "sim00000":
            path.unlink()
    (records / "cut.hea").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(NotScoredError) as caught:
            night(strict=True)
        assert "no reports are written, and there were none before" in caught.value.advice
        assert not list(night.out.glob("report.*"))
    night()
    with pytest.raises(NotScoredError) as caught:
        night(strict=True)
    assert "the reports stay as they were" in caught.value.advice


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
