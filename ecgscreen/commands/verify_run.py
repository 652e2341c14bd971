"""``ecgscreen verify-run``."""

from __future__ import annotations

from typing import Annotated

import typer

from ecgscreen.commands.messages import say
from ecgscreen.commands.options import Bundle, Engine, Precision, Screening, WaitLock
from ecgscreen.errors import ExitCode


def verify_run(
    folder: Screening,
    share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Of the recordings, to be scored again; at least ten are."),
    ] = 0.01,
    seed: Annotated[
        int | None, typer.Option(help="Chooses which; else others each time.", show_default=False)
    ] = None,
    bundle: Bundle = None,
    engine: Engine = None,
    precision: Precision = "auto",
    wait_lock: WaitLock = 0.0,
) -> None:
    """Hold a screening against itself, its bundle, its list and its recordings.

    Hashes are computed again, some recordings scored again; exit code 5 says that something
    differs.
    """
    import secrets

    from ecgscreen.score_again import Again
    from ecgscreen.verify_run import verify_run as verify

    again = Again(
        share=share,
        seed=secrets.randbelow(1 << 32) if seed is None else seed,
        engine=engine,
        precision=precision,
    )
    holds = True
    for check in verify(folder, again, bundle=bundle, wait_s=wait_lock):
        holds &= check.holds
        for line in check.lines():
            say(line)
    if not holds:
        raise typer.Exit(ExitCode.CHECK_FAILED)
