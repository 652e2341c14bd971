"""Processes that prepare recordings, or embed them too; none of them ends the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Self, TypeVar

from ecgscreen.errors import EcgscreenError, WorkerError
from ecgscreen.found import Found
from ecgscreen.helper_process import HelperProcess
from ecgscreen.packing import PackedFound, PackedRows, pack_found, unpack_rows
from ecgscreen.recording import SkipReason
from ecgscreen.results import Status, not_scored
from ecgscreen.serving import CHUNK, Task, Work, keep_freed_memory
from ecgscreen.worker_process import WorkerProcess, end_all, is_only_thread

CHUNKS_AHEAD = 6
"""Chunks under way per worker: three of them are in its engine, and the next ones must be there
before it asks; few enough to bound the memory."""
MOST_TRIES = 2
"""How often a recording is begun on which the worker dies each time."""

Outcome = TypeVar("Outcome")


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
    copies
        Make them copies of this process where that can be (see `WorkerProcess`): only while it
        holds nothing, a lock on a screening for one, that is to end with it.
    """

    def __init__(self, work: Work[Outcome], workers: int, *, copies: bool = False) -> None:
        keep_freed_memory()
        self._workers: list[_Worker] = []
        copies = copies and is_only_thread()
        try:
            for _ in range(workers):
                beside = [worker.process for worker in self._workers] if copies else None
                self._workers.append(_Worker(work, beside))
        except BaseException:  # one of them cannot start
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.end()

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

    def last_one(self) -> HelperProcess | None:
        """End all processes but one, for other work than tasks; `outcomes` has ended before.

        None is left where none has begun: it may still be loading what nobody asks for any more.
        """
        able = [worker for worker in self._workers if worker.has_begun and not worker.n_tasks][:1]
        left, self._workers = able, [worker for worker in self._workers if worker not in able]
        self.end()
        self._workers = left
        return HelperProcess(left[0].process) if left else None

    def end(self) -> None:
        """End all processes, whatever they are doing."""
        end_all([worker.process for worker in self._workers])
        self._workers = []


class _Worker:
    """A process and the tasks that it has not answered; another process when it dies."""

    def __init__(
        self, work: Work[Any], copied_beside: Sequence[WorkerProcess] | None = None
    ) -> None:
        self._work = work
        self._tasks: deque[Task] = deque()
        self._tries: dict[str, int] = {}
        self._deaths_idle = 0
        self._n_answered = 0
        self.has_begun = False
        self.greetings: list[object] = []
        self._start(copied_beside)

    @property
    def n_tasks(self) -> int:
        return len(self._tasks)

    @property
    def connection(self) -> Connection:
        return self.process.connection

    def give(self, chunk: list[Task]) -> None:
        """Hand over a chunk."""
        self._tasks.extend(chunk)
        self._send(pack_found(chunk))

    def take(self) -> list[Any]:
        """Wait for the next message: outcomes, or nothing if it has only begun, or died."""
        try:
            message = self.process.receive()
        except EOFError:
            self._replace()
            return []
        if isinstance(message, EcgscreenError):
            raise message
        if not self.has_begun:
            self.has_begun = True
            self.greetings.append(message)
            return []
        outcomes = list(unpack_rows(message)) if isinstance(message, PackedRows) else message
        self._deaths_idle = 0
        self._n_answered += len(outcomes)
        for _ in outcomes:
            self._tasks.popleft()
        return list(outcomes)

    def _start(self, copied_beside: Sequence[WorkerProcess] | None = None) -> None:
        self.process = WorkerProcess(copied_beside)
        self.has_begun = False
        self._n_answered = 0
        self._send(self._work)

    def _send(self, message: Work[Any] | PackedFound) -> None:
        # Of a worker that is gone `take` learns, and sends the tasks to the next one.
        with suppress(ConnectionError):
            self.connection.send(message)

    def _replace(self) -> None:
        """Start another process, and judge the recording on which the last one died."""
        end_all([self.process])
        cause = _cause(self.process.exit_code)
        last = self.process.begun.value - self._n_answered - 1
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
