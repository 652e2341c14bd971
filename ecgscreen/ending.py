"""SIGTERM and Ctrl-C end a job in time, whatever it is doing."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from types import FrameType
from typing import NoReturn

from ecgscreen.errors import ExitCode

SECONDS_TO_END = 1.7
"""From the signal on. A job that takes longer is ended where it is: what counts is on disk."""

EXIT_CODES = {signal.SIGTERM: ExitCode.TERMINATED, signal.SIGINT: ExitCode.INTERRUPTED}


@contextmanager
def ending_in_time() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the body with SystemExit, and the process soon after.

    The first signal raises in the main thread, so that the body can put away what it has; more
    of them change nothing. If the process is still there after `SECONDS_TO_END` (a call of a
    library does not return, a disk does not answer), it ends without more ado.
    """
    # The signal is written to the socket where it arrives, even while the main thread is deep
    # in a library; a thread that waits for it does not depend on the main one.
    watched, written = socket.socketpair()
    written.setblocking(False)
    before = {number: signal.signal(number, _end) for number in EXIT_CODES}
    wakeup_before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    Thread(target=_watch, args=(watched,), daemon=True, name="end in time").start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup_before)
        if signal.getsignal(signal.SIGTERM) is _end:
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)
            written.close()  # else the process is ending, and being watched


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    for each in EXIT_CODES:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(EXIT_CODES[signal.Signals(number)])


def _watch(watched: socket.socket) -> None:
    with watched:
        while arrived := watched.recv(1):
            code = EXIT_CODES.get(signal.Signals(arrived[0]))
            if code is not None:
                time.sleep(SECONDS_TO_END)
                os._exit(code)
