"""Recordings become prepared ones, here or in several processes; none of them ends the run."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from ctypes import c_int64
from itertools import chain, cycle, islice
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, TypeAlias

import numpy as np

from ecgscreen.discover import Found
from ecgscreen.errors import WorkerError
from ecgscreen.long_recording import LongRecording
from ecgscreen.objects.ahead import fetch_ahead, fetching_ahead
from ecgscreen.preparation import PreparedRecord, prepare_recordings
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status, not_scored
from engines.processor import usable_cores

FEW = 512
"""Fewer recordings than this are read sooner than a worker has started."""
CHUNK = 32
"""Recordings that a worker is given at once."""
CHUNKS_AHEAD = 2
"""Chunks under way per worker: enough to keep it busy, few enough to bound the memory."""
WINDOWS_AT_ONCE = 256
"""Windows that a worker collects before it hands them over, 12 MB; a long recording has more."""
MOST_TRIES = 2
"""How often a recording is begun on which the worker dies each time."""

_MOST_WORKERS = 8
_SECONDS_TO_END = 0.5
_BLOCK_FREED = 24 << 20
# spawn: a fork would copy the threads' locks of a runtime that is already loaded.
_CONTEXT = get_context("spawn")

_Outcome: TypeAlias = PreparedRecord | LongRecording | RecordResult
_Task: TypeAlias = Found | RecordResult
"""What is to be prepared, or what became of it already."""


def prepare_all(
    found: Iterable[Found], config: PreprocessConfig, workers: int | None = None
) -> Generator[PreparedRecord | LongRecording | RecordResult, None, None]:
    """Prepare a stream of recordings, in its order; closing it ends the workers.

    A worker may die: killed where memory runs out, or crashed by a file. Another takes its
    place, and the recording that it had begun is tried once more; if that kills a worker again,
    it becomes a row that says so.

    Parameters
    ----------
    found
        The stream; never held as a whole.
    config
        From the bundle.
    workers
        Processes that prepare; 0 does it in this one. None takes half as many as there are
        cores, and none for less than `FEW` recordings.

    Raises
    ------
    WorkerError
        If workers end before they have begun with anything.
    """
    if workers is None:
        stream = iter(found)
        first = list(islice(stream, FEW))
        found = chain(first, stream)
        workers = default_workers() if len(first) == FEW else 0
    if workers == 0:
        yield from prepare_recordings(fetching_ahead(found), config)
    else:
        yield from _prepare_elsewhere(found, config, workers)


def default_workers() -> int:
    """Half as many as there are cores: the engine wants the others, and takes all that is idle."""
    return min(max(1, usable_cores() // 2), _MOST_WORKERS)


def _prepare_elsewhere(
    found: Iterable[Found], config: PreprocessConfig, workers: int
) -> Generator[_Outcome, None, None]:
    keep_freed_memory()
    chunks = _chunks(found)
    crew: list[_Worker] = []
    try:
        for _ in range(workers):
            crew.append(_Worker(config))  # noqa: PERF401 - if one cannot start, the others are ended
        for worker in crew * CHUNKS_AHEAD:
            worker.give(next(chunks, None))
        # Chunks are dealt in turns, hence they are in order when they are asked for in turns.
        for worker in cycle(crew):
            if not worker.has_work:
                return
            yield from worker.take()
            worker.give(next(chunks, None))
    finally:
        for worker in crew:
            worker.stop()
        for worker in crew:
            worker.join()


class _Progress(Protocol):
    """How many recordings a worker has begun, in memory that its parent sees; -1 at first."""

    value: int


class _Worker:
    """A process and the chunks that it has not answered; another process when it dies."""

    def __init__(self, config: PreprocessConfig) -> None:
        self._config = config
        self._chunks: deque[deque[_Task]] = deque()
        self._tries: dict[str, int] = {}
        self._deaths_idle = 0
        self._start()

    @property
    def has_work(self) -> bool:
        return bool(self._chunks)

    def give(self, chunk: deque[_Task] | None) -> None:
        """Hand over a chunk, if there is one."""
        if chunk is not None:
            self._chunks.append(chunk)
            self._send(chunk)

    def take(self) -> Iterator[_Outcome]:
        """Yield the oldest chunk's outcomes as they come."""
        chunk = self._chunks[0]
        while chunk:
            try:
                outcomes: list[_Outcome] = self._connection.recv()
            except (EOFError, ConnectionError):
                self._replace()
                continue
            self._n_answered += len(outcomes)
            self._deaths_idle = 0
            for _ in outcomes:
                chunk.popleft()
            yield from outcomes
        self._chunks.popleft()
        self._tries.clear()

    def stop(self) -> None:
        """Tell the process to end, whatever it is doing."""
        self._connection.close()
        self._process.terminate()

    def join(self) -> None:
        """Wait until it has ended."""
        self._process.join(_SECONDS_TO_END)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(_SECONDS_TO_END)

    def _start(self) -> None:
        self._connection, theirs = _CONTEXT.Pipe()
        self._begun: _Progress = _CONTEXT.RawValue(c_int64, -1)
        self._n_answered = 0
        self._process: SpawnProcess = _CONTEXT.Process(
            target=_serve, args=(theirs, self._begun, self._config), daemon=True
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

    def _send(self, chunk: deque[_Task]) -> None:
        # Of a worker that is gone `take` learns, and sends the chunk to the next one.
        with suppress(ConnectionError):
            self._connection.send(list(chunk))

    def _replace(self) -> None:
        """Start another process, and judge the recording on which the last one died."""
        self.stop()
        self.join()
        cause = _cause(self._process.exitcode)
        chunk = self._chunks[0]
        last = self._begun.value - self._n_answered - 1
        if last < 0:
            self._deaths_idle += 1
            if self._deaths_idle == MOST_TRIES:
                raise WorkerError(
                    f"a process that reads recordings was killed, or could not start ({cause})",
                    "If memory ran out, give less --workers, or 0.",
                )
        elif isinstance(task := chunk[last], Found):
            tries = self._tries[task.name] = self._tries.get(task.name, 0) + 1
            if tries == MOST_TRIES:
                chunk[last] = not_scored(
                    task.name,
                    Status.ERROR,
                    SkipReason.WORKER_DIED,
                    f"{cause}, {tries} times",
                    task.files,
                )
        self._start()
        for each in self._chunks:
            self._send(each)


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"signal {-exit_code}"
    return f"exit code {exit_code}"


def _chunks(found: Iterable[Found]) -> Iterator[deque[_Task]]:
    stream = iter(found)
    while chunk := deque[_Task](islice(stream, CHUNK)):
        yield chunk


def _serve(connection: Connection, begun: _Progress, config: PreprocessConfig) -> None:
    """Be a worker: answer chunks until the parent is gone."""
    chunks: SimpleQueue[list[_Task]] = SimpleQueue()
    Thread(target=_receive, args=(connection, chunks), daemon=True, name="receive").start()
    keep_freed_memory()
    begun.value = 0
    while True:
        for outcomes in _answers(chunks.get(), begun, config):
            # The other thread ends the process when the parent is gone, but may learn it later.
            with suppress(ConnectionError):
                connection.send(outcomes)


def _answers(
    tasks: list[_Task], begun: _Progress, config: PreprocessConfig
) -> Iterator[list[_Outcome]]:
    """Prepare a chunk, and yield the outcomes in as few parts as the memory allows."""
    outcomes: list[_Outcome] = []
    n_windows = 0
    for outcome in prepare_recordings(_counted(tasks, begun), config):
        outcomes.append(outcome)
        if isinstance(outcome, PreparedRecord):
            n_windows += len(outcome.prepared.windows)
        if n_windows >= WINDOWS_AT_ONCE:
            yield outcomes
            outcomes, n_windows = [], 0
    if outcomes:
        yield outcomes


def keep_freed_memory() -> None:
    """Have memory that is freed at hand for the next array.

    By default the C library gives blocks from 128 KiB on back to the system, which then clears
    every page of the next one. glibc learns from the largest block that was freed, up to 32 MiB,
    how much to keep (mallopt(3): M_MMAP_THRESHOLD); it is never touched, hence takes no memory.
    """
    np.empty(_BLOCK_FREED, np.uint8)


def _counted(tasks: list[_Task], begun: _Progress) -> Iterator[_Task]:
    for task in tasks:
        begun.value += 1
        yield task


def _receive(connection: Connection, chunks: SimpleQueue[list[_Task]]) -> None:
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
