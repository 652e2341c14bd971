"""Where a screening stands, before and after a night."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode
from ecgscreen.lock import locked
from ecgscreen.scan import Listener, ScanOptions, scan
from ecgscreen.screening_status import status_of
from tests.command_line import Run
from tests.ecgscreen.screenings import every_byte, recordings, rows, scanned


@pytest.fixture(scope="module")
def original(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five recordings, one of them faulty, and a screening of it."""
    folder = tmp_path_factory.mktemp("status")
    recordings(folder / "records", 5, seed=1, faults=1)
    scanned(bundle_dir, folder / "out", folder / "records")
    return folder


@pytest.fixture
def night(original: Path, bundle_dir: Path, tmp_path: Path) -> Path:
    """Recordings and a screening to be written to: `tmp_path`, with records and out."""
    recordings(tmp_path / "records", 5, seed=1, faults=1)
    scanned(bundle_dir, tmp_path / "out", tmp_path / "records")
    return tmp_path


def test_a_finished_screening(original: Path, run: Run) -> None:
    before = every_byte(original)
    done = run("status", original / "out")
    assert (done.code, done.err) == (ExitCode.OK, "")
    lines = done.out.splitlines()
    assert lines[0] == "4 of 5 recordings scored"
    (faulty,) = (row for row in rows(original / "out").values() if row["status"] != "scored")
    assert lines[1] == f"  1 not: {faulty['reason'].partition(':')[0]}"
    assert lines[2].strip() == faulty["path"]
    assert "waiting: 0 new, 0 changed" in lines
    (ended,) = (line for line in lines if line.startswith("last run: "))
    assert re.fullmatch(r"last run: 1, scan, ended 20\d\d-\d\d-\d\d \d\d:\d\d UTC", ended)
    assert any("4 scored by openvino" in line for line in lines)
    assert any(line.startswith("bundle tiny, SHA-256 ") for line in lines)
    assert any(line.startswith("list superclass.txt, SHA-256 ") for line in lines)
    assert every_byte(original) == before


def test_what_waits_is_named_and_is_what_the_next_scan_reads(
    night: Path, bundle_dir: Path, run: Run
) -> None:
    records, out = night / "records", night / "out"
    recordings(records / "new", 2, seed=3)
    (records / "sim00000.hea").touch()
    for suffix in (".hea", ".dat"):
        (records / f"sim00001{suffix}").unlink()
    document = json.loads(run("status", out, "--json").out)
    assert document["waiting"] == {
        "new": ["new/sim00000.hea", "new/sim00001.hea"],
        "changed": ["sim00000.hea"],
        "n_gone": 1,
        "missing_folders": [],
    }
    assert document["by_status"]["scored"] == 4
    assert sum(document["by_status"].values()) == document["n_records"] == 5
    assert [each["path"] for each in document["not_scored"]] == [
        path for path, row in rows(out).items() if row["status"] != "scored"
    ]
    told: list[str] = []
    options = ScanOptions((records,), "superclass.txt", out, bundle_dir, threads=1, workers=0)
    scan(options, Listener(done=lambda result: told.append(result.path)))
    waited = document["waiting"]["new"] + document["waiting"]["changed"]
    assert sorted(told) == sorted(waited)
    after = json.loads(run("status", out, "--json").out)
    assert after["waiting"] == {"new": [], "changed": [], "n_gone": 0, "missing_folders": []}
    assert after["by_status"]["vanished"] == 1
    assert [run["n_records"] for run in after["runs"]] == [3, 4]


def test_from_another_working_directory(
    bundle_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        recordings(tmp_path / name, 2, seed=1)
    monkeypatch.chdir(tmp_path)
    scanned(bundle_dir, tmp_path / "out", Path("a"), Path("b"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    waiting = status_of(tmp_path / "out").waiting
    assert waiting is not None
    assert (waiting.new, waiting.changed, waiting.n_gone, waiting.missing) == ((), (), 0, ())


def test_a_folder_that_is_not_there_is_not_one_that_is_empty(night: Path, run: Run) -> None:
    shutil.move(night / "records", night / "unmounted")
    done = run("status", night / "out")
    assert f"not there, what waits is unknown: {night / 'records'}" in done.out
    assert "no longer there" not in done.out
    assert "waiting" not in run("status", night / "out", "--no-look").out


def test_a_folder_that_cannot_be_listed_takes_nothing_away(
    night: Path, bundle_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings(night / "records" / "ward", 2, seed=3)
    scanned(bundle_dir, night / "out", night / "records")
    scandir = os.scandir

    def closed(folder: str) -> Iterator[os.DirEntry[str]]:
        # The tests may run as root, who may list everything.
        if folder.rstrip("/").endswith("ward"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", closed)
    waiting = status_of(night / "out").waiting
    assert waiting is not None
    assert (waiting.n_gone, waiting.new) == (0, ("ward/",))


def test_a_run_in_progress_and_one_that_was_interrupted(
    night: Path, bundle_dir: Path, run: Run
) -> None:
    records, out = night / "records", night / "out"
    with locked(out):
        assert f"a run is in progress: process {os.getpid()}" in run("status", out).out
    recordings(records / "new", 2, seed=3)

    def interrupt(_result: object) -> None:
        raise KeyboardInterrupt

    options = ScanOptions((records,), "superclass.txt", out, bundle_dir, threads=1, workers=0)
    with pytest.raises(KeyboardInterrupt):
        scan(options, Listener(done=interrupt))
    document = json.loads(run("status", out, "--json").out)
    assert document["interrupted_run_started_utc"] is not None
    assert document["held_by"] == ""
    assert "interrupted: a run that began 20" in run("status", out).out
    scan(options)
    assert "interrupted" not in run("status", out).out


def test_before_the_first_run_has_ended(bundle_dir: Path, run: Run, tmp_path: Path) -> None:
    assert "holds no screening" in run("status", tmp_path).err
    records = recordings(tmp_path / "records", 2, seed=1)

    def interrupt(_result: object) -> None:
        raise KeyboardInterrupt

    options = ScanOptions(
        (records,), "superclass.txt", tmp_path / "out", bundle_dir, threads=1, workers=0
    )
    with pytest.raises(KeyboardInterrupt):
        scan(options, Listener(done=interrupt))
    done = run("status", tmp_path / "out")
    assert done.code == ExitCode.USAGE
    assert "its first run was interrupted" in done.err


def test_names_cannot_steer_a_terminal(bundle_dir: Path, run: Run, tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    (records / "evil\x1b[2J\nname.hea").write_bytes(b"")
    (records / "\udcff.hea").write_bytes(b"")
    scanned(bundle_dir, tmp_path / "out", records)
    done = run("status", tmp_path / "out")
    assert "\x1b" not in done.out
    assert "evil\\x1b[2J\\nname.hea" in done.out
    assert r"\xff.hea" in done.out
    document = json.loads(run("status", tmp_path / "out", "--json").out)
    assert [each["path"] for each in document["not_scored"]] == list(rows(tmp_path / "out"))
