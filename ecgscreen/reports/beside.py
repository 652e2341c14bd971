"""The same report in another process, which writes a part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ecgscreen.helper_process import Helper
from ecgscreen.reports.content import Report

Result = TypeVar("Result")


@dataclass(frozen=True)
class Beside:
    """A process that helps.

    Attributes
    ----------
    helper
        The process.
    report
        Makes the report there, from the store; can be pickled.
    """

    helper: Helper
    report: Callable[[], Report]

    def begin(self, errand: Callable[[], Result]) -> Callable[[], Result]:
        """As `Helper` has it."""
        return self.helper.begin(errand)

    @property
    def is_free(self) -> bool:
        """As `Helper` has it."""
        return self.helper.is_free

    def stop(self) -> None:
        """As `Helper` has it."""
        self.helper.stop()
