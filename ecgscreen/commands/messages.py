"""What commands say when they cannot go on."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import typer

from ecgscreen.errors import EcgscreenError, MissingExtraError


def complain(error: EcgscreenError) -> None:
    """Print what ended a command, and on a line of its own what to do about it.

    A message quotes files and their names; nothing of them steers the terminal.
    """
    from ecgscreen.results import printable

    for line in f"ecgscreen: {error.message}".split("\n"):
        typer.echo(printable(line), err=True)
    for line in filter(None, error.advice.split("\n")):
        typer.echo(f"  {printable(line)}", err=True)


def say(line: str, *, err: bool = False) -> None:
    """Print a line, whatever names it holds and whatever the terminal can write.

    What could steer a terminal, and what its encoding lacks, is spelled out.
    """
    from ecgscreen.results import printable

    stream = sys.stderr if err else sys.stdout
    encoding = stream.encoding or "ascii"
    typer.echo(printable(line).encode(encoding, "backslashreplace").decode(encoding), err=err)


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
