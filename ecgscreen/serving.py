"""What a worker does, in a process of its own: take the work, and answer what it is sent."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from ctypes import CDLL
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeAlias, TypeVar

from ecgscreen.errors import EcgscreenError
from ecgscreen.found import Found
from ecgscreen.garbage import expect_work
from ecgscreen.long_turns import take_long_turns
from ecgscreen.objects.ahead import fetch_ahead
from ecgscreen.packing import PackedRows, pack_rows, unpack_found
from ecgscreen.preparation import PreparedRecord
from ecgscreen.results import RecordResult
from ecgscreen.worker_process import Progress

CHUNK = 32
"""Recordings that a worker is given at once, and answers at once."""
WINDOWS_AT_ONCE = 256
"""Windows that a worker collects before it hands them over, 12 MB; a long recording has more."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MOST_FROM_HEAP = 32 << 20
"""The largest that glibc takes for the second."""

Task: TypeAlias = Found | RecordResult
"""What is to be done, or what became of it already."""

Errand: TypeAlias = Callable[[], object]
"""Something else to be done when all tasks are; both it and what it returns can be pickled."""

Outcome = TypeVar("Outcome")
Outcome_co = TypeVar("Outcome_co", covariant=True)


class Work(Protocol[Outcome_co]):
    """What workers do; it is sent to each of them when it starts."""

    def begin(self) -> object:
        """Load what it takes; what this returns is `ecgscreen.workers.Crew.greeting`."""
        ...

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[Outcome_co]:
        """Yield an outcome a task, in their order; a finished row is its own outcome."""
        ...


@dataclass(frozen=True)
class Done:
    """The answer to an errand: what it returned, or what it raised."""

    result: object = None
    error: Exception | None = None


def serve(connection: Connection, begun: Progress) -> None:
    """Be a worker: take the work, and answer what comes until the parent is gone.

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
    messages: SimpleQueue[list[Task] | Errand] = SimpleQueue()
    receiving = Thread(target=_receive, args=(connection, messages), daemon=True, name="receive")
    try:
        receiving.start()
    except RuntimeError:  # no memory for a thread, or no number; the parent says so
        os._exit(1)
    keep_freed_memory()
    take_long_turns()
    try:
        _send(connection, work.begin())
        gc.freeze()  # what is there by now stays: no use in looking through it again and again
        gc.enable()
        expect_work()  # a copy looks as seldom as its parent did while it loaded
        begun.value = 0
        while True:
            message = messages.get()
            if not isinstance(message, list):
                _send(connection, _done(message))
                continue
            for outcomes in _in_parts(work.outcomes(_at_hand(message, messages, begun))):
                _send(connection, outcomes)
    except EcgscreenError as error:
        _send(connection, error)


def _send(connection: Connection, message: object) -> None:
    # The other thread ends the process when the parent is gone, but may learn it later.
    with suppress(ConnectionError):
        connection.send(message)


def _done(errand: Errand) -> Done:
    try:
        return Done(errand())
    except (EcgscreenError, OSError) as error:  # raised again where the errand comes from
        return Done(error=error)
    except (MemoryError, ImportError):  # the second, where a library finds no room
        os._exit(1)  # the parent goes on the errand itself


def _at_hand(
    chunk: list[Task], messages: SimpleQueue[list[Task] | Errand], begun: Progress
) -> Iterator[Task]:
    """Yield the tasks of a chunk, and of others as long as there are more.

    Its end makes what has been begun finished: recordings that wait for others to be embedded with
    must not wait for a parent that waits for them.
    """
    message: list[Task] | Errand = chunk
    while isinstance(message, list):  # no errand is sent before all tasks are answered
        for task in message:
            begun.value += 1
            yield task
        if messages.empty():
            return
        message = messages.get()


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


def _receive(connection: Connection, messages: SimpleQueue[list[Task] | Errand]) -> None:
    """Take what is sent while earlier tasks are done, and end the process when the parent is gone.

    The parent may have been killed, and must never wait for a worker that waits for it. Nor for one
    that cannot take what it is sent, for want of memory: that ends the process, too.
    """
    try:
        while True:
            message = connection.recv()
            if not isinstance(message, tuple):
                messages.put(message)
                continue
            chunk = unpack_found(message)
            for task in chunk:
                fetch_ahead(task)
            messages.put(chunk)
    finally:
        os._exit(1)
