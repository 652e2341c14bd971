"""Commands that are imported when they are called: for their line in ``--help`` none is needed."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command, get_group


class LazyCommand(TyperCommand):
    """The name of a command and its line in ``--help``; the rest comes with its module.

    Parameters
    ----------
    name
        As on the command line.
    place
        Module below `ecgscreen.commands`, colon, the command's function or the app of a group.
    line
        The first paragraph of its own help; a test holds the two alike.
    """

    def __init__(self, name: str, place: str, line: str) -> None:
        super().__init__(name, help=line)
        self._place = place

    def load(self) -> Any:
        """Import the command's module; gives what Typer makes of the command."""
        module, _, attribute = self._place.partition(":")
        found = getattr(import_module(f"ecgscreen.commands.{module}"), attribute)
        if isinstance(found, typer.Typer):
            return get_group(found)
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(found)
        return get_command(alone)

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        """Parse the command's arguments; from here on the command is its own."""
        context = self.load().make_context(*arguments, **settings)
        gc.enable()
        return context
