"""The names of files as the reports show them, and back."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\udc80-\udcff]")
_AMBIGUOUS_BACKSLASHES = re.compile(r"(\\+)(?=x[0-9a-f]{2}|[\udc80-\udcff])")
_SPELLED_BYTE = re.compile(r"(\\+)x([0-9a-f]{2})")


def shown_name(name: str) -> str:
    r"""Write a file name so that it can be stored as UTF-8, and told from every other.

    Parameters
    ----------
    name
        From the file system, where bytes that are no UTF-8 appear as lone surrogates.

    Returns
    -------
    The name itself, with such a byte as ``\xe9`` and the backslashes doubled that would read
    like one. All else, line breaks and tabs too, stands as it is.
    """
    if name.isascii() and "\\" not in name:
        return name
    doubled = _AMBIGUOUS_BACKSLASHES.sub(r"\1\1", name)
    return _SURROGATE.sub(lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", doubled)


def file_name(shown: str) -> str:
    """Undo `shown_name`."""
    return _SPELLED_BYTE.sub(_as_in_the_file_system, shown)


def _as_in_the_file_system(match: re.Match[str]) -> str:
    backslashes, digits = match.groups()
    kept = "\\" * (len(backslashes) // 2)
    if len(backslashes) % 2:  # the last one begins a byte; those before it were doubled
        return f"{kept}{chr(0xDC00 + int(digits, 16))}"
    return f"{kept}x{digits}"
