"""Terms of German, Swedish and English reports, and what they are in English.

The tables are the ``glossary_*.toml`` files, written from the reports of PTB-XL (Wagner et al.,
Scientific Data 2020; folds 1-8) and reviewed by hand. In each, ``findings`` stand by themselves
and are set off by commas when a text is put together, ``before`` belongs to what follows it,
``after`` to what precedes it, and ``words`` join what stands around them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ecgscreen.vocabulary import fold
from trainer.reports.phrases import PhraseIndex
from trainer.reports.tables import read_table
from trainer.reports.tokens import tokenise

FILES = {
    "de": ("glossary_de_rhythm.toml", "glossary_de_form.toml", "glossary_de_words.toml"),
    "en": ("glossary_en.toml",),
    "sv": ("glossary_sv.toml",),
}
ROLES = ("findings", "before", "after", "words")


@dataclass(frozen=True)
class Term:
    """An entry of the glossary.

    Attributes
    ----------
    english
        What it is in English, as it stands in a text; None for a word that stays as it is.
    role
        One of `ROLES`.
    """

    english: str | None
    role: str


@dataclass(frozen=True)
class Glossary:
    """The terms of one language.

    Attributes
    ----------
    terms
        From every term, as spelled in the table, to its entry.
    index
        Finds the terms in a text.
    words
        Folded words that occur in a term: the words of the language that are known.
    """

    terms: dict[str, Term]
    index: PhraseIndex[Term]
    words: frozenset[str]


@cache
def load_glossary(language: str) -> Glossary:
    """Read the glossary of a language.

    Parameters
    ----------
    language
        ``de``, ``en`` or ``sv``.

    Raises
    ------
    KeyError
        If there is no glossary of that language.
    ValueError
        If a term stands twice.
    """
    terms: dict[str, Term] = {}
    for file in FILES[language]:
        table = read_table(file)
        for role in ROLES:
            for source, english in table.get(role, {}).items():
                if source in terms:
                    raise ValueError(f"{file}: the term {source!r} stands twice")
                terms[source] = Term(english, role)
        for word in table.get("plain", {}).get("words", "").split():
            terms.setdefault(word, Term(None, "words"))
    words = {token.key for term in terms for token in tokenise(term) if token.kind == "word"}
    return Glossary(terms, PhraseIndex(terms.items()), frozenset(words))


@cache
def spelled_words() -> dict[str, frozenset[str]]:
    """Every word of the three glossaries as it is spelled there.

    Returns
    -------
    dict
        From the folded word to its spellings ("foer": {"för"}).
    """
    spellings: dict[str, set[str]] = {}
    for language in FILES:
        for term in load_glossary(language).terms:
            for token in tokenise(term):
                if token.kind == "word":
                    spellings.setdefault(fold(token.text), set()).add(token.text)
    return {key: frozenset(words) for key, words in spellings.items()}
