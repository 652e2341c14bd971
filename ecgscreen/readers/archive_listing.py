"""What an archive holds, with caps: the members that are read, and those that are refused."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass

from ecgscreen.recording import RecordingError, SkipReason

MAX_MEMBERS = 100_000
MAX_MEMBER_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 1 << 36
MAX_RATIO, RATIO_COUNTS_FROM = 100, 1 << 26
"""All members together may be so many times as large as the archive, if larger than the second.
ECGs shrink to a half or a third."""

_TWICE = "whose name stands twice"
_MAX_NAME, _MAX_PART = 1024, 255


@dataclass(frozen=True)
class Contents:
    """What an archive holds.

    Attributes
    ----------
    sizes
        Name -> size in bytes, of the plain files.
    refused
        Why other members are left alone -> how many.
    """

    sizes: dict[str, int]
    refused: Counter[str]

    @property
    def problem(self) -> str:
        """What to say of the members that are refused; empty if there is none."""
        counts = (f"{n} {why}" for why, n in sorted(self.refused.items()))
        text = ", ".join(counts)
        return f"members that are not read: {text}" if text else ""


class Listing:
    """Sorts the members of an archive into those that are read and those that are refused."""

    def __init__(self, archive_bytes: int) -> None:
        self._archive_bytes = archive_bytes
        self._sizes: dict[str, int] = {}
        self._refused: Counter[str] = Counter()
        self._not_read: set[str] = set()
        self._n_members = 0
        self._n_bytes = 0

    def add(self, name: str, size: int, why: str) -> None:
        """Take a member; `why` says what is wrong with it already."""
        self._n_members += 1
        if self._n_members > MAX_MEMBERS:
            raise too_large(f"more than {MAX_MEMBERS} members", MAX_MEMBERS)
        self._n_bytes += size
        if self._n_bytes > MAX_UNPACKED_BYTES:
            raise too_large(f"{self._n_bytes} bytes unpacked", MAX_UNPACKED_BYTES)
        most = max(RATIO_COUNTS_FROM, MAX_RATIO * self._archive_bytes)
        if self._n_bytes > most:
            raise too_large(f"{self._n_bytes} bytes unpacked of {self._archive_bytes}", most)
        name = name.removeprefix("./")
        if name in self._sizes or name in self._not_read:
            # Which of them is meant nobody knows.
            if self._sizes.pop(name, None) is not None:
                self._refused[_TWICE] += 1
            why = _TWICE
        elif not why and not _is_plain_name(name):
            why = "whose name leads out of it or is none"
        elif not why and not 0 <= size <= MAX_MEMBER_BYTES:
            why = f"of more than {MAX_MEMBER_BYTES} bytes"
        if why:
            self._refused[why] += 1
            self._not_read.add(name)
        else:
            self._sizes[name] = size

    def contents(self) -> Contents:
        """What was found; a name that is a folder for another is refused."""
        folders = {
            name[: match.start()] for name in self._sizes for match in re.finditer("/", name)
        }
        for name in folders & set(self._sizes):
            del self._sizes[name]
            self._refused["whose name is a folder's too"] += 1
        return Contents(self._sizes, self._refused)


def check_unpacked(archive_bytes: int, n_bytes: int) -> None:
    """Make sure that a compressed archive does not grow beyond the caps.

    Raises
    ------
    RecordingError
        TOO_LARGE.
    """
    most = min(MAX_UNPACKED_BYTES, max(RATIO_COUNTS_FROM, MAX_RATIO * archive_bytes))
    if n_bytes > most:
        raise too_large(f"more than {most} bytes unpacked of {archive_bytes}", most)


def too_large(found: str, limit: int) -> RecordingError:
    """The error of an archive beyond a cap."""
    return RecordingError(SkipReason.TOO_LARGE, f"an archive with {found}, the limit is {limit}")


def _is_plain_name(name: str) -> bool:
    parts = name.split("/")
    return (
        len(name) <= _MAX_NAME
        and "\0" not in name
        and "\\" not in name
        and not any(part in {"", ".", ".."} or len(os.fsencode(part)) > _MAX_PART for part in parts)
    )
