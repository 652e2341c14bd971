"""From findings to the concepts that a recording carries: what a model is trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from ecgscreen.vocabulary import Vocabulary, load_vocabulary
from trainer.reports.findings import findings
from trainer.reports.normalise import normalise
from trainer.reports.phrases import PhraseIndex
from trainer.reports.tables import read_table
from trainer.reports.tokens import tokenise


@dataclass(frozen=True)
class Convention:
    """A rule of ``conventions.toml``; see there.

    Attributes
    ----------
    add, drop
        The concept that is put in or taken out, a group standing for its members; one of
        them is None.
    all, any, none
        Concepts of which all, at least one, or none are carried; a condition that is empty
        does not count.
    words
        Terms of which the text holds at least one, if there are any.
    """

    add: str | None
    drop: str | None
    all: frozenset[str]
    any: frozenset[str]
    none: frozenset[str]
    words: tuple[str, ...]

    @cached_property
    def _index(self) -> PhraseIndex[bool]:
        return PhraseIndex((word, True) for word in self.words)

    def applied(self, carried: frozenset[str], text: str) -> frozenset[str]:
        """The concepts after the rule, the same ones if its conditions do not hold.

        Parameters
        ----------
        carried
            Concepts without their groups.
        text
            Of the normalised report.
        """
        if not self._holds(with_groups(carried), text):
            return carried
        if self.add is not None:
            return carried | {self.add}
        return frozenset(id_ for id_ in carried if self.drop not in with_groups([id_]))

    def _holds(self, closed: frozenset[str], text: str) -> bool:
        return (
            self.all <= closed
            and (not self.any or bool(self.any & closed))
            and not self.none & closed
            and (not self.words or bool(self._index.find(tokenise(text))))
        )


def statements_from_report(report: str, *, conventions: bool = True) -> frozenset[str]:
    """Every concept that a recording with this report carries.

    What the report affirms and what it leaves open count alike, as in PTB-XL, where a
    statement is carried whatever its likelihood; what it denies does not count.

    Parameters
    ----------
    report
        As for `trainer.reports.normalise`.
    conventions
        Whether to apply PTB-XL's conventions of coding (``conventions.toml``), too. They were
        measured on PTB-XL; another site may code otherwise.

    Returns
    -------
    frozenset of str
        Ids of the concepts, of their broader ones and of all groups that have one of them as
        a member, as `ecgscreen.vocabulary.Vocabulary.concepts_of` gives them for codes.

    Examples
    --------
    >>> sorted(statements_from_report("Kein Infarkt. Sinusrhythmus, AV-Block I. Grades."))
    ['1AVB', 'CD', 'SR', 'sub:_AVB']
    """
    carried = frozenset(f.concept_id for f in findings(report) if f.certainty != "negated")
    if conventions:
        text = normalise(report).text
        for rule in load_conventions():
            carried = rule.applied(carried, text)
    return with_groups(carried)


def with_groups(concept_ids: Iterable[str]) -> frozenset[str]:
    """The concepts, their broader ones, their groups, and the groups of those.

    Raises
    ------
    KeyError
        If an id is no concept of the vocabulary.
    """
    above = _above()
    closed: set[str] = set()
    open_ids = list(concept_ids)
    while open_ids:
        concept_id = open_ids.pop()
        if concept_id not in closed:
            closed.add(concept_id)
            open_ids.extend(above[concept_id])
    return frozenset(closed)


@cache
def load_conventions() -> tuple[Convention, ...]:
    """The rules of ``conventions.toml`` in their order.

    Raises
    ------
    ValueError
        If a rule names a concept that is not in the vocabulary.
    """
    vocabulary = load_vocabulary()
    return tuple(_convention(row, vocabulary) for row in read_table("conventions.toml")["rule"])


def _convention(row: dict[str, Any], vocabulary: Vocabulary) -> Convention:
    rule = Convention(
        add=row.get("add"),
        drop=row.get("drop"),
        all=frozenset(row.get("all", ())),
        any=frozenset(row.get("any", ())),
        none=frozenset(row.get("none", ())),
        words=tuple(row.get("words", ())),
    )
    named = {rule.add, rule.drop, *rule.all, *rule.any, *rule.none} - {None}
    if unknown := sorted(str(name) for name in named if name not in vocabulary.by_id):
        raise ValueError(f"conventions.toml: not in the vocabulary: {', '.join(unknown)}")
    return rule


@cache
def _above() -> dict[str, frozenset[str]]:
    """Of every concept those that a recording with it carries at once."""
    vocabulary = load_vocabulary()
    above = {concept.id: set(concept.broader) for concept in vocabulary.concepts}
    for group in vocabulary.concepts:
        for member in group.members:
            above[member].add(group.id)
    return {concept_id: frozenset(ids) for concept_id, ids in above.items()}
