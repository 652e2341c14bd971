"""SIGTERM and Ctrl-C end a job in time, whatever it is doing."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from types import FrameType
from typing import NoReturn

from ecgscreen.errors import EcgscreenError, ExitCode
from ecgscreen.interrupts import end_now

SECONDS_TO_END = 0.8
"""From the signal on. A job that takes longer is ended where it is: what counts is on disk."""

SECONDS_TO_SPEAK = 0.15
"""After these, for what such a job has to say: nobody may be reading."""

EXIT_CODES = {signal.SIGTERM: ExitCode.TERMINATED, signal.SIGINT: ExitCode.INTERRUPTED}


class _Ending:
    """Answers the first signal, and says the last words once, whoever comes first."""

    def __init__(self, last_words: Callable[[bool], None]) -> None:
        self._last_words = last_words
        self._spoken = Lock()
        self.code: ExitCode | None = None

    def answer(self, number: int, _frame: FrameType | None) -> NoReturn:
        _answer_with(signal.SIG_IGN)
        self.code = EXIT_CODES[signal.Signals(number)]
        raise SystemExit(self.code)

    def speak(self, *, put_away: bool) -> None:
        if self._spoken.acquire(blocking=False):
            self._last_words(put_away)


@contextmanager
def ending_in_time(last_words: Callable[[bool], None] = lambda _put_away: None) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the body with SystemExit, and the process soon after.

    The first signal raises in the main thread, so that the body can put away what it has; until
    that is done, more of them change nothing; while the last words are said, another one ends the
    process at once. If it is still there after `SECONDS_TO_END` (a call of a library does not
    return, a disk does not answer), it ends without more ado.

    Parameters
    ----------
    last_words
        Says what ends here; called once where a signal has ended the body, with whether it has
        put away what it had. Where it has not, it may still hold anything, and another thread
        speaks: no longer than `SECONDS_TO_SPEAK`.
    """
    # The signal is written to the socket where it arrives, even while the main thread is deep
    # in a library; a thread that waits for it does not depend on the main one.
    watched, written = socket.socketpair()
    written.setblocking(False)
    ending = _Ending(last_words)
    before = {number: signal.signal(number, ending.answer) for number in EXIT_CODES}
    wakeup_before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    Thread(target=_watch, args=(watched, ending), daemon=True, name="end in time").start()
    try:
        try:
            yield
        except EcgscreenError:
            raise
        except BaseException:
            # A library may make something else of what a signal raises, an ImportError for one.
            if ending.code is None:
                raise
        if ending.code is not None:
            _answer_with(end_now)
            ending.speak(put_away=True)
            # What is left is the interpreter's end, and that gives a handler of ours back to the
            # system, which would end the process with another code.
            _answer_with(signal.SIG_IGN)
            raise SystemExit(ending.code)
    finally:
        signal.set_wakeup_fd(wakeup_before)
        if ending.code is None:
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)
            written.close()  # else the process is ending, and being watched


def _answer_with(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for each in EXIT_CODES:
        signal.signal(each, handler)


def _watch(watched: socket.socket, ending: _Ending) -> None:
    with watched:
        while arrived := watched.recv(1):
            code = EXIT_CODES.get(signal.Signals(arrived[0]))
            if code is not None:
                time.sleep(SECONDS_TO_END)
                try:
                    speaker = Thread(target=ending.speak, kwargs={"put_away": False}, daemon=True)
                    speaker.start()
                    speaker.join(SECONDS_TO_SPEAK)
                finally:  # an interpreter that is ending starts no thread any more
                    os._exit(code)
