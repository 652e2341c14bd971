"""A cluster of Dask workers gives the same report, whoever of them dies."""

from __future__ import annotations

import json
import os
import pickle
import pickletools
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import distributed
import pytest

from ecgscreen import cluster, cluster_connection
from ecgscreen.bundle import load_bundle
from ecgscreen.cluster import EmbedderOnCluster
from ecgscreen.cluster_connection import LOCAL, Connection, connected
from ecgscreen.cluster_worker import ClusterJob, describe, embed_chunk
from ecgscreen.discover import Discovery
from ecgscreen.errors import ClusterError, ExitCode, MissingExtraError
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status
from ecgscreen.scan import Listener, ScanOptions, scan
from ecgscreen.simulate import write_dataset
from tests.ecgscreen.deadly import Deadly
from tests.ecgscreen.reports_read import reports_of

N = 40
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cluster") / "records"
    write_dataset(path, N, seed=8, sampling_rate=100.0, faults=3)
    return path


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CHUNK_RECORDS", 6)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    with connected(LOCAL) as connection:
        yield connection


@pytest.fixture(scope="module")
def job(bundle_dir: Path) -> ClusterJob:
    sha256 = load_bundle(bundle_dir).sha256
    return ClusterJob(bundle_dir, sha256, "openvino", "auto", 8)


def options(bundle: Path, folder: Path, out: Path, address: str | None) -> ScanOptions:
    return ScanOptions((folder,), "rhythm.txt", out, bundle=bundle, cluster=address)


def by_path(rows: Iterator[RecordResult]) -> dict[str, tuple[str, str, bytes]]:
    found: dict[str, tuple[str, str, bytes]] = {}
    for row in rows:
        assert row.path not in found, "twice"
        found[row.path] = (row.status, row.reason, row.embeddings.tobytes())
    return found


@pytest.fixture(scope="module")
def expected(
    connection: Connection, job: ClusterJob, folder: Path
) -> dict[str, tuple[str, str, bytes]]:
    rows = by_path(EmbedderOnCluster(connection, job).rows(Discovery([folder])))
    assert len(rows) == N
    return rows


def test_the_report_is_that_of_one_process(bundle_dir: Path, folder: Path, tmp_path: Path) -> None:
    for name, address in (("here", None), ("cluster", LOCAL)):
        result = scan(options(bundle_dir, folder, tmp_path / name, address))
        assert result.summary.exit_code is ExitCode.SOME_NOT_SCORED
    here, there = (reports_of(tmp_path / name) for name in ("here", "cluster"))
    assert there.csv == here.csv
    assert there.arrays == here.arrays


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say it in files")
def test_nobody_elsewhere_reaches_a_local_cluster(connection: Connection) -> None:
    assert connection.workers is not None
    for pid in (os.getpid(), *connection.workers.pids):
        assert listening_addresses(pid) == {"0100007F"}, "127.0.0.1, as the kernel writes it"


def test_a_worker_that_is_killed_costs_nothing(
    connection: Connection,
    job: ClusterJob,
    folder: Path,
    expected: dict[str, tuple[str, str, bytes]],
) -> None:
    rows = EmbedderOnCluster(connection, job).rows(Discovery([folder]))
    first = next(rows)
    assert connection.workers is not None
    os.kill(connection.workers.pids[0], signal.SIGKILL)
    assert by_path(iter([first, *rows])) == expected


def test_the_recording_that_kills_workers_is_named_and_the_others_are_scored(
    connection: Connection,
    job: ClusterJob,
    folder: Path,
    tmp_path: Path,
    expected: dict[str, tuple[str, str, bytes]],
) -> None:
    good = list(Discovery([folder]))
    deadly = replace(good[0], path=Deadly(tmp_path / "tally", 0), name="deadly.hea")
    rows = by_path(EmbedderOnCluster(connection, job).rows([*good[:3], deadly, *good[3:]]))
    status, reason, _ = rows.pop("deadly.hea")
    assert (status, reason) == (Status.ERROR, SkipReason.WORKER_DIED)
    assert rows == expected


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": "0.0.0"}, "a worker of the cluster has ecgscreen"),
        ({"bundle_sha256": "ab" * 32}, "on a worker of the cluster the bundle is another one"),
    ],
)
def test_a_worker_that_would_do_something_else_is_refused(
    connection: Connection, job: ClusterJob, changed: dict[str, str], message: str
) -> None:
    with pytest.raises(ClusterError, match=message) as caught:
        EmbedderOnCluster(connection, replace(job, **changed))  # type: ignore[arg-type] # all are str
    assert caught.value.advice


def test_what_is_sent_is_known_to_a_worker_of_another_version(job: ClusterJob) -> None:
    """Which says then that it is one, instead of that it does not know a name."""
    operations = pickletools.genops(pickle.dumps((describe, embed_chunk, job)))
    texts = {text for _, text, _ in operations if isinstance(text, str)}
    assert {text for text in texts if text.startswith("ecgscreen.")} == {"ecgscreen.cluster_worker"}
    assert {"describe", "embed_chunk", "ClusterJob"} < texts


def test_an_address_where_nobody_answers_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_connection, "SECONDS_TO_CONNECT", 0.5)
    with (
        pytest.raises(ClusterError, match="no cluster with a worker at tcp://127"),
        ExitStack() as s,
    ):
        s.enter_context(connected("tcp://127.0.0.1:9"))


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError) as caught, ExitStack() as stack:
        stack.enter_context(connected(LOCAL))
    assert caught.value.advice == "pip install 'ecgscreen[cluster]'"


def test_when_the_scheduler_dies_the_run_can_be_gone_on_with(
    bundle_dir: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_connection, "SECONDS_TO_CONNECT", 5)
    with ExitStack() as stack:
        file = tmp_path / "scheduler.json"
        scheduler = start(stack, "scheduler", "--port", "0", "--scheduler-file", str(file))
        start(stack, "worker", "--scheduler-file", str(file), "--nthreads", "1")
        latest = time.monotonic() + 60
        # Its end: the file is there before anything is in it.
        while not (file.exists() and file.read_text().rstrip().endswith("}")):
            assert time.monotonic() < latest
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        with distributed.Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
        out = tmp_path / "out"
        n_done = 0

        def kill_scheduler(_result: RecordResult) -> None:
            nonlocal n_done
            n_done += 1
            if n_done == 1:
                scheduler.kill()

        with pytest.raises(ClusterError, match="was lost") as caught:
            scan(options(bundle_dir, folder, out, address), Listener(done=kill_scheduler))
        assert caught.value.exit_code is ExitCode.FAILED
        assert 0 < n_done < N
    n_more = 0

    def count(_result: RecordResult) -> None:
        nonlocal n_more
        n_more += 1

    scan(options(bundle_dir, folder, out, None), Listener(done=count))
    assert n_more == N - n_done
    scan(options(bundle_dir, folder, tmp_path / "here", None))
    assert reports_of(out).csv == reports_of(tmp_path / "here").csv


def start(stack: ExitStack, what: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start what a site has running already, on loopback."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1"]
    process = stack.enter_context(
        subprocess.Popen(
            [*command, "--no-dashboard", *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )
    )
    stack.callback(process.kill)
    return process


def listening_addresses(pid: int) -> set[str]:
    """Where a process waits for others to connect (proc(5): /proc/net/tcp, state 0A)."""
    links = (file for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink())
    files = [str(link.readlink()) for link in links]
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {
        address.partition(":")[0]
        for _, address, _, state, *_, inode in (line[:10] for line in lines)
        if state == "0A" and f"socket:[{inode}]" in files
    }
