"""A report as it comes -> its sentences, cleaned, in one spelling, each with its language."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from trainer.reports.boilerplate import remove_boilerplate
from trainer.reports.language import UNKNOWN, languages_of
from trainer.reports.sentences import split_sentences
from trainer.reports.spelling import correct, tidy

SEPARATOR = ". "


@dataclass(frozen=True)
class Sentence:
    """A sentence of a normalised report.

    Attributes
    ----------
    text
        Lower case, without the full stop; never empty.
    language
        ``de``, ``en``, ``sv`` or ``unknown``.
    start
        Its place in `NormalisedReport.text`.
    """

    text: str
    language: str
    start: int


@dataclass(frozen=True)
class NormalisedReport:
    """What a report says, without what only surrounds it.

    Attributes
    ----------
    sentences
        In their order; empty if nothing was left.
    removed
        Names of the boilerplate that was taken out (see ``writing.toml``).
    """

    sentences: tuple[Sentence, ...]
    removed: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sentences, joined; what the span of a finding refers to."""
        return SEPARATOR.join(sentence.text for sentence in self.sentences)

    @property
    def language(self) -> str:
        """The language of most sentences, the first of them on a tie; ``unknown`` of none."""
        counts = Counter(sentence.language for sentence in self.sentences)
        return counts.most_common(1)[0][0] if counts else UNKNOWN


@lru_cache(maxsize=4096)
def normalise(report: str) -> NormalisedReport:
    """Clean a report.

    Boilerplate, edit notes that name the label and signatures are removed; characters,
    umlauts, typing errors of known words and white space are put right; sentences are split
    and given their language.

    Parameters
    ----------
    report
        German, English or Swedish, in any case; may be empty.

    Returns
    -------
    NormalisedReport
    """
    text, removed = remove_boilerplate(tidy(report))
    texts = split_sentences(correct(text))
    sentences = []
    start = 0
    for sentence, language in zip(texts, languages_of(texts), strict=True):
        sentences.append(Sentence(sentence, language, start))
        start += len(sentence) + len(SEPARATOR)
    return NormalisedReport(tuple(sentences), removed)
