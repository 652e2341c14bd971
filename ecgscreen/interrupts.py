"""Ctrl-C and SIGTERM end a command with its exit code, whatever it is just doing.

Imported before everything else, and by itself nearly nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from ecgscreen.errors import ExitCode

_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


def catch_interrupts() -> None:
    """Answer SIGINT and SIGTERM from now on; a SIGINT that whoever started us ignores stays so."""
    for number in _CODES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupted)


def end_at_interrupts() -> None:
    """The work is done: from now on an interrupt ends the process without a word."""
    for number in _CODES:
        if signal.getsignal(number) is _interrupted:
            signal.signal(number, end_now)


def end_now(number: int, _frame: FrameType | None) -> None:
    """Answer a signal with its exit code, at once: nothing is cleaned up, nothing is said."""
    os._exit(_CODES[signal.Signals(number)])


def _interrupted(number: int, frame: FrameType | None) -> None:
    if _is_loading(frame):
        # While modules are loaded there is nothing to clean up.
        end_now(number, frame)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(_CODES[signal.Signals(number)])


def _is_loading(frame: FrameType | None) -> bool:
    """Whether a module is being imported, or a string evaluated as for annotations.

    An extension module that is being initialised may swallow what is raised then, or make an
    ImportError of it. And an interpreter in which a KeyboardInterrupt has left an evaluated
    string dies of SIGINT at its end, whatever its exit code was to be.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith("<frozen importlib."):
            return True
        # The outermost one is the program of python -c.
        if (code.co_filename, code.co_name) == ("<string>", "<module>") and frame.f_back:
            return True
        frame = frame.f_back
    return False
