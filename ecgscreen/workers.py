"""Processes that prepare recordings, or embed them too; none of them ends the run."""

from __future__ import annotations

import gc
import os
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from ctypes import CDLL
from itertools import islice
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

from ecgscreen.errors import EcgscreenError, WorkerError
from ecgscreen.found import Found
from ecgscreen.objects.ahead import fetch_ahead
from ecgscreen.packing import (
    PackedFound,
    PackedRows,
    pack_found,
    pack_rows,
    unpack_found,
    unpack_rows,
)
from ecgscreen.preparation import PreparedRecord
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.worker_process import Progress, StartedWorkers, WorkerProcess

CHUNK = 32
"""Recordings that a worker is given at once."""
CHUNKS_AHEAD = 3
"""Chunks under way per worker: enough to keep it busy, few enough to bound the memory."""
WINDOWS_AT_ONCE = 256
"""Windows that a worker collects before it hands them over, 12 MB; a long recording has more."""
MOST_TRIES = 2
"""How often a recording is begun on which the worker dies each time."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST_FROM_HEAP = 32 << 20
"""The largest that glibc takes for the second."""

Task: TypeAlias = Found | RecordResult
"""What is to be done, or what became of it already."""

Outcome = TypeVar("Outcome")
Outcome_co = TypeVar("Outcome_co", covariant=True)


class Work(Protocol[Outcome_co]):
    """What workers do; it is sent to each of them when it starts."""

    def begin(self) -> object:
        """Load what it takes; what this returns is `Crew.greeting`."""
        ...

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[Outcome_co]:
        """Yield an outcome a task, in their order; a finished row is its own outcome."""
        ...


class Crew(Generic[Outcome]):
    """Processes that do the same work; a context manager, at whose end they are ended.

    A worker may die: killed where memory runs out, or crashed by a file. Another takes its
    place, and the recording that it had begun is tried once more; if that kills a worker again,
    it becomes a row that says so.

    Parameters
    ----------
    work
        What each of them does.
    workers
        How many there are.
    started
        Processes that were started ahead, and are made use of.
    """

    def __init__(
        self, work: Work[Outcome], workers: int, started: StartedWorkers | None = None
    ) -> None:
        keep_freed_memory()
        self._workers: list[_Worker] = []
        try:
            for _ in range(workers):
                self._workers.append(_Worker(work, started.take() if started else None))
        except BaseException:  # one of them cannot start
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.join()

    @property
    def greeting(self) -> Any:  # whatever it is
        """What `Work.begin` gives, as soon as a worker has begun.

        Raises
        ------
        EcgscreenError
            As `outcomes`.
        """
        first = self._workers[0]
        while not first.greetings:
            first.take()
        return first.greetings[0]

    def outcomes(self, found: Iterable[Found]) -> Generator[Outcome, None, None]:
        """Yield what becomes of a stream of recordings, in any order.

        Parameters
        ----------
        found
            The stream; never held as a whole.

        Raises
        ------
        EcgscreenError
            What the work raises.
        WorkerError
            If workers end before they have begun with anything.
        """
        chunks = _chunks(found)
        while True:
            for worker in self._workers:
                while worker.n_tasks <= CHUNK * (CHUNKS_AHEAD - 1) and (chunk := next(chunks, [])):
                    worker.give(chunk)
            busy = [worker for worker in self._workers if worker.n_tasks]
            if not busy:
                return
            ready = wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection in ready:
                    yield from worker.take()


class _Worker:
    """A process and the tasks that it has not answered; another process when it dies."""

    def __init__(self, work: Work[Any], process: WorkerProcess | None = None) -> None:
        self._work = work
        self._tasks: deque[Task] = deque()
        self._tries: dict[str, int] = {}
        self._deaths_idle = 0
        self._n_answered = 0
        self._has_begun = False
        self.greetings: list[object] = []
        self._start(process)

    @property
    def n_tasks(self) -> int:
        return len(self._tasks)

    @property
    def connection(self) -> Connection:
        return self._process.connection

    def give(self, chunk: list[Task]) -> None:
        """Hand over a chunk."""
        self._tasks.extend(chunk)
        self._send(pack_found(chunk))

    def take(self) -> list[Any]:
        """Wait for the next message: outcomes, or nothing if it has only begun, or died."""
        try:
            message: Any = self.connection.recv()
        except (EOFError, ConnectionError):
            self._replace()
            return []
        if isinstance(message, EcgscreenError):
            raise message
        if not self._has_begun:
            self._has_begun = True
            self.greetings.append(message)
            return []
        outcomes = list(unpack_rows(message)) if isinstance(message, PackedRows) else message
        self._deaths_idle = 0
        self._n_answered += len(outcomes)
        for _ in outcomes:
            self._tasks.popleft()
        return list(outcomes)

    def stop(self) -> None:
        """Tell the process to end, whatever it is doing."""
        self._process.stop()

    def join(self) -> None:
        """Wait until it has ended."""
        self._process.join()

    def _start(self, process: WorkerProcess | None = None) -> None:
        self._process = process or WorkerProcess()
        self._has_begun = False
        self._n_answered = 0
        self._send(self._work)

    def _send(self, message: Work[Any] | PackedFound) -> None:
        # Of a worker that is gone `take` learns, and sends the tasks to the next one.
        with suppress(ConnectionError):
            self.connection.send(message)

    def _replace(self) -> None:
        """Start another process, and judge the recording on which the last one died."""
        self.stop()
        self.join()
        cause = _cause(self._process.exit_code)
        last = self._process.begun.value - self._n_answered - 1
        if last < 0:
            self._deaths_idle += 1
            if self._deaths_idle == MOST_TRIES:
                raise WorkerError(
                    f"a process that reads recordings was killed, or could not start ({cause})",
                    "If memory ran out, give less --workers, or 0.",
                )
        elif isinstance(task := self._tasks[last], Found):
            tries = self._tries[task.name] = self._tries.get(task.name, 0) + 1
            if tries == MOST_TRIES:
                self._tasks[last] = not_scored(
                    task.name,
                    Status.ERROR,
                    SkipReason.WORKER_DIED,
                    f"{cause}, {tries} times",
                    task.files,
                )
        self._start()
        if self._tasks:
            self._send(pack_found(self._tasks))


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code}"
    return f"exit code {exit_code}"


def _chunks(found: Iterable[Found]) -> Iterator[list[Task]]:
    stream = iter(found)
    while chunk := list[Task](islice(stream, CHUNK)):
        yield chunk


def serve(connection: Connection, begun: Progress) -> None:
    """Be a worker, in a process of its own: take the work, answer chunks until the parent is gone.

    Parameters
    ----------
    connection
        See `WorkerProcess`.
    begun
        Counts the tasks; 0 as soon as the work has begun.
    """
    try:
        work: Work[Any] = connection.recv()
    except (EOFError, OSError):  # the parent has found that there is nothing to do, or is gone
        return
    chunks: SimpleQueue[list[Task]] = SimpleQueue()
    Thread(target=_receive, args=(connection, chunks), daemon=True, name="receive").start()
    keep_freed_memory()
    try:
        connection.send(work.begin())
        gc.freeze()  # what is there by now stays: no use in looking through it again and again
        gc.enable()
        begun.value = 0
        while True:
            for outcomes in _in_parts(work.outcomes(_at_hand(chunks, begun))):
                # The other thread ends the process when the parent is gone, but may learn it later.
                with suppress(ConnectionError):
                    connection.send(outcomes)
    except EcgscreenError as error:
        connection.send(error)


def _at_hand(chunks: SimpleQueue[list[Task]], begun: Progress) -> Iterator[Task]:
    """Wait for a chunk, and yield tasks as long as there are more.

    Its end makes what has been begun finished: recordings that wait for others to be embedded with
    must not wait for a parent that waits for them.
    """
    while True:
        for task in chunks.get():
            begun.value += 1
            yield task
        if chunks.empty():
            return


def _in_parts(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome] | PackedRows]:
    """Collect outcomes into as few messages as keep the parent busy and the memory bounded."""
    part: list[Outcome] = []
    n_windows = 0
    for outcome in outcomes:
        part.append(outcome)
        if isinstance(outcome, PreparedRecord):
            n_windows += len(outcome.prepared.windows)
        if len(part) == CHUNK or n_windows >= WINDOWS_AT_ONCE:
            yield _packed(part)
            part, n_windows = [], 0
    if part:
        yield _packed(part)


def _packed(part: list[Outcome]) -> list[Outcome] | PackedRows:
    rows = [outcome for outcome in part if isinstance(outcome, RecordResult)]
    return pack_rows(rows) if len(rows) == len(part) else part


def keep_freed_memory() -> None:
    """Have memory that is freed at hand for the next array.

    By default the C library gives blocks from 128 KiB on back to the system, which then clears
    every page of the next one, and so it does in workers of a cluster whose nanny says so
    (MALLOC_TRIM_THRESHOLD_): a tenth of all processor time. glibc alone can be told (mallopt(3)).
    """
    mallopt = getattr(CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MOST_FROM_HEAP)
        mallopt(_M_TRIM_THRESHOLD, 2 * _MOST_FROM_HEAP)


def _receive(connection: Connection, chunks: SimpleQueue[list[Task]]) -> None:
    """Take chunks while earlier ones are worked on, and end the process when the parent is gone.

    The parent may have been killed, and must never wait for a worker that waits for it.
    """
    while True:
        try:
            chunk = unpack_found(connection.recv())
        except (EOFError, OSError):
            os._exit(1)
        for task in chunk:
            fetch_ahead(task)
        chunks.put(chunk)
