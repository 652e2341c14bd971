"""What ``report.html`` says, in the languages that it speaks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ecgscreen.scoring import LONG_S

LANGUAGES = ("en", "de")
_WORD = re.compile(r"[A-Za-z-]+")


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
        Words of a quality phrase, likewise.
    """

    language: str
    page: Mapping[str, str]
    script: Mapping[str, str]
    reasons: Mapping[str, str]
    quality: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        return self.page[key]

    def reason(self, text: str) -> str:
        """Put a reason into this language, or leave it as it is."""
        return self.reasons.get(text, text)

    def quality_phrase(self, text: str) -> str:
        """Put a phrase such as ``usable: V3 flat`` into this language, word by word."""
        return _WORD.sub(lambda match: self.quality.get(match[0], match[0]), text)

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
    return Words(language, tables["page"], tables["script"], tables["reasons"], tables["quality"])
