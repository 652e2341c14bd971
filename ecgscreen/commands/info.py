"""``ecgscreen info``."""

from __future__ import annotations

import typer

from ecgscreen.commands.options import Bundle


def info(bundle: Bundle = None) -> None:
    """Show the version, the model bundle and the engines that are installed."""
    from ecgscreen.bundle import default_bundle
    from ecgscreen.info import info_lines

    for line in info_lines(bundle or default_bundle()):
        typer.echo(line)
