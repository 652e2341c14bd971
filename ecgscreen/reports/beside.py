"""The same report in another process, which writes a part of it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from ecgscreen.helper_process import Helper
from ecgscreen.reports.blocks import ReportWriter, ScoredBlock
from ecgscreen.reports.content import Report

Forms: TypeAlias = Mapping[Path, Callable[[Path, Report], ReportWriter]]
"""Files, and what writes each."""


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


class WriterBeside:
    """A `ReportWriter` whose files another process writes, of the blocks that it is sent.

    If that process dies, the files are lost, since nothing else knows how far they are.

    Parameters
    ----------
    beside
        The process.
    forms
        What it writes.
    """

    def __init__(self, beside: Beside, forms: Forms) -> None:
        self._helper = beside.helper
        self._begun: deque[Callable[[], None]] = deque()
        self._is_lost = False
        self._begin(_open, beside.report, forms)

    def write(self, block: ScoredBlock) -> None:
        """Send the block there, once the one before is written: it never holds two."""
        self._wait()
        self._begin(_write, block)

    def close(self) -> None:
        """Have the files finished, without waiting for it."""
        self._begin(_close)

    def finished(self) -> bool:
        """Wait until the files are finished; False if they are lost."""
        self._wait()
        return not self._is_lost

    def _begin(self, step: Callable[..., None], *arguments: object) -> None:
        if not self._is_lost:
            there = partial(_elsewhere, os.getpid(), step, *arguments)
            self._begun.append(self._helper.begin(there))

    def _wait(self) -> None:
        try:
            while self._begun:
                self._begun.popleft()()
        except _LostError:
            self._is_lost = True
            self._begun.clear()


class _LostError(Exception):
    """The other process has died, and with it what it had open."""


def _elsewhere(here: int, step: Callable[..., None], *arguments: object) -> None:
    if os.getpid() == here:
        raise _LostError
    step(*arguments)


_writers: list[ReportWriter] = []
"""In the other process: what it has open, from one errand to the next."""
_open_files = ExitStack()


def _open(report: Callable[[], Report], forms: Forms) -> None:
    made = report()
    for path, form in forms.items():
        _writers.append(_open_files.enter_context(closing(form(path, made))))


def _write(block: ScoredBlock) -> None:
    for writer in _writers:
        writer.write(block)


def _close() -> None:
    _writers.clear()
    _open_files.close()
