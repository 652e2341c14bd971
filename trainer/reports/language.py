"""The language of a sentence, told by the words of the glossaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

from trainer.reports.glossary import load_glossary
from trainer.reports.tables import LANGUAGES
from trainer.reports.tokens import stem, tokenise

UNKNOWN = "unknown"


def languages_of(sentences: Sequence[str]) -> tuple[str, ...]:
    """The language of each sentence of one report.

    A sentence is of the language in whose glossary most of its words stand. Where two or three
    languages tie ("normal", "v2-6"), the report's most frequent language decides if it is
    among them.

    Returns
    -------
    tuple of str
        ``de``, ``en``, ``sv`` or ``unknown``, one a sentence.
    """
    best = [_best_languages(sentence) for sentence in sentences]
    votes = Counter(languages[0] for languages in best if len(languages) == 1)
    ranked = [language for language, _ in votes.most_common()]
    return tuple(
        next((language for language in ranked if language in languages), UNKNOWN)
        if len(languages) != 1
        else languages[0]
        for languages in best
    )


def _best_languages(sentence: str) -> tuple[str, ...]:
    """Those with the most known words; all of them for a sentence without a word."""
    keys = [token.key for token in tokenise(sentence) if token.kind == "word"]
    if not keys:
        return LANGUAGES
    counts = {language: sum(_familiarity(key, language) for key in keys) for language in LANGUAGES}
    most = max(counts.values())
    return tuple(language for language in LANGUAGES if counts[language] == most > 0)


def _familiarity(key: str, language: str) -> int:
    """2 for a word of the glossary, 1 for another inflection of one, else 0."""
    if key in load_glossary(language).words:
        return 2
    return int(stem(key) in _stems(language))


@cache
def _stems(language: str) -> frozenset[str]:
    return frozenset(map(stem, load_glossary(language).words))
