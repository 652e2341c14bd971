"""The wordings that name a concept outright: the vocabulary's, and those of reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ecgscreen.vocabulary import load_vocabulary
from trainer.reports.phrases import PhraseIndex
from trainer.reports.tables import read_table
from trainer.reports.tokens import Token

FILES = ("wordings_rhythm.toml", "wordings_form.toml")


@dataclass(frozen=True)
class Mention:
    """A concept named in a sentence; whether it is affirmed is another question.

    Attributes
    ----------
    concept_id
        An id of the vocabulary.
    first, last
        The tokens that name it, the last one not included.
    uncertain
        True if the words themselves leave it open ("otherwise normal").
    """

    concept_id: str
    first: int
    last: int
    uncertain: bool = False


def named_mentions(tokens: Sequence[Token]) -> list[Mention]:
    """Every concept that a wording of the vocabulary or of `FILES` names.

    Ids and codes are no wordings: "EL" and "SR" are concepts, and words of other languages.
    """
    return [
        Mention(concept_id, match.first, match.last, uncertain)
        for match in _index().find(tokens)
        for concept_id, uncertain in match.value
    ]


@cache
def _index() -> PhraseIndex[tuple[tuple[str, bool], ...]]:
    vocabulary = load_vocabulary()
    entries: list[tuple[str, tuple[tuple[str, bool], ...]]] = [
        (wording, ((concept.id, False),))
        for concept in vocabulary.concepts
        for wording in (*concept.wordings, *concept.abbreviations, *concept.german)
    ]
    wordings: dict[str, list[tuple[str, bool]]] = {}
    for file in FILES:
        for concept_id, row in read_table(file).items():
            if concept_id not in vocabulary.by_id:
                raise ValueError(f"{file}: {concept_id!r} is no concept of the vocabulary")
            for certainty, texts in row.items():
                for text in texts:
                    wordings.setdefault(text, []).append((concept_id, certainty == "uncertain"))
    # The report's sense comes later, and so before the vocabulary's.
    entries.extend((text, tuple(concepts)) for text, concepts in wordings.items())
    return PhraseIndex(entries)
