"""``ecgscreen merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecgscreen.commands.messages import say
from ecgscreen.commands.options import Quiet, WaitLock, parse_path


def merge(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR DIR...", help="Folders of screenings.", parser=parse_path),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the new screening.", parser=parse_path)
    ],
    prefix: Annotated[
        bool,
        typer.Option(
            "--prefix",
            help="Put the folder's name before each path, where two places have the same paths.",
        ),
    ] = False,
    wait_lock: WaitLock = 0.0,
    quiet: Quiet = False,
) -> None:
    """Make one screening of several of the same bundle and list; no recording twice."""
    from ecgscreen.merging import merge as merge_them
    from ecgscreen.progress import print_summary, stderr_console

    merged = merge_them(folders, out, prefix=prefix, wait_s=wait_lock)
    if not quiet:
        for folder, n in zip(folders, merged.n_taken, strict=True):
            say(f"{folder}: {n:,} recordings", err=True)
        if merged.n_twice:
            say(f"{merged.n_twice:,} of them in several, taken once", err=True)
    print_summary(stderr_console(quiet=quiet), merged.summary, merged.provenance, out)
