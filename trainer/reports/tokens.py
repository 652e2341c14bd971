"""Text -> words, groups of leads, numbers and breaks, with their places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property

from ecgscreen.vocabulary import fold

_CHEST = r"v[1-9](?:\s?-\s?v?[1-9](?!\d))?(?:\s?,\s?[1-9](?![\d.:%])(?:\s?-\s?v?[1-9])?)*"
_TOKEN = re.compile(
    rf"(?P<leads>(?:{_CHEST}|av[rlf]|iii|ii|i)(?!\w))"
    r"|(?P<number>\d+(?:[.,:]\d+)*(?:st|nd|rd|th)?(?!\w))"
    "|(?P<word>[^\\W_]+(?:['\u2019][^\\W\\d_]+)?)"
    r"|(?P<break>[,;:()<>\"!?])"
)
_ORDINAL_BEFORE = frozenset({"block", "typ", "type", "mobitz", "grad", "grade", "degree", "avb"})
_ENDINGS = ("en", "er", "es", "em", "ar", "or", "e", "s", "n", "a", "t")
_SHORTEST_STEM = 4


@dataclass(frozen=True)
class Token:
    """A word of a text, or what stands between words.

    Attributes
    ----------
    text
        As it stands there.
    start, end
        Its place in the text, ``text[start:end]``.
    kind
        ``word``, ``leads`` (one lead or a compact group such as ``v2-6``), ``number`` or
        ``break`` (a punctuation mark that no term crosses).
    """

    text: str
    start: int
    end: int
    kind: str

    @cached_property
    def key(self) -> str:
        """The token for comparing, as `ecgscreen.vocabulary.fold` gives it."""
        return fold(self.text)

    @cached_property
    def stem(self) -> str:
        """The key without its inflection."""
        return stem(self.key)


def tokenise(text: str, offset: int = 0) -> tuple[Token, ...]:
    """Split a sentence in lower case.

    Hyphens, slashes, ampersands and full stops inside a sentence separate words and are no
    tokens. The Roman numeral after "block" or "degree" is a number, no lead.

    Parameters
    ----------
    text
        Lower case, as `trainer.reports.normalise` gives it.
    offset
        Added to every place.
    """
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind == "leads" and tokens and tokens[-1].key in _ORDINAL_BEFORE:
            kind = "number"
        tokens.append(Token(match.group(), match.start() + offset, match.end() + offset, kind))
    return tuple(tokens)


@cache
def stem(key: str) -> str:
    """A folded word without its German, Swedish or English endings.

    Light on purpose: both the tables and the reports go through it, so that "inferiorer",
    "inferioren" and "inferior" meet, and nothing else has to be right about it. Endings are
    taken off one after the other, because "infarcts" and "infarct" have to meet too.

    Examples
    --------
    >>> stem("infarcts") == stem("infarct"), stem("waves"), stem("t")
    (True, 'wave', 't')
    """
    for ending in _ENDINGS:
        if key.endswith(ending) and len(key) - len(ending) >= _SHORTEST_STEM:
            return stem(key[: -len(ending)])
    return key
