"""A report in English, and how much of it the glossary covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.reports.glossary import Term, load_glossary
from trainer.reports.leads import spell_leads
from trainer.reports.normalise import Sentence, normalise
from trainer.reports.phrases import Match
from trainer.reports.tables import LANGUAGES
from trainer.reports.tokens import Token, tokenise


@dataclass(frozen=True)
class Coverage:
    """How much of a text the glossary knows.

    Attributes
    ----------
    tokens, covered_tokens
        Words, leads and numbers, and those of them that are in a term, or are leads or numbers.
    sentences, covered_sentences
        Sentences, and those without an uncovered token.
    """

    tokens: int = 0
    covered_tokens: int = 0
    sentences: int = 0
    covered_sentences: int = 0

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(
            self.tokens + other.tokens,
            self.covered_tokens + other.covered_tokens,
            self.sentences + other.sentences,
            self.covered_sentences + other.covered_sentences,
        )


@dataclass(frozen=True)
class _Piece:
    text: str
    role: str


def to_english(report: str) -> str:
    """Render a report in English.

    Terms are replaced, longest first; words that the glossary does not know stay as they are,
    so that nothing is lost. Statements that a machine put beside each other are set off by
    commas.

    Parameters
    ----------
    report
        As for `trainer.reports.normalise`.

    Returns
    -------
    str
        Sentences with a capital letter and a full stop; empty for an empty report.

    Examples
    --------
    >>> to_english("SINUSRHYTHMUS LAGETYP NORMAL QRS(T) ABNORMAL INFERIORER INFARKT MOEGLICH")
    'Sinus rhythm, normal axis, abnormal QRS-T, inferior infarction possible.'
    """
    rendered = (_render(_pieces(sentence)) for sentence in normalise(report).sentences)
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in rendered if text)


def coverage(sentence: Sentence) -> Coverage:
    """Count what the glossary knows of a sentence."""
    tokens = tokenise(sentence.text)
    covered = {i for i, token in enumerate(tokens) if token.kind in ("leads", "number")}
    for match in _find(sentence, tokens):
        covered.update(range(match.first, match.last))
    words = {i for i, token in enumerate(tokens) if token.kind != "break"}
    return Coverage(len(words), len(words & covered), 1, int(words <= covered))


def _find(sentence: Sentence, tokens: Sequence[Token]) -> list[Match[Term]]:
    # Without a language every glossary is tried, and the one that finds most is taken.
    languages = LANGUAGES if sentence.language not in LANGUAGES else (sentence.language,)
    found = (load_glossary(language).index.find(tokens) for language in languages)
    return max(found, key=lambda matches: sum(match.last - match.first for match in matches))


def _pieces(sentence: Sentence) -> list[_Piece]:
    tokens = tokenise(sentence.text)
    matches = {match.first: match for match in _find(sentence, tokens)}
    pieces = []
    place = 0
    while place < len(tokens):
        match = matches.get(place)
        if match is not None:
            original = " ".join(token.text for token in tokens[place : match.last])
            pieces.append(_Piece(match.value.english or original, match.value.role))
            place = match.last
            continue
        token = tokens[place]
        if token.kind == "leads":
            pieces.append(_Piece(spell_leads(token.text), "after"))
        else:
            pieces.append(_Piece(token.text, "break" if token.kind == "break" else "words"))
        place += 1
    return pieces


def _render(pieces: Sequence[_Piece]) -> str:
    text = ""
    previous = "break"
    for piece in pieces:
        if piece.text in ")>" or (piece.role == "break" and piece.text not in '(<"'):
            text = text.rstrip(", ") + piece.text + " "
        elif previous in ("findings", "after") and piece.role in ("findings", "before"):
            text = text.rstrip() + ", " + piece.text + " "
        else:
            text += piece.text + ("" if piece.text in "(<" else " ")
        previous = piece.role
    return text.strip(" ,:")
