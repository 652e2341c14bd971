"""The command line, run in the tests' own process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from ecgscreen.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """What it printed on both streams, on one line."""
        return " ".join((self.out + self.err).split())


Run = Callable[..., Outcome]


def exit_code_of(words: Sequence[str]) -> int:
    """Run a command line as the console script does, and give its exit code."""
    handlers = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", list(words))
        # `main` sets it for its own process; here it has to go away again.
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        try:
            with pytest.raises(SystemExit) as end:
                main()
        finally:
            for number, handler in handlers:
                signal.signal(number, handler)
    return int(end.value.code or 0)


def command_line(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command, given its words after ``ecgscreen``."""

    def run(*arguments: object) -> Outcome:
        code = exit_code_of(["ecgscreen", *map(str, arguments)])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return Outcome(code, printed.out, printed.err)

    return run
