"""One of N shares of the recordings, for jobs that each do one and know nothing of the others."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecgscreen.errors import UsageError
from ecgscreen.stamp import path_key

MOST_SHARES = 1_000_000


@dataclass(frozen=True)
class Share:
    """Share ``number`` of ``of``; a recording's name alone says to which it belongs.

    Attributes
    ----------
    number
        1 to `of`.
    of
        How many shares there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """Read ``I/N``, such as ``3/8``.

        Raises
        ------
        UsageError
            If it is none, or I is not one of 1 to N.
        """
        match = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})", text)
        share = cls(*map(int, match.groups())) if match else cls(0, 0)
        if not 1 <= share.number <= share.of <= MOST_SHARES:
            raise UsageError(
                f"--shard {text!r}: expected I/N, I of 1 to N",
                "With 8 jobs, give them 1/8, 2/8, to 8/8.",
            )
        return share

    def holds(self, name: str) -> bool:
        """Whether a recording is of this share: its name's SHA-256, modulo N."""
        return int.from_bytes(path_key(name)[:8], "big") % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
