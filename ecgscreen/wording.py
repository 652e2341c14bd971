"""Words that many sentences need."""

from __future__ import annotations


def counted(n: int, one: str, several: str = "") -> str:
    """A number with its noun: ``1 row``, ``2 rows``.

    Parameters
    ----------
    n
        How many.
    one
        The noun, of one.
    several
        The noun of several, where it does not just end in s.
    """
    return f"{n} {one if n == 1 else several or f'{one}s'}"
