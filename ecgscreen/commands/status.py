"""``ecgscreen status``."""

from __future__ import annotations

from typing import Annotated

import typer

from ecgscreen.commands.messages import say
from ecgscreen.commands.options import Screening


def status(
    folder: Screening,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, with all names.")
    ] = False,
    look: Annotated[
        bool,
        typer.Option("--look/--no-look", help="Walk the folders for what is new or changed."),
    ] = True,
) -> None:
    """Show what is scored, what is not, what waits, and how it was made; nothing is written."""
    from ecgscreen.publish import json_line
    from ecgscreen.screening_status import status_document, status_lines, status_of

    found = status_of(folder, look=look)
    if as_json:
        typer.echo(json_line(status_document(found)))
        return
    for line in status_lines(found):
        say(line)
