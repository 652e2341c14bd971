"""The findings of a report: which concepts it names, and whether it affirms them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.reports.assertion import Certainty, certainties
from trainer.reports.composition import wave_mentions, with_regions
from trainer.reports.lexicon import Mention, named_mentions
from trainer.reports.normalise import normalise
from trainer.reports.tokens import Token, tokenise


@dataclass(frozen=True)
class Finding:
    """A concept that a report speaks of.

    Attributes
    ----------
    concept_id
        An id of `ecgscreen.vocabulary`: a statement, a group or any other concept.
    certainty
        ``certain``; ``uncertain`` where the report leaves it open ("cannot be ruled out", "V.
        a."); ``negated`` where it denies it, or speaks of an earlier recording only.
    span
        Place of the words in ``normalise(report).text``: start, and end not included.
    """

    concept_id: str
    certainty: Certainty
    span: tuple[int, int]


def findings(report: str) -> tuple[Finding, ...]:
    """Read the findings out of a report.

    Parameters
    ----------
    report
        As for `trainer.reports.normalise`.

    Returns
    -------
    tuple of Finding
        In the order of the text; a concept may occur several times.

    Examples
    --------
    >>> [(f.concept_id, f.certainty) for f in findings("Sinusrhythmus. V. a. inferioren Infarkt.")]
    [('SR', 'certain'), ('IMI', 'uncertain')]
    """
    found: list[Finding] = []
    for sentence in normalise(report).sentences:
        tokens = tokenise(sentence.text, sentence.start)
        mentions = _mentions(tokens)
        judged = certainties(tokens, [(mention.first, mention.last) for mention in mentions])
        for mention, certainty in zip(mentions, judged, strict=True):
            left_open = mention.uncertain and certainty == "certain"
            found.append(
                Finding(
                    concept_id=mention.concept_id,
                    certainty="uncertain" if left_open else certainty,
                    span=(tokens[mention.first].start, tokens[mention.last - 1].end),
                )
            )
    return tuple(dict.fromkeys(found))


def _mentions(tokens: Sequence[Token]) -> list[Mention]:
    mentions = with_regions(tokens, named_mentions(tokens))
    places = frozenset(
        place for mention in mentions for place in range(mention.first, mention.last)
    )
    return sorted(
        {*mentions, *wave_mentions(tokens, places)},
        key=lambda mention: (mention.first, mention.last, mention.concept_id),
    )
