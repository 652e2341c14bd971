"""What a kind of input has to know for the fuzz campaign (`bench.fuzz`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from ecgscreen.discover import Discovery
from ecgscreen.embedding import embed_all
from ecgscreen.errors import EcgscreenError
from ecgscreen.preparation import prepare_recordings
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.results import RecordResult, Status, printable
from engines.base import EngineInfo

PERSON = "Zyx^Quorn"
"""Planted wherever an input can hold a person's name; it must not come out again."""

FORBIDDEN_EXIT = 97
"""A parser's process leaves with this code where it reached for what it must not."""


class BrokenPromiseError(Exception):
    """What came out is no exception, and yet not what the design promises."""


@dataclass(frozen=True)
class Target:
    """A kind of input.

    Attributes
    ----------
    kind
        Its name on the command line and in the table.
    share
        How often it comes, against the shares of the others.
    write
        Writes an input into an empty folder. The same state of the generator gives the same
        bytes, in any process.
    run
        Gives the folder to the program. True if the input was accepted, false if it was refused
        with a sentence; whatever it raises is a failure.
    """

    kind: str
    share: int
    write: Callable[[Random, Path], None]
    run: Callable[[Path], bool]


class AnyUnitVectors:
    """An engine that takes a moment: the windows are looked at, the vectors mean nothing."""

    info = EngineInfo("none", "0", "none", "f32", batch_size=1)

    def embed(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """As `engines.base.Engine.embed`.

        Raises
        ------
        BrokenPromiseError
            If windows are not finite, or no lead counts.
        """
        if not np.isfinite(windows).all() or not lead_mask.any(axis=1).all():
            raise BrokenPromiseError("windows that are not finite, or without a lead")
        return np.ones((len(windows), 1), np.float32)


def scan_folder(folder: Path) -> bool:
    """Find, read, assess and prepare all recordings of a folder, as a scan does.

    Returns
    -------
    Whether any of them could be prepared.

    Raises
    ------
    BrokenPromiseError
        If a row has no reason, a control character or a person's name in its text, or if windows
        are not finite.
    """
    accepted = False
    prepared = prepare_recordings(Discovery([folder]), PreprocessConfig())
    for row in embed_all(prepared, AnyUnitVectors()):
        accepted |= row.status is Status.SCORED
        _check_row(row)
    return accepted


def _check_row(row: RecordResult) -> None:
    if not row.reason and row.status is not Status.SCORED:
        raise BrokenPromiseError("a row without reason")
    if f"ended with code {FORBIDDEN_EXIT}" in row.detail:
        raise BrokenPromiseError("a parser reached out of its folder")
    check_sentence(" ".join((row.status, row.reason, row.quality)))
    _check_notes((row.detail, *row.notes))


def _check_notes(notes: tuple[str, ...]) -> None:
    for note in filter(None, notes):
        # Signals are told by their labels, in which a spoiled file may have anything.
        told = PERSON in note and ("left out" in note or note.startswith("found "))
        check_sentence(note.replace(PERSON, "") if told else note)


def refused(error: EcgscreenError) -> bool:
    """Check the sentence of an error; give False, which `Target.run` returns then.

    Raises
    ------
    BrokenPromiseError
        If it says nothing, or what it must not say.
    """
    # As a command prints it: a message may quote a file.
    check_sentence(printable(error.message))
    check_sentence(printable(error.advice) or "none")
    return False


def check_sentence(text: str) -> None:
    """Raise `BrokenPromiseError` unless a text is printable and names no person."""
    if not text.strip():
        raise BrokenPromiseError("an error without a sentence")
    if not text.isprintable():
        raise BrokenPromiseError(f"a sentence with control characters: {text[:200]!r}")
    if PERSON in text:
        raise BrokenPromiseError("a sentence with a person's name")
