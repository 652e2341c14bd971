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
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

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
SECONDS_BETWEEN_COUNTS = 10.0
"""After which the workers are counted again: they may come and go during a scan."""
LOCAL_DEATHS = 1
"""How many deaths of a worker a task of a local cluster outlives, as everywhere in ecgscreen."""

_Chunk = list[Found]


@contextmanager
def connected(address: str) -> Iterator[Client]:
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
        try:
            if address == LOCAL:
                # Of processes: a thread would wait for the others at every line of Python.
                address = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=usable_cores(),
                        threads_per_worker=1,
                        memory_limit=0,
                        dashboard_address=None,
                        silence_logs=logging.CRITICAL,
                    )
                ).scheduler_address
            client = stack.enter_context(
                distributed.Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
            )
            client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
        except (OSError, ValueError, RuntimeError) as error:
            raise ClusterError(
                f"no cluster with a worker at {address}: {error}",
                "Start one (dask scheduler, dask worker), or take --cluster local.",
            ) from error
        yield client


class EmbedderOnCluster:
    """Does it on a cluster; see `ecgscreen.embedding.Embedder`.

    Parameters
    ----------
    client
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

    def __init__(self, client: Client, job: ClusterJob) -> None:
        self._client = client
        self.info: EngineInfo = _result(client.submit(describe, job, pure=False))
        self._job = replace(job, precision=self.info.precision)

    def rows(self, found: Iterable[Found]) -> Generator[RecordResult, None, None]:
        """Yield rows, in no particular order; see `ecgscreen.embedding.Embedder`."""
        return embed_on_cluster(found, self._client, self._job)


def embed_on_cluster(
    found: Iterable[Found], client: Client, job: ClusterJob
) -> Generator[RecordResult, None, None]:
    """Turn a stream of recordings into rows, in no particular order.

    Parameters
    ----------
    found
        The stream; never held as a whole. Its paths are sent as absolute ones.
    client
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
    from distributed import KilledWorker, as_completed

    chunks = _chunks(found)
    under_way: dict[Future, _Chunk] = {}
    suspects: list[_Chunk] = []
    most, counted = 0, -math.inf

    def submit() -> Iterator[Future]:
        nonlocal most, counted
        if time.monotonic() - counted > SECONDS_BETWEEN_COUNTS:
            with _connection():
                most = CHUNKS_AHEAD * max(1, len(client.nthreads()))
            counted = time.monotonic()
        for chunk in islice(chunks, max(0, most - len(under_way))):
            with _connection():
                future = client.submit(embed_chunk, job, chunk, pure=False)
            under_way[future] = chunk
            yield future

    completed = as_completed(list(submit()), loop=client.loop)
    try:
        for future in completed:
            chunk = under_way.pop(future)
            completed.update(list(submit()))
            try:
                results = _result(future)
            except KilledWorker:
                suspects.append(chunk)
                continue
            yield from results
        for chunk in suspects:
            yield from _one_by_one(chunk, client, job)
    finally:
        with suppress(ClusterError), _connection():  # else nobody is there to give anything up
            client.cancel(list(under_way), force=True)


def _one_by_one(chunk: _Chunk, client: Client, job: ClusterJob) -> Iterator[RecordResult]:
    """Do a chunk again, with nothing else under way: who kills a worker now did it."""
    from distributed import KilledWorker

    waiting = deque(chunk)
    while waiting:
        one = waiting.popleft()
        try:
            results = _result(client.submit(embed_chunk, job, [one], pure=False))
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


def _result(future: Future) -> Any:
    """Return what a task gave; what ended it ends the scan, as a sentence."""
    with _connection():
        try:
            return future.result()
        except (ImportError, AttributeError) as error:
            raise ClusterError(
                f"a worker of the cluster cannot run ecgscreen: {error}",
                "Install the same version of ecgscreen there.",
            ) from error


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
