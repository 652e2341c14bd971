"""Processes that prepare recordings, or embed them too; none of them ends the run."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from ctypes import CDLL, c_int64
from itertools import islice
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

from ecgscreen.errors import EcgscreenError, WorkerError
from ecgscreen.found import Found
from ecgscreen.objects.ahead import fetch_ahead
from ecgscreen.packing import PackedRows, pack_rows, unpack_rows
from ecgscreen.preparation import PreparedRecord
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status, not_scored
from engines.processor import usable_cores

CHUNK = 32
"""Recordings that a worker is given at once."""
CHUNKS_AHEAD = 3
"""Chunks under way per worker: enough to keep it busy, few enough to bound the memory."""
WINDOWS_AT_ONCE = 256
"""Windows that a worker collects before it hands them over, 12 MB; a long recording has more."""
MOST_TRIES = 2
"""How often a recording is begun on which the worker dies each time."""

_MOST_WORKERS = 8
_SECONDS_TO_END = 0.5
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST_FROM_HEAP = 32 << 20
"""The largest that glibc takes for the second."""
# spawn: a fork would copy the threads' locks of a runtime that is already loaded.
_CONTEXT = get_context("spawn")

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


def most_workers() -> int:
    """One a core, and no more than the memory of a machine of many cores has room for."""
    return min(usable_cores(), _MOST_WORKERS)


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
    """

    def __init__(self, work: Work[Outcome], workers: int) -> None:
        keep_freed_memory()
        self._workers: list[_Worker] = []
        try:
            for _ in range(workers):
                self._workers.append(_Worker(work))
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


class _Progress(Protocol):
    """How many recordings a worker has begun, in memory that its parent sees; -1 at first."""

    value: int


class _Worker:
    """A process and the tasks that it has not answered; another process when it dies."""

    def __init__(self, work: Work[Any]) -> None:
        self._work = work
        self._tasks: deque[Task] = deque()
        self._tries: dict[str, int] = {}
        self._deaths_idle = 0
        self._n_answered = 0
        self._has_begun = False
        self.greetings: list[object] = []
        self._start()

    @property
    def n_tasks(self) -> int:
        return len(self._tasks)

    def give(self, chunk: list[Task]) -> None:
        """Hand over a chunk."""
        self._tasks.extend(chunk)
        self._send(chunk)

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
        self.connection.close()
        self._process.terminate()

    def join(self) -> None:
        """Wait until it has ended."""
        self._process.join(_SECONDS_TO_END)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(_SECONDS_TO_END)

    def _start(self) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self._has_begun = False
        self._begun: _Progress = _CONTEXT.RawValue(c_int64, -1)
        self._n_answered = 0
        self._process: SpawnProcess = _CONTEXT.Process(
            target=_serve, args=(theirs, self._begun, self._work), daemon=True
        )
        # It would be started with the first worker otherwise, and lets Ctrl-C through again.
        resource_tracker.ensure_running()
        # Ctrl-C reaches every process of a terminal. A worker that is started here inherits that
        # it is blocked: the parent ends the workers, and none of them prints a traceback.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # the worker's copy alone is left: when it dies, reading here ends

    def _send(self, tasks: list[Task]) -> None:
        # Of a worker that is gone `take` learns, and sends the tasks to the next one.
        with suppress(ConnectionError):
            self.connection.send(tasks)

    def _replace(self) -> None:
        """Start another process, and judge the recording on which the last one died."""
        self.stop()
        self.join()
        cause = _cause(self._process.exitcode)
        last = self._begun.value - self._n_answered - 1
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
            self._send(list(self._tasks))


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code}"
    return f"exit code {exit_code}"


def _chunks(found: Iterable[Found]) -> Iterator[list[Task]]:
    stream = iter(found)
    while chunk := list[Task](islice(stream, CHUNK)):
        yield chunk


def _serve(connection: Connection, begun: _Progress, work: Work[Any]) -> None:
    """Be a worker: answer chunks until the parent is gone."""
    chunks: SimpleQueue[list[Task]] = SimpleQueue()
    Thread(target=_receive, args=(connection, chunks), daemon=True, name="receive").start()
    keep_freed_memory()
    try:
        connection.send(work.begin())
        gc.freeze()  # what is there by now stays: no use in looking through it again and again
        begun.value = 0
        while True:
            for outcomes in _in_parts(work.outcomes(_at_hand(chunks, begun))):
                # The other thread ends the process when the parent is gone, but may learn it later.
                with suppress(ConnectionError):
                    connection.send(outcomes)
    except EcgscreenError as error:
        connection.send(error)


def _at_hand(chunks: SimpleQueue[list[Task]], begun: _Progress) -> Iterator[Task]:
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
            chunk = connection.recv()
        except (EOFError, OSError):
            os._exit(1)
        for task in chunk:
            fetch_ahead(task)
        chunks.put(chunk)
