"""What a command says when Ctrl-C or SIGTERM has ended it: what is kept, and what goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ecgscreen.errors import ExitCode
from ecgscreen.interrupts import end_at_interrupts

if TYPE_CHECKING:
    from rich.console import Console


class ScanLastWords:
    """Follows a scan, and says at its early end what is kept of it.

    Parameters
    ----------
    console
        Where to say it; None: nowhere.
    out
        The screening's folder.
    fresh
        Whether the scan was to begin anew, and would do so again.
    """

    def __init__(self, console: Console | None, out: Path, *, fresh: bool) -> None:
        self._console = console
        self._out = out
        self._fresh = fresh
        self._has_begun = False
        self._n_done = 0

    def started(self) -> None:
        """There is a run to go on with."""
        self._has_begun = True

    def done(self) -> None:
        """Count a recording whose row the store was given."""
        self._n_done += 1

    def __call__(self, put_away: bool) -> None:
        """As `ecgscreen.ending.ending_in_time` has it: the store has written all rows, or not."""
        if self._console is None:
            return
        from ecgscreen.results import printable

        # Not wrapped: it names a folder. And no line of the progress is left without a cursor.
        self._console.print(printable(self._sentence(put_away)), soft_wrap=True)
        self._console.show_cursor()

    def _sentence(self, put_away: bool) -> str:
        if not self._has_begun:
            return "Interrupted before anything was done; the same command begins again."
        kept = f"what is done is kept in {self._out}"
        if not put_away:
            kept = f"what is stored is kept in {self._out}, but for up to a minute's work"
        elif self._n_done:
            kept += f" ({self._n_done:,} recording{'s' * (self._n_done > 1)} of this run)"
        command = "the same command, without --fresh," if self._fresh else "the same command"
        return f"Interrupted: {kept}; {command} goes on from there."


@contextmanager
def telling_if_interrupted(words: Callable[[], str]) -> Iterator[None]:
    """Say on standard error what is left, where Ctrl-C or SIGTERM ends the body.

    Parameters
    ----------
    words
        The sentence, asked for then; empty for none.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, KeyboardInterrupt) or error.code == ExitCode.TERMINATED:
            end_at_interrupts()  # another one while this is said
            if sentence := words():
                from ecgscreen.commands.messages import say

                say(sentence, err=True)
        raise
