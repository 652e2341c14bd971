"""The same report in another process, which writes a part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ecgscreen.helper_process import Helper
from ecgscreen.reports.content import Report


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
