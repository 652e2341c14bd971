"""Many processes give what one gives, and none of them ends the run."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, repeat
from multiprocessing import active_children
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from ecgscreen import serving
from ecgscreen.bundle import load_bundle
from ecgscreen.crew_size import FEW
from ecgscreen.discover import Discovery
from ecgscreen.embedding import EmbedderHere, EmbedderInWorkers, Preparing
from ecgscreen.embedding_job import Embedding, EmbeddingJob
from ecgscreen.ending import SECONDS_TO_END
from ecgscreen.errors import BundleError, EngineError, ExitCode, WorkerError
from ecgscreen.found import Found
from ecgscreen.long_recording import LongRecording
from ecgscreen.manifest import read_manifest
from ecgscreen.packing import PackedRows, unpack_rows
from ecgscreen.preparation import PreparedRecord, prepare_recordings
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status
from ecgscreen.run_store import NEXT_MANIFEST
from ecgscreen.serving import CHUNK, Errand, Task
from ecgscreen.simulate import write_dataset
from ecgscreen.stored_shard import read_shard
from ecgscreen.workers import CHUNKS_AHEAD, Crew
from engines.select import load_engine
from tests.ecgscreen.deadly import Deadly, Unreadable, Unwelcome

CONFIG = PreprocessConfig()
N = CHUNK + 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More recordings than a worker is given at once, some of them faulty."""
    path = tmp_path_factory.mktemp("records")
    write_dataset(path, N, seed=4, sampling_rate=100.0, faults=5)
    return path


Row = tuple[str, bytes, bytes]


def as_bytes(records: Iterable[PreparedRecord | LongRecording | RecordResult]) -> list[Row]:
    found = []
    for record in records:
        if isinstance(record, PreparedRecord):
            windows, mask = record.prepared.windows, record.prepared.lead_mask
            found.append((record.name, windows.tobytes(), mask.tobytes()))
        else:
            assert isinstance(record, RecordResult)
            found.append((record.path, record.reason.encode(), record.detail.encode()))
    return found


def prepared(folder: Path, n_workers: int) -> list[Row]:
    found = Discovery([folder])
    if not n_workers:
        return as_bytes(prepare_recordings(found, CONFIG))
    with Crew(Preparing(CONFIG), n_workers) as crew:
        return sorted(as_bytes(crew.outcomes(found)))


def test_workers_change_nothing(folder: Path) -> None:
    alone = prepared(folder, 0)
    assert len(alone) == N
    assert [name for name, *_ in alone] == sorted(name for name, *_ in alone)
    assert prepared(folder, 1) == alone
    assert prepared(folder, 3) == alone
    assert active_children() == []


def test_workers_that_embed_change_nothing(folder: Path, bundle_dir: Path) -> None:
    job = job_of(bundle_dir)
    with Crew(Embedding(job), 2) as crew:
        embedder = EmbedderInWorkers(crew)
        assert embedder.info.name == "openvino"
        rows = sorted(embedder.rows(Discovery([folder])), key=lambda row: row.path)
    engine = load_engine("openvino", load_bundle(bundle_dir).encoder_onnx, threads=1)
    alone = list(EmbedderHere(engine, CONFIG, workers=0).rows(Discovery([folder])))
    assert len(rows) == N
    assert {row.status for row in rows} > {Status.SCORED}
    for one, other in zip(rows, alone, strict=True):
        assert (one.path, one.reason, one.notes) == (other.path, other.reason, other.notes)
        assert one.embeddings.tobytes() == other.embeddings.tobytes()


def test_an_engine_that_cannot_be_loaded_ends_with_a_sentence(bundle_dir: Path) -> None:
    job = replace(job_of(bundle_dir), precision="f16")
    with Crew(Embedding(job), 1) as crew, pytest.raises(EngineError, match="not f16"):
        _ = EmbedderInWorkers(crew).info


def test_a_bundle_that_is_exchanged_meanwhile_is_refused_and_no_cluster_is_blamed(
    bundle_dir: Path,
) -> None:
    job = replace(job_of(bundle_dir), bundle_sha256="ab" * 32)
    with (
        Crew(Embedding(job), 1) as crew,
        pytest.raises(BundleError, match="the bundle changed while the scan began") as caught,
    ):
        _ = EmbedderInWorkers(crew).info
    assert "cluster" not in caught.value.message
    assert caught.value.advice == "Run the scan again."


def job_of(bundle: Path) -> EmbeddingJob:
    sha256 = load_bundle(bundle).sha256
    return EmbeddingJob(bundle, sha256, "openvino", "auto", batch_size=32)


@pytest.mark.parametrize(("n_found", "n_workers"), [(N, 0), (FEW, 1)])
def test_a_small_folder_is_not_worth_a_process(
    folder: Path, bundle_dir: Path, n_found: int, n_workers: int
) -> None:
    engine = load_engine("openvino", load_bundle(bundle_dir).encoder_onnx, threads=1)
    one = next(iter(Discovery([folder])))
    rows = EmbedderHere(engine, CONFIG).rows(repeat(one, n_found))
    assert next(rows).path == one.name
    assert len(active_children()) == n_workers
    rows.close()
    assert active_children() == []


def test_the_stream_is_read_as_it_is_needed(folder: Path) -> None:
    one = next(iter(Discovery([folder])))
    taken = []

    def endless() -> Iterator[Found]:
        while True:
            taken.append(one)
            yield one

    with Crew(Preparing(CONFIG), 2) as crew:
        next(crew.outcomes(endless()))
    assert len(taken) <= 2 * CHUNK * CHUNKS_AHEAD


def test_long_recordings_are_handed_over_one_by_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "WINDOWS_AT_ONCE", 4)
    parts = list(serving._in_parts(prepare_recordings(Discovery([folder]), CONFIG)))
    unpacked = [list(unpack_rows(part)) if isinstance(part, PackedRows) else part for part in parts]
    assert as_bytes(chain.from_iterable(unpacked)) == prepared(folder, 0)
    for part in unpacked[:-1]:
        assert sum(isinstance(outcome, PreparedRecord) for outcome in part) == 4


def test_what_waits_for_more_is_finished_when_there_is_no_more(folder: Path) -> None:
    chunks: SimpleQueue[list[Task] | Errand] = SimpleQueue()
    tasks: list[Task] = [*Discovery([folder])]
    chunks.put(tasks[2:5])
    begun = SimpleNamespace(value=0)
    assert list(serving._at_hand(tasks[:2], chunks, begun)) == tasks[:5]
    assert begun.value == 5


def test_the_run_goes_on_when_a_worker_is_killed(folder: Path) -> None:
    with Crew(Preparing(CONFIG), 1) as crew:
        stream = crew.outcomes(Discovery([folder]))
        found = as_bytes(iter([next(stream)]))
        (worker,) = active_children()
        worker.kill()
        found += as_bytes(stream)
    assert found == prepared(folder, 0)


def test_the_run_goes_on_when_a_worker_is_killed_while_it_answers(folder: Path) -> None:
    with Crew(Preparing(CONFIG), 1) as crew:
        stream = crew.outcomes(Discovery([folder]))
        found = as_bytes(iter([next(stream)]))
        assert crew._workers[0].connection.poll(10), "it has begun to answer"
        time.sleep(0.1)  # until the pipe is full
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
    with Crew(Preparing(CONFIG), 1) as crew:
        rows = list(crew.outcomes(mixed))
    assert as_bytes(iter(rows[:3] + rows[4:6] + rows[7:])) == prepared(folder, 0)
    for row, path in ((rows[3], "deadly0.hea"), (rows[6], "deadly1.hea")):
        assert isinstance(row, RecordResult)
        assert (row.path, row.status, row.reason) == (path, Status.ERROR, SkipReason.WORKER_DIED)
        assert row.detail == "signal 9, 2 times"
    assert Counter(tally.read_text().split()) == {"0": 2, "1": 2}


@pytest.mark.parametrize(("path", "code"), [(Unreadable(), 3), (Unwelcome(), 1)])
def test_workers_that_die_without_a_recording_end_the_run(
    folder: Path, path: Path, code: int
) -> None:
    one = replace(next(iter(Discovery([folder]))), path=path)
    with (
        Crew(Preparing(CONFIG), 2) as crew,
        pytest.raises(WorkerError, match=rf"was killed, or could not start \(exit code {code}\)"),
    ):
        list(crew.outcomes(repeat(one, 5)))
    assert active_children() == []


def test_workers_that_are_stopped_end_with_the_others() -> None:
    with Crew(Preparing(CONFIG), 4) as crew:
        assert crew.greeting is None
        for worker in active_children():
            os.kill(worker.pid or 0, signal.SIGSTOP)
        begin = time.monotonic()
    assert time.monotonic() - begin < SECONDS_TO_END
    assert active_children() == []


def test_a_worker_leaves_ctrl_c_to_its_parent(folder: Path) -> None:
    with Crew(Preparing(CONFIG), 1) as crew:
        stream = crew.outcomes(repeat(next(iter(Discovery([folder])))))
        next(stream)
        (worker,) = active_children()
        status = Path(f"/proc/{worker.pid}/status").read_text()
        blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
        assert blocked & 1 << (signal.SIGINT - 1)
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        os.kill(worker.ident or 0, signal.SIGINT)
        assert isinstance(next(stream), PreparedRecord)


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


def test_who_embeds_takes_long_turns_and_who_is_waited_for_does_not(
    scanning: subprocess.Popen[str],
) -> None:
    """Of a worker, what computes is batch work; what listens to the parent is not."""
    policies = {
        process: Counter(os.sched_getscheduler(int(thread)) for thread in threads_of(process))
        for process in session(scanning.pid)
    }
    assert set(policies.pop(scanning.pid)) == {os.SCHED_OTHER}
    embedding = [found for found in policies.values() if os.SCHED_BATCH in found]
    assert len(embedding) == 2
    # The thread that prepares and that of the engine, at least; one that receives.
    assert all(found[os.SCHED_BATCH] >= 2 and found[os.SCHED_OTHER] == 1 for found in embedding)


def threads_of(process: int) -> list[str]:
    return [thread.name for thread in Path(f"/proc/{process}/task").iterdir()]


def wait_for_end(leader: int) -> None:
    end = time.monotonic() + 30
    while left := session(leader):
        if time.monotonic() > end:
            os.killpg(leader, signal.SIGKILL)
            pytest.fail(f"{len(left)} processes were still there after 30 s")
        time.sleep(0.05)


ALLOCATE = """import resource
import numpy as np
from ecgscreen.serving import keep_freed_memory
keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(1 << 20, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries are left alone")
def test_memory_that_was_freed_is_at_hand_whatever_a_nanny_says() -> None:
    process = subprocess.run(
        [sys.executable, "-c", ALLOCATE],
        env=os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(process.stdout) < 5 * 1024, "pages; 50 * 1024 if each array takes new ones"
