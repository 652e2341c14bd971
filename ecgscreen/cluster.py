"""Scoring on a Dask cluster: chunks of recordings as tasks, their rows back into the same store.

Reading, preparing and embedding are those of a scan on one machine; the scan itself stays the one
process that walks the folders, keeps the store and writes the reports. A worker that dies costs
the chunks that it had, which the scheduler gives to another one. A chunk that a worker died of as
often as the scheduler allows is done again, a recording at a time and nothing beside it: the
recording that it dies of again is the culprit, and becomes a row that says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from ecgscreen.cluster_connection import Connection, Crew, noticing_loss
from ecgscreen.cluster_worker import ClusterJob, describe, embed_chunk
from ecgscreen.errors import ClusterError
from ecgscreen.found import Found
from ecgscreen.packing import pack_found, unpack_rows
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status, not_scored
from engines.base import EngineInfo

if TYPE_CHECKING:
    from distributed import Client, Future

CHUNK_RECORDS = 128
"""Recordings of a task: a third of a second of work, against a millisecond that a task costs."""
CHUNKS_AHEAD = 3
"""Tasks under way a worker: one is done while the next ones wait, and memory stays bounded."""
TRIES_TO_LOAD = 3
"""How often the engine is to be loaded where workers die of it, or of something else meanwhile."""

_Chunk = list[Found]


class EmbedderOnCluster:
    """Does it on a cluster; see `ecgscreen.embedding.Embedder`.

    Parameters
    ----------
    connection
        Of `ecgscreen.cluster_connection.connected`.
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
        self.info: EngineInfo = _describe(connection, job)
        self._job = replace(job, precision=self.info.precision)

    def rows(self, found: Iterable[Found]) -> Generator[RecordResult, None, None]:
        """Yield rows, in no particular order; see `ecgscreen.embedding.Embedder`."""
        return embed_on_cluster(found, self._connection, self._job)


def _describe(connection: Connection, job: ClusterJob) -> EngineInfo:
    """Have a worker load the engine and say what it is."""
    from distributed import KilledWorker

    crew = Crew(connection)
    # Whoever was started here loads the engine meanwhile.
    n_asked = 1 if connection.workers is None else len(connection.workers.pids)
    killed: KilledWorker | None = None
    for _ in range(TRIES_TO_LOAD):
        with noticing_loss():
            answers = [connection.client.submit(describe, job, pure=False) for _ in range(n_asked)]
        try:
            info: EngineInfo = crew.result(answers[0])
        except KilledWorker as error:
            killed = error
            continue
        return info
    raise ClusterError(
        f"workers of the cluster died while they loaded the engine {job.engine}",
        "If memory ran out, take fewer workers; else try another --engine or --precision.",
    ) from killed


def embed_on_cluster(
    found: Iterable[Found], connection: Connection, job: ClusterJob
) -> Generator[RecordResult, None, None]:
    """Turn a stream of recordings into rows, in no particular order.

    Parameters
    ----------
    found
        The stream; never held as a whole. Its paths are sent as absolute ones.
    connection
        Of `ecgscreen.cluster_connection.connected`.
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
    crew = Crew(connection)
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
                yield from unpack_rows(results)
        for chunk in suspects:
            yield from _one_by_one(chunk, client, job, crew)
    finally:
        with suppress(ClusterError), noticing_loss():  # else nobody is there to give anything up
            client.cancel(list(under_way), force=True)


def _one_by_one(
    chunk: _Chunk, client: Client, job: ClusterJob, crew: Crew
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
        yield from unpack_rows(results)


def _submit(client: Client, job: ClusterJob, chunk: _Chunk) -> Future:
    with noticing_loss():
        return client.submit(embed_chunk, job, pack_found(chunk), pure=False)


def _chunks(found: Iterable[Found]) -> Iterator[_Chunk]:
    stream = map(_absolute, found)
    while chunk := list(islice(stream, CHUNK_RECORDS)):
        yield chunk


def _absolute(found: Found) -> Found:
    return replace(found, path=found.path.absolute(), root=found.root.absolute())
