"""Stand-ins for files that take the process down which reads them, as a bad library can."""

from __future__ import annotations

import os
import signal
from pathlib import Path, PosixPath
from typing import Any


class Deadly(PosixPath):
    """A path that kills the process which looks at it, and leaves a line of that in a file."""

    tally: Path
    number: int

    def __new__(cls, tally: Path, number: int) -> Deadly:
        """The path itself is of no file."""
        path: Deadly = super().__new__(cls, "deadly.hea")
        path.tally, path.number = tally, number
        return path

    def __init__(self, tally: Path, number: int) -> None:
        """As `__new__`."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Take the attributes along to the other process."""
        return type(self), (self.tally, self.number)

    def absolute(self) -> Deadly:
        """It is of no folder either."""
        return self

    @property
    def suffix(self) -> str:
        """What the reader looks at first."""
        with self.tally.open("a") as file:
            file.write(f"{self.number}\n")
        os.kill(os.getpid(), signal.SIGKILL)
        return ".hea"


class Unreadable(PosixPath):
    """A path that ends the process to which it is sent, before that has begun with anything."""

    def __reduce__(self) -> tuple[Any, ...]:
        """What the other process is to call."""
        return os._exit, (3,)


class Unwelcome(PosixPath):
    """A path that the process to which it is sent cannot take."""

    def __reduce__(self) -> tuple[Any, ...]:
        """What the other process is to call."""
        return int, ("no number",)
