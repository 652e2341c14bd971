"""Options of ``ecgscreen scan`` for the night: what is printed, logged, and how it is ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ecgscreen.errors import ExitCode, StoreError, UsageError
from ecgscreen.results import record_id_of
from ecgscreen.run_log import RunLog
from ecgscreen.run_store import RunStore
from ecgscreen.screening import STORE
from ecgscreen.simulate import write_dataset
from ecgscreen.since import parse_since

ROOT = Path(__file__).parents[2]
NOW = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)


def command(bundle: Path, records: Path, out: Path, *more: object) -> list[str]:
    arguments = ("scan", records, "--labels", "rhythm.txt", "--out", out, "--bundle", bundle)
    return [sys.executable, "-m", "ecgscreen", *map(str, (*arguments, *more))]


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        arguments, capture_output=True, text=True, env=environment, check=False, timeout=300
    )


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2d", NOW - timedelta(days=2)),
        ("36h", NOW - timedelta(hours=36)),
        ("90m", NOW - timedelta(minutes=90)),
        ("1w", NOW - timedelta(weeks=1)),
        ("2025-03-01T00:00+01:00", datetime(2025, 2, 28, 23, tzinfo=UTC)),
    ],
)
def test_a_date_or_a_duration_is_understood(text: str, expected: datetime) -> None:
    assert parse_since(text, NOW) == expected


def test_a_date_is_one_of_this_machine() -> None:
    assert parse_since("2025-03-01", NOW) == datetime(2025, 3, 1).astimezone()


@pytest.mark.parametrize("text", ["", "yesterday", "2", "d", "-2d", "2025-13-01", "999999w"])
def test_no_other_word_is(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        parse_since(text, NOW)


def test_what_is_done_is_told_in_json_and_in_the_log(bundle_dir: Path, tmp_path: Path) -> None:
    records, out, log = tmp_path / "Doe^Jane", tmp_path / "out", tmp_path / "night.log"
    write_dataset(records, 5, seed=2, sampling_rate=100.0, faults=1)
    scan = command(bundle_dir, records, out, "--json", "--log-file", log, "--fail-if-empty")
    first = run(scan)
    assert first.returncode == ExitCode.SOME_NOT_SCORED
    assert "4 of 5 recordings scored" in first.stderr
    started, *rows, summary = events(first.stdout)
    assert (started["event"], started["run"], started["n_stored"]) == ("started", 1, 0)
    assert [row["event"] for row in rows] == ["record"] * 5
    assert [row["path"] for row in rows] == sorted(path.name for path in records.glob("*.hea"))
    (failed,) = (row for row in rows if row["status"] != "scored")
    on_disk = json.loads((out / "summary.json").read_text("utf-8"))
    assert summary == {"event": "summary", "folder": str(out), **on_disk}

    second = run(scan)
    assert second.returncode == ExitCode.NOTHING_TO_DO
    assert "none of them new" in second.stderr
    assert [each["event"] for each in events(second.stdout)] == ["started", "summary"]

    assert run([*scan, "--strict"]).returncode == ExitCode.FAILED
    assert run(command(bundle_dir, records / "no", out, "--log-file", log)).returncode == 2

    text = log.read_text("utf-8")
    assert log.stat().st_mode & 0o777 == 0o600
    lines = text.splitlines()
    assert all(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ \S", line) for line in lines)
    assert sum("begins" in line for line in lines) == 3
    assert f"record {record_id_of(failed['path'])}: {failed['status']}: {failed['reason']}" in text
    assert "run 1 ended with exit code 3: 5 records done, 0 kept" in text
    assert "run 2 ended with exit code 4: 0 records done, 5 kept" in text
    assert "ended with exit code 1: NotScoredError" in text
    assert "ended with exit code 2: UsageError" in text
    assert "Doe" not in text
    assert ".hea" not in text


def test_a_log_that_cannot_be_is_told_before_the_work(bundle_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    scan = command(bundle_dir, tmp_path / "records", tmp_path / "out", "--log-file", tmp_path)
    done = run(scan)
    assert done.returncode == ExitCode.USAGE
    assert "--log-file" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_error_of_the_disk_is_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(StoreError), RunLog(tmp_path / "log"):
        raise StoreError("store: cannot be written: No space left on device")
    assert "exit code 1: store: cannot be written: No space" in (tmp_path / "log").read_text()


@contextmanager
def scanning(arguments: list[str], n_done: int) -> Iterator[subprocess.Popen[str]]:
    """A scan that has told of some records, and is in the middle of the others."""
    with subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            assert process.stdout is not None
            for _ in range(1 + n_done):
                assert process.stdout.readline(), process.communicate()[1]
            yield process
        finally:
            process.kill()


def children_of(process: subprocess.Popen[str]) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(number) for number in listed.split()]


def is_gone(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in {"Z", "X"}


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "code", "workers"),
    [
        (signal.SIGTERM, ExitCode.TERMINATED, 2),
        (signal.SIGINT, ExitCode.INTERRUPTED, 2),
        (signal.SIGTERM, ExitCode.TERMINATED, 0),
    ],
)
def test_a_signal_ends_it_soon_and_the_next_run_goes_on(
    bundle_dir: Path, tmp_path: Path, number: signal.Signals, code: ExitCode, workers: int
) -> None:
    records, out = tmp_path / "records", tmp_path / "out"
    n_records = 1_200
    write_dataset(tmp_path / "few", 4, seed=2, sampling_rate=100.0)
    files = sorted(path for path in (tmp_path / "few").iterdir() if path.stem.startswith("sim"))
    for copy in range(n_records // 4):
        (records / f"{copy:04d}").mkdir(parents=True)
        for file in files:
            (records / f"{copy:04d}" / file.name).hardlink_to(file)
    arguments = command(bundle_dir, records, out, "--json", "--workers", workers)
    with scanning(arguments, 100) as process:
        children = children_of(process)
        assert len(children) >= workers
        sent = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        took = time.monotonic() - sent
    assert process.returncode == code
    said = re.fullmatch(
        rf"Interrupted: what is done is kept in {out} \(([\d,]+) recordings of this run\); "
        r"the same command goes on from there\.\n",
        err,
    )
    assert said, err
    assert took < 2.0  # a second, on a machine with other work
    # Python's own tracker of resources ends by itself when the others have.
    until = time.monotonic() + 5
    while left := [child for child in children if not is_gone(child)]:
        assert time.monotonic() < until, left
        time.sleep(0.02)
    assert not (out / "report.csv").exists()

    store = RunStore.open_unfinished(out / STORE)
    assert store is not None
    assert 100 <= store.n_records < n_records
    # A row may be stored that nobody was told of yet.
    assert store.n_records - int(said[1].replace(",", "")) in {0, 1}
    with scanning(arguments, 0) as process:
        assert process.stdout is not None
        rest = events(process.stdout.read())
        assert process.wait(timeout=100) == ExitCode.OK
    assert sum(each["event"] == "record" for each in rest) == n_records - store.n_records
    assert RunStore.open(out / STORE).n_records == n_records
