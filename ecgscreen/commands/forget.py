"""``ecgscreen forget``."""

from __future__ import annotations

from typing import Annotated

import typer

from ecgscreen.commands.messages import say
from ecgscreen.commands.options import Quiet, Screening, WaitLock
from ecgscreen.errors import UsageError

NAMES_SHOWN = 10


def forget(
    folder: Screening,
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Names as report.csv has them, record ids, or a folder ending in / for all below.",
        ),
    ],
    wait_lock: WaitLock = 0.0,
    quiet: Quiet = False,
) -> None:
    """Take recordings out of a screening, its store and its reports, for good."""
    from ecgscreen.commands.last_words import telling_if_interrupted
    from ecgscreen.forgetting import forget as forget_them

    # Quiet or not: somebody relies on it that they are gone.
    with telling_if_interrupted(
        lambda: f"Interrupted: {folder} may still hold them; the same command takes them out."
    ):
        forgotten = forget_them(folder, recordings, wait_s=wait_lock)
    if not quiet:
        n = len(forgotten.names)
        say(f"{n:,} forgotten; {forgotten.summary.n_records:,} left, the reports are made anew")
        say("Copies of the reports elsewhere, backups and logs are yours to clean.")
    if forgotten.still_there:
        say(
            "Still in the folders that are scanned, so that the next scan scores them again: "
            f"{len(forgotten.still_there):,}",
            err=True,
        )
        for name in forgotten.still_there[:NAMES_SHOWN]:
            say(f"  {name}", err=True)
    if forgotten.unknown:
        raise UsageError(
            f"{folder}: holds no recording {', '.join(map(repr, forgotten.unknown))}",
            "Give the names as report.csv has them, or the record ids of report.h5.",
        )
