"""A process that waits for its work: a copy of this one, or one that begins from nothing."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Collection, Sequence
from ctypes import c_int64
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from ecgscreen.errors import WorkerError

_SECONDS_TO_END = 0.5
_SPAWN, _FORK = get_context("spawn"), get_context("fork")


class Progress(Protocol):
    """How many recordings a worker has begun, in memory that its parent sees; -1 at first."""

    value: int


class WorkerProcess:
    """A process of a `ecgscreen.workers.Crew`, which answers what `connection` sends.

    Parameters
    ----------
    copied_beside
        Make it a copy of this process, and give these other copies' pipes up there; None: start it
        from nothing. A copy has what this process has imported, and takes some milliseconds; only
        where `is_only_thread`, since the locks of other threads would stay locked in it for ever.

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

    def __init__(self, copied_beside: Sequence[WorkerProcess] | None = None) -> None:
        try:
            self._start(copied_beside)
        except OSError as error:
            named = "" if error.filename is None else f"{error.filename}: "
            raise WorkerError(
                f"no process can be started: {named}{error.strerror or error}",
                "Look at the limits (ulimit -n, ulimit -u), at /dev/shm and at the folder this was "
                "started in, or give --workers 0.",
            ) from error

    def _start(self, copied_beside: Sequence[WorkerProcess] | None) -> None:
        self.connection, theirs = _SPAWN.Pipe()
        self.begun: Progress = _SPAWN.RawValue(c_int64, -1)
        self._process: BaseProcess
        if copied_beside is None:
            self._process = _SPAWN.Process(target=_serve, args=(theirs, self.begun), daemon=True)
            # It would be started with the first worker otherwise, and lets Ctrl-C through again.
            resource_tracker.ensure_running()
        else:
            parents = [self.connection, *(each.connection for each in copied_beside)]
            self._process = _FORK.Process(
                target=_serve_as_copy, args=(theirs, self.begun, parents), daemon=True
            )
        # Ctrl-C reaches every process of a terminal. A worker that is started here inherits that
        # it is blocked: the parent ends the workers, and none of them prints a traceback. A copy
        # inherits the parent's answer to SIGTERM, and lets none through before it has its own.
        blocked = {signal.SIGINT} if copied_beside is None else {signal.SIGINT, signal.SIGTERM}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
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


def is_only_thread() -> bool:
    """Whether this process has one thread, those of libraries counted; False if nothing tells."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _serve(connection: Connection, begun: Progress) -> None:
    """Be a worker, as soon as what that takes is imported."""
    gc.disable()  # until that is done, see `ecgscreen.garbage`
    try:
        from ecgscreen.serving import serve

        serve(connection, begun)
    except (MemoryError, ImportError):  # the second, where a library finds no room
        os._exit(1)  # a worker that died, of which the parent says more than a traceback


def _serve_as_copy(connection: Connection, begun: Progress, parents: Sequence[Connection]) -> None:
    """Be a worker without what is the parent's alone: the answers to signals, and its pipes' ends.

    A worker learns that the parent is gone when nobody has the other end of its pipe any more.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    for end in parents:
        end.close()
    _serve(connection, begun)
