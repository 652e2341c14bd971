"""Find a concept by its words or codes, and the concepts that a recording carries."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cache, cached_property

from ecgscreen.vocabulary.concept import TASKS, Concept
from ecgscreen.vocabulary.folding import fold
from ecgscreen.vocabulary.table import read_concepts

_LONGEST_COMPARED = 100
"""Characters: no wording is longer, and the time grows with the length."""


class Vocabulary:
    """The concepts, and how to find them.

    Parameters
    ----------
    concepts
        Concepts with different ids; no key belongs to two of them.

    Attributes
    ----------
    concepts : tuple of Concept
        In the order of the table.
    by_id : dict of str to Concept

    Raises
    ------
    ValueError
        If two concepts have the same id.
    """

    def __init__(self, concepts: Iterable[Concept]) -> None:
        self.concepts = tuple(concepts)
        self.by_id = {concept.id: concept for concept in self.concepts}
        if len(self.by_id) != len(self.concepts):
            raise ValueError("the vocabulary has two concepts of the same id")

    @cached_property
    def _by_key(self) -> dict[str, Concept]:
        index: dict[str, Concept] = {}
        for concept in self.concepts:
            for key in concept.keys:
                other = index.setdefault(fold(key), concept)
                if other is not concept:
                    raise ValueError(f"{key!r} means both {other.id!r} and {concept.id!r}")
        return index

    @cached_property
    def _by_snomed(self) -> dict[str, Concept]:
        return {code: concept for concept in self.concepts for code in concept.snomed}

    def find(self, text: str) -> Concept | None:
        """Resolve a wording or a code; never a guess.

        Parameters
        ----------
        text
            A name, synonym, listed abbreviation or German term, an id or SCP-ECG code, a
            SNOMED CT code (digits, or with ``SNOMED`` or ``SNOMED CT`` before them),
            ``AHA`` and a statement number, or an aECG reference id. Case, accents,
            punctuation and white space do not matter (`fold`).

        Returns
        -------
        Concept or None
            None if the vocabulary does not know exactly these words.

        Raises
        ------
        ValueError
            If the table gives one wording to two concepts.
        """
        key = fold(text)
        for prefix in ("snomedct", "snomed"):
            if key.removeprefix(prefix).isdecimal():
                key = key.removeprefix(prefix)
        return self._by_key.get(key)

    def nearest(self, text: str, n: int = 3) -> tuple[Concept, ...]:
        """Concepts whose spelling comes closest: suggestions for a person, not an answer.

        Parameters
        ----------
        text
            Any text.
        n
            How many, at least 1.

        Returns
        -------
        tuple of Concept
            min(n, len(concepts)) of them, the most similar first, by the Ratcliff-Obershelp
            ratio (`difflib.SequenceMatcher`) of the best wording of each.
        """
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(text.casefold()[:_LONGEST_COMPARED])
        ranked = sorted(self.concepts, key=lambda concept: -_similarity(matcher, concept))
        return tuple(ranked[:n])

    def task(self, name: str) -> tuple[Concept, ...]:
        """Labels of a task of the PTB-XL benchmark.

        Parameters
        ----------
        name
            One of ``superclass`` (5), ``subclass`` (23), ``diagnostic`` (44), ``form`` (19),
            ``rhythm`` (12).

        Raises
        ------
        ValueError
            If there is no such task.
        """
        if name not in TASKS:
            raise ValueError(f"task {name!r} is not one of {', '.join(TASKS)}")
        return tuple(concept for concept in self.concepts if name in concept.tasks)

    def concepts_of(self, scp_codes: Iterable[str]) -> frozenset[str]:
        """Every concept that a recording with these SCP-ECG statements carries.

        Parameters
        ----------
        scp_codes
            Codes as PTB-XL spells them, whatever their likelihood.

        Returns
        -------
        frozenset of str
            Ids of the statements and of all groups that have one of them as a member.

        Raises
        ------
        ValueError
            If a code is no SCP-ECG statement of the vocabulary.
        """
        carried: set[str] = set()
        for code in scp_codes:
            concept = self.by_id.get(code)
            if concept is None or concept.scp is None:
                raise ValueError(f"{code!r} is not an SCP-ECG statement of PTB-XL")
            carried |= self._closure[concept.id]
        return frozenset(carried)

    def from_snomed(self, codes: Iterable[str]) -> frozenset[str]:
        """Every concept that a recording with these SNOMED CT codes carries.

        Parameters
        ----------
        codes
            SNOMED CT codes, digits. Codes that the vocabulary does not have (heart failure,
            for one, is no finding of an ECG) add nothing; `find` tells which those are.

        Returns
        -------
        frozenset of str
            Ids of the concepts, of all broader ones and of their groups.
        """
        found = (self._by_snomed.get(code.strip()) for code in codes)
        return frozenset().union(*(self._closure[c.id] for c in found if c is not None))

    @cached_property
    def _closure(self) -> dict[str, frozenset[str]]:
        """What each concept implies: itself, its groups, its broader concepts, and theirs."""
        above = {concept.id: set(concept.broader) for concept in self.concepts}
        for group in self.concepts:
            for member in group.members:
                above[member].add(group.id)
        closure: dict[str, frozenset[str]] = {}

        def close(concept_id: str) -> frozenset[str]:
            if concept_id not in closure:
                parents = (close(parent) for parent in above[concept_id])
                closure[concept_id] = frozenset({concept_id}).union(*parents)
            return closure[concept_id]

        for concept_id in above:
            close(concept_id)
        return closure


@cache
def load_vocabulary() -> Vocabulary:
    """Give the vocabulary of this package, read once.

    Returns
    -------
    Vocabulary
    """
    return Vocabulary(read_concepts())


def _similarity(matcher: SequenceMatcher[str], concept: Concept) -> float:
    best = 0.0
    for wording in (*concept.wordings, *concept.abbreviations, *concept.german):
        matcher.set_seq1(wording.casefold())
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best:
            best = max(best, matcher.ratio())
    return best
