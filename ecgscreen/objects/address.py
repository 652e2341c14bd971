"""Addresses of object storage, and the paths that stand for them inside ecgscreen.

``s3://bucket/prefix`` would lose a slash as a `Path`, and then could not be told from a folder
named ``s3:``. Inside, it is ``//s3:/bucket/prefix``: `pathlib` keeps two leading slashes, it is
absolute, and parents, names and suffixes are those of any path. Only `path_of_text` makes such a
path, of what a user typed; `spelled` turns it back.
"""

from __future__ import annotations

import re
from pathlib import Path

from ecgscreen.errors import UsageError

PROTOCOLS = {"s3": "s3", "s3a": "s3", "memory": "memory"}
"""What an address may begin with -> what fsspec calls it. ``memory`` is fsspec's own, for tests."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_PLACE = re.compile(rf"//({'|'.join(sorted(set(PROTOCOLS.values())))}):/")
_EXPECTED = "Name a folder of this machine, or s3://BUCKET/PREFIX."


def is_address(text: str) -> bool:
    """Whether a text is meant as an address: anything with ``://`` behind a scheme."""
    return _ADDRESS.match(text) is not None


def is_object(path: Path | str) -> bool:
    """Whether a path stands for what lies in object storage."""
    text = path if isinstance(path, str) else str(path)
    return text[:2] == "//" and _PLACE.match(text) is not None


def path_of_text(text: str) -> Path:
    """Give the path that stands for an address, or for a folder of this machine.

    Parameters
    ----------
    text
        As it was typed, or as `spelled` wrote it.

    Raises
    ------
    UsageError
        If it is an address that cannot be read, or holds a secret, which is not repeated.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        # Two leading slashes mean one to Linux, and something else here.
        return Path("/" + text.lstrip("/") if text.startswith("//") else text)
    scheme, rest = match[1].casefold(), match[2]
    if scheme not in PROTOCOLS:
        raise UsageError(f"{scheme}:// is not read", _EXPECTED)
    if "@" in rest.partition("/")[0] or "?" in rest:
        raise UsageError(
            f"the {scheme}:// address holds a user, a password or a query",
            "Give credentials by the environment, a profile or the machine's role: they would "
            "stand in the reports.",
        )
    parts = rest.rstrip("/").split("/")
    if any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise UsageError(
            f"{text!r}: a part of the address is empty or dots", "Write s3://BUCKET/PREFIX."
        )
    return Path(f"//{PROTOCOLS[scheme]}:/{'/'.join(parts)}")


def spelled(path: Path) -> str:
    """Write a path as the user does: an address if it stands for one."""
    text = str(path)
    if not is_object(text):
        return text
    protocol, _, rest = text[2:].partition(":/")
    return f"{protocol}://{rest}"
