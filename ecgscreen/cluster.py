"""Scoring on a Dask cluster: chunks of recordings as tasks, their rows back into the same store.

Reading, preparing and embedding are those of a scan on one machine; the scan itself stays the one
process that walks the folders, keeps the store and writes the reports. A worker that dies costs
the chunks that it had, which the scheduler gives to another one. A chunk that a worker died of as
often as the scheduler allows is done again, a recording at a time and nothing beside it: the
recording that it dies of again is the culprit, and becomes a row that says so.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from ecgscreen.cluster_local import LocalWorkers, local_cluster
from ecgscreen.cluster_worker import ClusterJob, describe, embed_chunk
from ecgscreen.discover import Found
from ecgscreen.errors import ClusterError, MissingExtraError
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status, not_scored
from engines.base import EngineInfo
from engines.processor import usable_cores

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL = "local"
"""The address that means: a cluster of processes on this machine, for as long as the scan."""
CHUNK_RECORDS = 256
"""Recordings of a task: a second of work, against some milliseconds that a task costs."""
CHUNKS_AHEAD = 2
"""Tasks under way a worker: one is done while the next waits, and memory stays bounded."""
SECONDS_TO_CONNECT = 30
"""In which the scheduler has to answer, and the first worker to be there."""
SECONDS_BETWEEN_COUNTS = 1.0
"""After which the workers are counted again: they may come and go during a scan."""
SECONDS_WITHOUT_WORKERS = 180.0
"""After which a cluster whose workers are all gone is given up."""
LOCAL_DEATHS = 1
"""How many deaths of a worker a task of a local cluster outlives, as everywhere in ecgscreen."""

_Chunk = list[Found]


@dataclass(frozen=True)
class Connection:
    """To a cluster.

    Attributes
    ----------
    client
        Dask's.
    workers
        Those that were started here, None where the site has its own.
    """

    client: Client
    workers: LocalWorkers | None = None


@contextmanager
def connected(address: str) -> Iterator[Connection]:
    """Connect to a cluster, or start one.

    Parameters
    ----------
    address
        Of the scheduler (``tcp://host:8786``, ``tls://...``), or `LOCAL`.

    Yields
    ------
    The connection; when it ends, what is under way is given up, and a cluster that was started
    here ends.

    Raises
    ------
    MissingExtraError
        If distributed is not installed.
    ClusterError
        If nobody answers, or there is no worker.
    """
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            "--cluster needs the package distributed", "pip install 'ecgscreen[cluster]'"
        ) from error
    import dask

    # What the connection tells of workers that come and go is no news for the terminal.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        stack.enter_context(
            dask.config.set({"distributed.scheduler.allowed-failures": LOCAL_DEATHS})
        )
        at: Any = address
        workers = None
        try:
            if address == LOCAL:
                # Of processes: a thread would wait for the others at every line of Python.
                at, workers = stack.enter_context(local_cluster(usable_cores()))
            client = stack.enter_context(
                distributed.Client(at, timeout=SECONDS_TO_CONNECT, set_as_default=False)
            )
            client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
        except (OSError, ValueError, RuntimeError) as error:
            raise ClusterError(
                f"no cluster with a worker at {address}: {error}",
                "Start one (dask scheduler, dask worker), or take --cluster local.",
            ) from error
        yield Connection(client, workers)


class EmbedderOnCluster:
    """Does it on a cluster; see `ecgscreen.embedding.Embedder`.

    Parameters
    ----------
    connection
        Of `connected`.
    job
        The model and how it runs. A precision of ``auto`` is settled by the first worker that
        answers, for all: rows of one run must not depend on which machine made them.

    Attributes
    ----------
    info
        The engine of that worker.

    Raises
    ------
    ClusterError
        If the worker is not fit for the job, or the connection is lost.
    EngineError, BundleError
        As `ecgscreen.cluster_worker.describe`.
    """

    def __init__(self, connection: Connection, job: ClusterJob) -> None:
        self._connection = connection
        with _connection():
            answer = connection.client.submit(describe, job, pure=False)
        self.info: EngineInfo = _Crew(connection).result(answer)
        self._job = replace(job, precision=self.info.precision)

    def rows(self, found: Iterable[Found]) -> Generator[RecordResult, None, None]:
        """Yield rows, in no particular order; see `ecgscreen.embedding.Embedder`."""
        return embed_on_cluster(found, self._connection, self._job)


def embed_on_cluster(
    found: Iterable[Found], connection: Connection, job: ClusterJob
) -> Generator[RecordResult, None, None]:
    """Turn a stream of recordings into rows, in no particular order.

    Parameters
    ----------
    found
        The stream; never held as a whole. Its paths are sent as absolute ones.
    connection
        Of `connected`.
    job
        The model and how it runs.

    Raises
    ------
    ClusterError
        If the connection to the scheduler is lost, or a worker is not fit for the job.
    EngineError
        If an engine fails.
    """
    from distributed import KilledWorker

    client = connection.client
    chunks = _chunks(found)
    under_way: dict[Future, _Chunk] = {}
    suspects: list[_Chunk] = []
    crew = _Crew(connection)
    try:
        while True:
            ahead = max(0, CHUNKS_AHEAD * crew.count() - len(under_way))
            for chunk in islice(chunks, ahead):
                under_way[_submit(client, job, chunk)] = chunk
            if not under_way:
                break
            for future in crew.wait(under_way):
                chunk = under_way.pop(future)
                try:
                    results = crew.result(future)
                except KilledWorker:
                    suspects.append(chunk)
                    continue
                yield from results
        for chunk in suspects:
            yield from _one_by_one(chunk, client, job, crew)
    finally:
        with suppress(ClusterError), _connection():  # else nobody is there to give anything up
            client.cancel(list(under_way), force=True)


def _one_by_one(
    chunk: _Chunk, client: Client, job: ClusterJob, crew: _Crew
) -> Iterator[RecordResult]:
    """Do a chunk again, with nothing else under way: who kills a worker now did it."""
    from distributed import KilledWorker

    waiting = deque(chunk)
    while waiting:
        one = waiting.popleft()
        try:
            results = crew.result(_submit(client, job, [one]))
        except KilledWorker as error:
            died = not_scored(
                one.name,
                Status.ERROR,
                SkipReason.WORKER_DIED,
                f"in a worker of the cluster, {error.allowed_failures + 1} times",
            )
            yield replace(died, files=one.files)
            continue
        yield from results


class _Crew:
    """The workers of a cluster: how many there are, and what they have done.

    Parameters
    ----------
    connection
        Of `connected`.
    """

    def __init__(self, connection: Connection) -> None:
        self._client, self._workers = connection.client, connection.workers
        self._count = 0
        self._counted = -math.inf
        self._seen = time.monotonic()

    def count(self) -> int:
        """Return how many there are, or were a moment ago; at least 1."""
        if time.monotonic() - self._counted > SECONDS_BETWEEN_COUNTS:
            self._look_after()
        return max(1, self._count)

    def wait(self, futures: Iterable[Future]) -> set[Future]:
        """Wait until one of some tasks is done; return all that are.

        Raises
        ------
        ClusterError
            If the scheduler is gone, or all workers are, and none has come back in time.
        """
        from distributed import wait

        self._seen = time.monotonic()
        tasks = list(futures)
        while True:
            with _connection(), self._client.as_current(), suppress(TimeoutError):
                waited = wait(tasks, timeout=SECONDS_BETWEEN_COUNTS, return_when="FIRST_COMPLETED")
                done: set[Future] = waited.done
                return done
            self._look_after()

    def result(self, future: Future) -> Any:  # whatever the task returns
        """Wait for what a task gives; what it raises ends the scan, as a sentence.

        Also of a task that is done: its result may be lost with the worker that has it, and is
        computed again.
        """
        self._seen = time.monotonic()
        while True:
            try:
                with _connection(), suppress(TimeoutError):
                    return future.result(timeout=SECONDS_BETWEEN_COUNTS)
            except (ImportError, AttributeError) as error:
                raise ClusterError(
                    f"a worker of the cluster cannot run ecgscreen: {error}",
                    "Install the same version of ecgscreen there.",
                ) from error
            self._look_after()

    def _look_after(self) -> None:
        if self._workers is not None:
            self._workers.revive()
        with _connection():
            self._count = len(self._client.nthreads())
        self._counted = time.monotonic()
        if self._count:
            self._seen = self._counted
        elif self._counted - self._seen > SECONDS_WITHOUT_WORKERS:
            raise ClusterError(
                f"the cluster has had no worker for {SECONDS_WITHOUT_WORKERS:.0f} s",
                "Start workers, then the same command: it goes on from what is stored.",
            )


def _submit(client: Client, job: ClusterJob, chunk: _Chunk) -> Future:
    with _connection():
        return client.submit(embed_chunk, job, chunk, pure=False)


@contextmanager
def _connection() -> Iterator[None]:
    """Turn a scheduler that is gone into a sentence."""
    from distributed.client import ClosedClientError

    try:
        yield
    except (CancelledError, ClosedClientError, OSError) as error:
        raise ClusterError(
            "the connection to the scheduler of the cluster was lost",
            "Start the cluster again, then the same command: it goes on from what is stored.",
        ) from error


def _chunks(found: Iterable[Found]) -> Iterator[_Chunk]:
    stream = map(_absolute, found)
    while chunk := list(islice(stream, CHUNK_RECORDS)):
        yield chunk


def _absolute(found: Found) -> Found:
    return replace(found, path=found.path.absolute(), root=found.root.absolute())
