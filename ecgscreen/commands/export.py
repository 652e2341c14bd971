"""``ecgscreen export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecgscreen.commands.options import (
    LanguageName,
    Pseudonymise,
    Quiet,
    Screening,
    WaitLock,
    parse_path,
)


def export(
    folder: Screening,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for the reports; else the screening's own.", parser=parse_path
        ),
    ] = None,
    pseudonymise_paths: Pseudonymise = False,
    language: Annotated[
        LanguageName | None,
        typer.Option("--language", help="Of what is written for a reader; else as it was."),
    ] = None,
    wait_lock: WaitLock = 0.0,
    quiet: Quiet = False,
) -> None:
    """Make the reports of a screening again from its store; recordings are read for strips only."""
    from ecgscreen.progress import print_summary, stderr_console
    from ecgscreen.remake import export as remake

    summary, provenance = remake(
        folder, out, pseudonymise=pseudonymise_paths, language=language, wait_s=wait_lock
    )
    print_summary(stderr_console(quiet=quiet), summary, provenance, out or folder)
