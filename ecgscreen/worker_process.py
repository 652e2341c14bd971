"""A process that waits for its work, and loads meanwhile what it will take.

Light to import, and needs nothing that is heavy: a scan starts such processes before it loads what
it takes itself.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Collection
from ctypes import c_int64
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Protocol, Self

from ecgscreen.errors import WorkerError

_SECONDS_TO_END = 0.5
# spawn: a fork would copy the threads' locks of a runtime that is already loaded.
_CONTEXT = get_context("spawn")


class Progress(Protocol):
    """How many recordings a worker has begun, in memory that its parent sees; -1 at first."""

    value: int


class WorkerProcess:
    """A process of a `ecgscreen.workers.Crew`, which answers what `connection` sends.

    Parameters
    ----------
    engine
        Which one the work will need, so that it is imported before the work is there; None: none.

    Attributes
    ----------
    connection
        To the process: the work, then chunks of tasks; from it: messages of
        `ecgscreen.serving.serve`.
    begun
        See `Progress`.

    Raises
    ------
    WorkerError
        If the system has no room for it.
    """

    def __init__(self, engine: str | None = None) -> None:
        try:
            self._start(engine)
        except OSError as error:
            named = "" if error.filename is None else f"{error.filename}: "
            raise WorkerError(
                f"no process can be started: {named}{error.strerror or error}",
                "Look at the limits (ulimit -n, ulimit -u), at /dev/shm and at the folder this was "
                "started in, or give --workers 0.",
            ) from error

    def _start(self, engine: str | None) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.begun: Progress = _CONTEXT.RawValue(c_int64, -1)
        self._process: SpawnProcess = _CONTEXT.Process(
            target=_serve, args=(theirs, self.begun, engine), daemon=True
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

    @property
    def exit_code(self) -> int | None:
        """As `multiprocessing.Process` has it."""
        return self._process.exitcode

    def receive(self) -> Any:  # whatever it answers
        """Wait for its next message.

        Raises
        ------
        EOFError
            If it is gone, be it in the middle of a message.
        """
        try:
            return self.connection.recv()
        except OSError as error:
            raise EOFError(str(error)) from error

    def stop(self) -> None:
        """Tell the process to end, whatever it is doing."""
        self.connection.close()
        self._process.terminate()

    def join(self, seconds: float = _SECONDS_TO_END) -> None:
        """Wait until it has ended; one that has not in so many seconds is killed."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(_SECONDS_TO_END)


def end_all(processes: Collection[WorkerProcess]) -> None:
    """End processes, whatever they are doing; one that is stopped (SIGSTOP) does not listen."""
    for process in processes:
        process.stop()
    deadline = time.monotonic() + _SECONDS_TO_END
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))


class StartedWorkers:
    """Processes that were started ahead; a context manager, at whose end those left are ended.

    Parameters
    ----------
    count
        How many.
    engine
        As `WorkerProcess` has it.
    """

    def __init__(self, count: int = 0, engine: str | None = None) -> None:
        self._ready: list[WorkerProcess] = []
        try:
            for _ in range(count):
                self._ready.append(WorkerProcess(engine))
        except BaseException:  # one of them cannot start, or Ctrl-C
            self.__exit__(None, None, None)
            raise

    def take(self) -> WorkerProcess | None:
        """One of them, which is the caller's from now on; None where none is left."""
        return self._ready.pop(0) if self._ready else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        end_all(self._ready)
        self._ready.clear()


def _serve(connection: Connection, begun: Progress, engine: str | None) -> None:
    """Be a worker, as soon as what that takes is imported."""
    gc.disable()  # until that is done, see `ecgscreen.garbage`
    try:
        if engine is not None:
            import ecgscreen.embedding_job  # noqa: F401 - what the work is of
            from engines.select import import_engine

            import_engine(engine)
        from ecgscreen.serving import serve

        serve(connection, begun)
    except (MemoryError, ImportError):  # the second, where a library finds no room
        os._exit(1)  # a worker that died, of which the parent says more than a traceback
