"""What commands say when they cannot go on."""

from __future__ import annotations

from importlib.util import find_spec

import typer

from ecgscreen.errors import EcgscreenError, MissingExtraError


def complain(error: EcgscreenError) -> None:
    """Print what ended a command, and on a line of its own what to do about it."""
    typer.echo(f"ecgscreen: {error.message}", err=True)
    if error.advice:
        typer.echo(f"  {error.advice}", err=True)


def need_extra(extra: str, *packages: str) -> None:
    """Make sure that a command's packages are installed, before it is begun.

    Raises
    ------
    MissingExtraError
        If one is not; says which extra brings it.
    """
    if missing := [package for package in packages if find_spec(package) is None]:
        raise MissingExtraError(
            f"this command needs {', '.join(missing)}, not installed",
            f"pip install 'ecgscreen[{extra}]'",
        )
