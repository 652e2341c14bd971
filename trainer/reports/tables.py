"""The TOML tables of this package, read once each."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("de", "en", "sv")
"""The languages that the glossary and the cues know."""


@cache
def read_table(name: str) -> dict[str, Any]:
    """Read a table of this package.

    Parameters
    ----------
    name
        File name, such as ``glossary_de.toml``.

    Returns
    -------
    dict
        As `tomllib` gives it; shared between callers, not to be changed.

    Raises
    ------
    FileNotFoundError
        If the package was installed without its tables.
    """
    return tomllib.loads((resources.files("trainer.reports") / name).read_text("utf-8"))
