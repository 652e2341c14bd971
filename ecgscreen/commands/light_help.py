"""Typer's help pages and error messages without the parts of Rich that they never use.

What draws them, `typer.rich_utils`, imports Rich's Markdown and its tracebacks too, for programs
that ask for them. They bring a parser of Markdown and a highlighter of source code: as many modules
as all the rest of ``--help``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# Not from importlib.abc, which imports a good deal itself.
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

_DRAWS_HELP = "typer.rich_utils"
_UNUSED = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}
"""Module -> the one name that is imported of it."""


def lighten_help() -> None:
    """Leave those parts out as soon as, and if, Typer imports what draws its help."""
    waits = any(isinstance(finder, _LightFinder) for finder in sys.meta_path)
    if _DRAWS_HELP not in sys.modules and not waits:
        sys.meta_path.insert(0, _LightFinder())


class _LightFinder:
    """Finds one module, once, where it is, and has it executed among stand-ins."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _DRAWS_HELP:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _LightLoader(spec.loader.name, spec.loader.path)
        return spec


class _LightLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        try:
            with _stand_ins():
                super().exec_module(module)
        except (ImportError, AttributeError):
            # Another version of Typer, which asks for more of them.
            super().exec_module(module)


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Empty classes in the place of those modules, as long as the body runs."""
    placed = {}
    for name, attribute in _UNUSED.items():
        if name not in sys.modules:
            placed[name] = ModuleType(name)
            setattr(placed[name], attribute, type(attribute, (), {}))
    sys.modules.update(placed)
    try:
        yield
    finally:
        for name in placed:
            del sys.modules[name]
