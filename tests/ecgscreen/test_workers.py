"""Many processes give what one gives, and none of them ends the run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, repeat
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecgscreen import workers
from ecgscreen.discover import Discovery, Found
from ecgscreen.errors import ExitCode, WorkerError
from ecgscreen.long_recording import LongRecording
from ecgscreen.manifest import read_manifest
from ecgscreen.preparation import PreparedRecord
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status
from ecgscreen.run_store import NEXT_MANIFEST
from ecgscreen.shards import read_shard
from ecgscreen.simulate import write_dataset
from ecgscreen.workers import CHUNK, FEW, default_workers, prepare_all
from tests.ecgscreen.deadly import Deadly, Unreadable

CONFIG = PreprocessConfig()
N = CHUNK + 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More recordings than a worker is given at once, some of them faulty."""
    path = tmp_path_factory.mktemp("records")
    write_dataset(path, N, seed=4, sampling_rate=100.0, faults=5)
    return path


Row = tuple[str, bytes, bytes]


def as_bytes(records: Iterator[PreparedRecord | LongRecording | RecordResult]) -> list[Row]:
    found = []
    for record in records:
        if isinstance(record, PreparedRecord):
            windows, mask = record.prepared.windows, record.prepared.lead_mask
            found.append((record.name, windows.tobytes(), mask.tobytes()))
        else:
            assert isinstance(record, RecordResult)
            found.append((record.path, record.reason.encode(), record.detail.encode()))
    return found


def prepared(folder: Path, n_workers: int | None) -> list[Row]:
    return as_bytes(prepare_all(Discovery([folder]), CONFIG, n_workers))


def test_workers_change_nothing(folder: Path) -> None:
    alone = prepared(folder, 0)
    assert len(alone) == N
    assert [name for name, *_ in alone] == sorted(name for name, *_ in alone)
    assert prepared(folder, 1) == alone
    assert prepared(folder, 3) == alone


def test_a_small_folder_is_not_worth_a_process(folder: Path) -> None:
    stream = prepare_all(Discovery([folder]), CONFIG)
    next(stream)
    assert active_children() == []
    stream.close()


def test_a_large_folder_is_shared_and_no_worker_is_left(folder: Path) -> None:
    one = next(iter(Discovery([folder])))
    stream = prepare_all(repeat(one, FEW), CONFIG)
    first = next(stream)
    assert len(active_children()) == default_workers() > 0
    assert isinstance(first, PreparedRecord)
    stream.close()
    assert active_children() == []


@pytest.mark.parametrize(("n_workers", "most"), [(0, 32), (1, 3 * CHUNK)])
def test_the_stream_is_read_as_it_is_needed(folder: Path, n_workers: int, most: int) -> None:
    one = next(iter(Discovery([folder])))
    taken = []

    def endless() -> Iterator[Found]:
        while True:
            taken.append(one)
            yield one

    stream = prepare_all(endless(), CONFIG, n_workers)
    next(stream)
    assert len(taken) <= most
    stream.close()


def test_long_recordings_are_handed_over_one_by_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = list(Discovery([folder]))
    monkeypatch.setattr(workers, "WINDOWS_AT_ONCE", 4)
    begun = SimpleNamespace(value=0)
    parts = list(workers._answers([*tasks], begun, CONFIG))
    assert begun.value == N
    assert as_bytes(chain.from_iterable(parts)) == prepared(folder, 0)
    for part in parts[:-1]:
        assert sum(isinstance(outcome, PreparedRecord) for outcome in part) == 4


def test_the_run_goes_on_when_a_worker_is_killed(folder: Path) -> None:
    stream = prepare_all(Discovery([folder]), CONFIG, 1)
    found = as_bytes(iter([next(stream)]))
    (worker,) = active_children()
    worker.kill()
    found += as_bytes(stream)
    assert found == prepared(folder, 0)


def test_a_recording_that_kills_its_worker_twice_is_named(folder: Path, tmp_path: Path) -> None:
    good = list(Discovery([folder]))
    tally = tmp_path / "tries"
    bad = [
        replace(good[0], path=Deadly(tally, number), name=f"deadly{number}.hea")
        for number in range(2)
    ]
    mixed = [*good[:3], bad[0], *good[3:5], bad[1], *good[5:]]
    rows = list(prepare_all(mixed, CONFIG, 1))
    assert as_bytes(iter(rows[:3] + rows[4:6] + rows[7:])) == prepared(folder, 0)
    for row in (rows[3], rows[6]):
        assert isinstance(row, RecordResult)
        assert (row.status, row.reason) == (Status.ERROR, SkipReason.WORKER_DIED)
        assert row.detail == "signal 9, 2 times"
    assert [rows[3].path, rows[6].path] == ["deadly0.hea", "deadly1.hea"]  # type: ignore[union-attr]
    assert Counter(tally.read_text().split()) == {"0": 2, "1": 2}


def test_workers_that_die_without_a_recording_end_the_run(folder: Path) -> None:
    one = replace(next(iter(Discovery([folder]))), path=Unreadable())
    with pytest.raises(WorkerError, match=r"was killed, or could not start \(exit code 3\)"):
        list(prepare_all(repeat(one, 5), CONFIG, 2))
    assert active_children() == []


def test_a_worker_leaves_ctrl_c_to_its_parent(folder: Path) -> None:
    stream = prepare_all(repeat(next(iter(Discovery([folder])))), CONFIG, 1)
    next(stream)
    (worker,) = active_children()
    status = Path(f"/proc/{worker.pid}/status").read_text()
    blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
    assert blocked & 1 << (signal.SIGINT - 1)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    os.kill(worker.ident or 0, signal.SIGINT)
    assert isinstance(next(stream), PreparedRecord)
    stream.close()


@pytest.fixture(scope="module")
def many(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thousand headers of one signal file."""
    path = tmp_path_factory.mktemp("many")
    header = next(iter(Discovery([folder]))).path
    shutil.copy2(header.with_suffix(".dat"), path)
    for number in range(2000):
        shutil.copy2(header, path / f"{number:04d}.hea")
    return path


@pytest.fixture
def scanning(many: Path, bundle_dir: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A scan with two workers in a session of its own, some way into the folder."""
    arguments = ("scan", many, "--labels", "rhythm.txt", "--out", tmp_path / "out")
    options = ("--bundle", bundle_dir, "--workers", "2", "--threads", "1", "-q")
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "ecgscreen", *arguments, *options],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as process:
        manifest = tmp_path / "out" / "store" / NEXT_MANIFEST
        wait_until(lambda: manifest.exists() and n_stored(manifest) >= 1000, process)
        yield process
        process.kill()


def n_stored(manifest: Path) -> int:
    return sum(shard.n_records for shard in read_manifest(manifest).shards)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)


def session(leader: int) -> list[int]:
    """Processes of a session that are there, and not just waiting to be reaped."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, sid = stat.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(sid) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize(
    ("number", "code", "to_all"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED, True),
        (signal.SIGTERM, ExitCode.TERMINATED, False),
        (signal.SIGTERM, ExitCode.TERMINATED, True),
    ],
)
def test_a_scan_that_is_stopped_leaves_no_worker_and_a_whole_store(
    scanning: subprocess.Popen[str], tmp_path: Path, number: int, code: int, to_all: bool
) -> None:
    (os.killpg if to_all else os.kill)(scanning.pid, number)
    assert scanning.wait(60) == code
    assert scanning.stderr is not None
    assert scanning.stderr.read() == ""
    wait_for_end(scanning.pid)
    store = tmp_path / "out" / "store"
    n_records = n_stored(store / NEXT_MANIFEST)
    shards = read_manifest(store / NEXT_MANIFEST).shards
    assert sum(len(read_shard(store, shard)) for shard in shards) == n_records


def test_no_worker_outlives_a_parent_that_is_killed(scanning: subprocess.Popen[str]) -> None:
    assert len(session(scanning.pid)) >= 3
    scanning.kill()
    scanning.wait(60)
    wait_for_end(scanning.pid)


def wait_for_end(leader: int) -> None:
    end = time.monotonic() + 30
    while left := session(leader):
        if time.monotonic() > end:
            os.killpg(leader, signal.SIGKILL)
            pytest.fail(f"{len(left)} processes were still there after 30 s")
        time.sleep(0.05)
