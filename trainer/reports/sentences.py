"""Where a sentence of a report ends."""

from __future__ import annotations

import re
from functools import cache

from trainer.reports.tables import read_table

_STOP = re.compile(r"[.!?;]+")
_WORD_BEFORE = re.compile(r"(?:^|[^\w])((?:\w\.)*\w+)$")


def split_sentences(text: str) -> tuple[str, ...]:
    """Split a tidy text at full stops, semicolons, exclamation and question marks.

    The full stop of a listed abbreviation ("unbest.", "intraventr."), of single letters
    ("v.a."), of a decimal number and of an ordinal ("1. grades") ends no sentence.

    Returns
    -------
    tuple of str
        Without the mark, none of them empty.
    """
    sentences = []
    start = 0
    for stop in _STOP.finditer(text):
        if stop.group() == "." and _belongs_to_word(text[start : stop.start()], text[stop.end() :]):
            continue
        sentences.append(text[start : stop.start()])
        start = stop.end()
    sentences.append(text[start:])
    # Commas and hyphens that a removed passage has left over are no text.
    stripped = (sentence.strip(" ,:-") for sentence in sentences)
    return tuple(sentence for sentence in stripped if re.search(r"\w", sentence))


def _belongs_to_word(before: str, after: str) -> bool:
    match = _WORD_BEFORE.search(before)
    if match is None:
        return False
    word = match.group(1)
    if word in _abbreviations() or "." in word:
        return True
    if after.lstrip().startswith("grad") or (word[-1].isdigit() and after[:1].isdigit()):
        return True
    return len(word.rpartition(".")[2]) == 1 and after[:1].isalpha()


@cache
def _abbreviations() -> frozenset[str]:
    return frozenset(read_table("writing.toml")["spelling"]["abbreviations"])
