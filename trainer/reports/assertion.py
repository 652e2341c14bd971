"""Whether a sentence affirms a finding, takes it back or leaves it open.

After NegEx (Chapman et al., J Biomed Inform 2001): cues before or behind a finding, cues that
only look like one, and words that end a cue's scope. Two things differ, because reports put
statements beside each other without punctuation: a cue speaks of the one finding nearest to it,
and of further ones only where a conjunction joins them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from trainer.reports.phrases import Match, PhraseIndex
from trainer.reports.tables import read_table
from trainer.reports.tokens import Token

Certainty = Literal["certain", "uncertain", "negated"]

_SCOPE = 6
"""Tokens between a cue and its finding at most; NegEx takes five, and counts no articles."""

_DIRECTIONS = {
    "before": ("before",),
    "after": ("after",),
    "before_or_after": ("before", "after"),
    "after_or_before": ("after", "before"),
}
"""On which sides of a cue its finding is looked for, the likelier one first."""

_CHAIN = 2
"""Tokens between a negation and the cue that it takes back: "no clear suspicion of"."""


@dataclass(frozen=True)
class _Cue:
    certainty: Certainty | None
    direction: str


def certainties(tokens: Sequence[Token], spans: Sequence[tuple[int, int]]) -> tuple[Certainty, ...]:
    """Judge the findings of one sentence.

    Parameters
    ----------
    tokens
        Of the sentence.
    spans
        Of each finding the first token and the one behind its last.

    Returns
    -------
    tuple of str
        One a span: ``certain``, ``uncertain`` or ``negated``.
    """
    occupied = {place for first, last in spans for place in range(first, last)}
    cues = [
        match
        for match in _cues().find(tokens)
        if occupied.isdisjoint(range(match.first, match.last))
    ]
    ends = {match.first for match in _words("ends").find(tokens)} - occupied
    joins = {match.first for match in _words("carries_on").find(tokens)}
    chosen: dict[tuple[int, int], tuple[int, Certainty]] = {}
    for cue in cues:
        if cue.value.certainty is None:
            continue
        reached, distance = _reach(cue, cues, spans, ends, joins)
        for span in reached:
            if span not in chosen or distance < chosen[span][0]:
                negated = cue.value.certainty == "negated" or _is_taken_back(cue, cues)
                chosen[span] = (distance, "negated" if negated else "uncertain")
    return tuple(chosen[span][1] if span in chosen else "certain" for span in spans)


def _reach(
    cue: Match[_Cue],
    cues: Sequence[Match[_Cue]],
    spans: Sequence[tuple[int, int]],
    ends: set[int],
    joins: set[int],
) -> tuple[list[tuple[int, int]], int]:
    """The findings that a cue speaks of, and how far the nearest is."""
    ordered = sorted(set(spans))
    stops = ends | {other.first for other in cues if other != cue}
    for direction in _DIRECTIONS[cue.value.direction]:
        if direction == "before":
            following = [span for span in ordered if span[0] >= cue.last]
            reached = _chain(cue.last, following, stops, joins)
            distance = reached[0][0] - cue.last if reached else 0
        else:
            # Seen from behind: places are mirrored, so that one rule serves both directions.
            preceding = [(-last, -first) for first, last in reversed(ordered) if last <= cue.first]
            mirrored = {-1 - place for place in stops}, {-1 - place for place in joins}
            reached = [(-last, -first) for first, last in _chain(-cue.first, preceding, *mirrored)]
            distance = cue.first - reached[0][1] if reached else 0
        if reached:
            return reached, distance
    return [], 0


def _is_taken_back(cue: Match[_Cue], cues: Sequence[Match[_Cue]]) -> bool:
    """Whether a negation speaks of the cue itself: "kein sicherer Hinweis auf"."""
    return any(
        other.value == _Cue("negated", "before") and 0 <= cue.first - other.last <= _CHAIN
        for other in cues
    )


def _chain(
    start: int, spans: Sequence[tuple[int, int]], stops: set[int], joins: set[int]
) -> list[tuple[int, int]]:
    """The first finding from a place on, what overlaps it, and what is joined to it.

    Findings side by side, a comma between them at most, are joined if a conjunction follows:
    "consider early repolarization, pericarditis, or injury".
    """
    reached: list[tuple[int, int]] = []
    waiting: list[tuple[int, int]] = []
    place = start
    for first, last in spans:
        gap = set(range(place, first))
        if len(gap) > _SCOPE or gap & stops:
            break
        if not reached or first < place or gap & joins:
            reached.extend([*waiting, (first, last)])
            waiting = []
        elif len(gap) == 1:
            waiting.append((first, last))
        else:
            break
        place = max(place, last)
    return reached


@cache
def _cues() -> PhraseIndex[_Cue]:
    table = read_table("cues.toml")
    entries: list[tuple[str, _Cue]] = []
    certainty: Certainty
    for certainty in ("uncertain", "negated"):
        for direction in _DIRECTIONS:
            texts = table[certainty].get(direction, ())
            entries.extend((text, _Cue(certainty, direction)) for text in texts)
    entries.extend((text, _Cue(None, "none")) for text in table["none"]["cues"])
    return PhraseIndex(entries)


@cache
def _words(kind: str) -> PhraseIndex[bool]:
    return PhraseIndex((word, True) for word in read_table("cues.toml")["scope"][kind])
