"""Find the terms of a table in a text: the longest first, whatever the inflection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from trainer.reports.tokens import Token, tokenise

T = TypeVar("T")


@dataclass(frozen=True)
class Match(Generic[T]):
    """A term found: tokens ``first`` to ``last``, the last one not included."""

    first: int
    last: int
    value: T


class PhraseIndex(Generic[T]):
    """Terms and what they stand for.

    A term is found where the folded words run together equal its own ("links schenkelblock"
    and "linksschenkelblock"), else where the stems of the words do ("inferiorem Infarkt"). A
    term never crosses a break.

    Parameters
    ----------
    entries
        Pairs of a term and its value; of two equal terms the later one counts.
    """

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._joined: dict[str, T] = {}
        self._stems: dict[tuple[str, ...], T] = {}
        self._longest = 1
        for term, value in entries:
            tokens = [token for token in tokenise(term.lower()) if token.kind != "break"]
            if not tokens:
                raise ValueError(f"the term {term!r} has no word")
            self._joined["".join(token.key for token in tokens)] = value
            self._stems[tuple(token.stem for token in tokens)] = value
            # A compound may be written as one word more than in the table.
            self._longest = max(self._longest, len(tokens) + 1)

    def find(self, tokens: Sequence[Token]) -> list[Match[T]]:
        """All terms of a sentence that do not overlap: longer ones first, then earlier ones.

        Returns
        -------
        list of Match
            In the order of the text.
        """
        candidates = [
            Match(first, last, value)
            for first in range(len(tokens))
            for last in range(first + 1, self._end_of_window(tokens, first) + 1)
            if (value := self._lookup(tokens[first:last])) is not None
        ]
        candidates.sort(key=lambda match: (match.first - match.last, match.first))
        taken: set[int] = set()
        kept = []
        for match in candidates:
            places = range(match.first, match.last)
            if taken.isdisjoint(places):
                taken.update(places)
                kept.append(match)
        return sorted(kept, key=lambda match: match.first)

    def _end_of_window(self, tokens: Sequence[Token], first: int) -> int:
        last = first
        while last < min(len(tokens), first + self._longest) and tokens[last].kind != "break":
            last += 1
        return last

    def _lookup(self, window: Sequence[Token]) -> T | None:
        joined = self._joined.get("".join(token.key for token in window))
        if joined is not None:
            return joined
        return self._stems.get(tuple(token.stem for token in window))
