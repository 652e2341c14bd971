"""What ``report.html`` says, in the languages that it speaks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from ecgscreen.results import RecordResult, Status, printable
from ecgscreen.scoring import LONG_S
from ecgscreen.vocabulary import load_vocabulary
from ecgscreen.vocabulary.folding import fold

LANGUAGES = ("en", "de")
_BRACES = re.compile(r"\{(\w+)\}")
_MOST_KEPT = 4_096
"""Notes; those of a folder are of few kinds, and the patterns are many."""


@dataclass(frozen=True)
class Words:
    """The words of one language.

    Attributes
    ----------
    language
        Of `LANGUAGES`.
    page
        What is written when the page is made; braces stand for values.
    script
        What its script writes.
    reasons
        Reasons and the like as the program has them -> how the page puts them.
    quality
        Terms of a quality phrase, likewise.
    notes
        Notes as the program has them -> how the page puts them; braces stand for what differs.
    """

    language: str
    page: Mapping[str, str]
    script: Mapping[str, str]
    reasons: Mapping[str, str]
    quality: Mapping[str, str]
    notes: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        return self.page[key]

    def reason(self, text: str) -> str:
        """Put a reason into this language, or leave it as it is."""
        return self.reasons.get(text, text)

    def quality_phrase(self, text: str) -> str:
        """Put a phrase such as ``usable: V3 flat`` into this language, term by term."""
        if not self.quality:
            return text
        return _terms(tuple(self.quality)).sub(lambda match: self.quality[match[0]], text)

    def diagnosis(self, name: str) -> str:
        """A line of the list as written, in German with the vocabulary's German term behind it."""
        name = printable(name)
        term = _german_term(name) if self.language == "de" else ""
        return f"{name} ({term})" if term and fold(term) not in fold(name) else name

    def note(self, text: str) -> str:
        """Put a note of a recording into this language, or leave it as it is."""
        return _note(self.language, text)

    def detail(self, result: RecordResult) -> str:
        """Put into this language why a recording has no score, beyond the reason."""
        text = printable(" ".join(result.detail.split()))
        put = self.note(text)
        if put == text and result.status is Status.UNUSABLE:
            return self.quality_phrase(text)
        return put

    def count(self, n: int) -> str:
        """Write a number with its thousands apart."""
        return f"{n:,}".replace(",", "." if self.language == "de" else ",")

    def number(self, value: float, digits: int) -> str:
        """Write a number with so many decimals."""
        text = f"{value:.{digits}f}"
        return text.replace(".", ",") if self.language == "de" else text

    def clock(self, seconds: float) -> str:
        """Write a time within a recording as hours, minutes and seconds: ``3:12:40``."""
        whole = int(seconds)
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"

    def length(self, seconds: float) -> str:
        """Write the length of a recording; of a long one as hours, minutes and seconds."""
        if seconds > LONG_S:
            return self.clock(seconds)
        return f"{self.number(seconds, 1)} s"


@cache
def _terms(known: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the terms, as whole words; the longer one where one begins with another."""
    longest = sorted(known, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest))})(?![\w-])")


@cache
def load_words(language: str) -> Words:
    """Read the words of a language.

    Raises
    ------
    ValueError
        If it is none of `LANGUAGES`.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language {language!r}, one of {', '.join(LANGUAGES)} is expected")
    file = resources.files("ecgscreen.reports.html").joinpath(f"{language}.toml")
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    names = ("page", "script", "reasons", "quality", "notes")
    return Words(language, *(tables[name] for name in names))


@cache
def _german_term(line: str) -> str:
    """The term for the first wording of a line; empty for words that the vocabulary lacks."""
    concept = load_vocabulary().find(line.partition("|")[0])
    return concept.german[0] if concept is not None and concept.german else ""


@lru_cache(maxsize=_MOST_KEPT)
def _note(language: str, text: str) -> str:
    for pattern, put in _patterns(language):
        if (match := pattern.fullmatch(text)) is not None:
            parts = {name: _parts(language, value) for name, value in match.groupdict().items()}
            return put.format(**parts)
    return text


def _parts(language: str, text: str) -> str:
    """Put what stands in a note's braces: a note of its own, or several, each with a pattern."""
    for joint, own in ((" or ", f" {load_words(language)['or']} "), (", ", ", ")):
        parts = text.split(joint)
        put = [_note(language, part) for part in parts]
        if all(one != part for one, part in zip(put, parts, strict=True)):
            return own.join(put)
    return _note(language, text)


@cache
def _patterns(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """What recognises each note, and how the language puts it."""

    def pattern(note: str) -> re.Pattern[str]:
        parts = _BRACES.split(note)  # text, name, text, name, text
        return re.compile(
            "".join(
                f"(?P<{part}>.+?)" if place % 2 else re.escape(part)
                for place, part in enumerate(parts)
            )
        )

    return tuple((pattern(note), put) for note, put in load_words(language).notes.items())
