"""Findings that a report puts together: a region and a noun, a wave and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from trainer.reports.lexicon import Mention
from trainer.reports.phrases import Match, PhraseIndex
from trainer.reports.tables import read_table
from trainer.reports.tokens import Token

_FARTHEST = 9
"""Tokens between a region and its noun; "old inferior and lateral wall ..." needs seven."""


@dataclass(frozen=True)
class _Parts:
    """``compositions.toml``, ready for searching."""

    nouns: PhraseIndex[int]
    concepts: tuple[dict[str, str], ...]
    regions: PhraseIndex[str]
    between: PhraseIndex[bool]
    waves: PhraseIndex[int]
    attributes: tuple[PhraseIndex[str], ...]


def with_regions(tokens: Sequence[Token], named: Sequence[Mention]) -> list[Mention]:
    """Add infarction, injury and ischaemia with their regions to what is named outright.

    "Old inferior and lateral myocardial infarction" are two, "lateral ischaemia or
    subendocardial infarction" have one region. A noun without a region is the concept that
    ``alone`` names, unless a wording around it says more.

    Parameters
    ----------
    tokens
        Of one sentence.
    named
        From `trainer.reports.lexicon.named_mentions`; those that the composed ones replace
        are not given back.
    """
    parts = _parts()
    nouns = parts.nouns.find(tokens)
    regions = {match.first: match for match in parts.regions.find(tokens)}
    fillers = _places(parts.between.find(tokens))
    kept = list(named)
    for noun in nouns:
        concepts = parts.concepts[noun.value]
        before = _regions_before(tokens, noun.first, regions, fillers, _places(nouns))
        found = before or _regions_after(tokens, noun.last, regions, fillers)
        composed = [
            Mention(concepts[r.value], min(r.first, noun.first), max(r.last, noun.last))
            for r in found
            if r.value in concepts
        ]
        if composed:
            same_noun = set(concepts.values())
            kept = [m for m in kept if not _replaces(noun, same_noun, m)]
            kept.extend(composed)
        elif "alone" in concepts and not any(_names(mention, noun) for mention in kept):
            kept.append(Mention(concepts["alone"], noun.first, noun.last))
    return kept


def wave_mentions(tokens: Sequence[Token], taken: frozenset[int]) -> list[Mention]:
    """What is said of a wave: "T waves are low in I and inverted in aVL".

    An attribute belongs to the wave just before it, else to the one just behind it ("flaches
    T"), else to the last one named in the sentence.

    Parameters
    ----------
    tokens
        Of one sentence.
    taken
        Places of tokens that already name a concept; they are no attributes.
    """
    parts = _parts()
    waves = parts.waves.find(tokens)
    starts = {match.first: match for match in waves}
    mentions: list[Mention] = []
    for place in sorted(set(range(len(tokens))) - taken):
        wave = next((match for match in reversed(waves) if match.last <= place), None)
        if wave is None or wave.last != place:
            wave = starts.get(place + 1, wave)
        if wave is not None:
            found = parts.attributes[wave.value].find(tokens[place : place + 1])
            mentions.extend(Mention(match.value, place, place + 1) for match in found)
    return mentions


def _regions_before(
    tokens: Sequence[Token],
    end: int,
    regions: dict[int, Match[str]],
    fillers: frozenset[int],
    nouns: frozenset[int],
) -> list[Match[str]]:
    ends = {match.last: match for match in regions.values()}
    found: list[Match[str]] = []
    place = end
    while place > 0 and end - place < _FARTHEST:
        if place in ends:
            found.append(ends[place])
            place = ends[place].first
        elif tokens[place - 1].kind == "break" or place - 1 in fillers or place - 1 in nouns:
            place -= 1
        else:
            break
    return found


def _regions_after(
    tokens: Sequence[Token], start: int, regions: dict[int, Match[str]], fillers: frozenset[int]
) -> list[Match[str]]:
    """Only adjectives that end the phrase: not those of the next noun."""
    found: list[Match[str]] = []
    place = start
    while place < len(tokens):
        if place in regions:
            found.append(regions[place])
            place = regions[place].last
        elif tokens[place].kind == "break" or place in fillers:
            place += 1
        else:
            break
    rest = tokens[place:]
    next_is_noun = bool(rest) and bool(_parts().nouns.find(rest[:2]))
    return [] if next_is_noun else found


def _replaces(noun: Match[int], same_noun: set[str], mention: Mention) -> bool:
    """The mention says the same without the regions, or is a part of the noun only."""
    inside = noun.first <= mention.first and mention.last <= noun.last
    return inside or (_names(mention, noun) and mention.concept_id in same_noun)


def _names(mention: Mention, noun: Match[int]) -> bool:
    return mention.first < noun.last and noun.first < mention.last


def _places(matches: Sequence[Match[int]] | Sequence[Match[bool]]) -> frozenset[int]:
    return frozenset(place for match in matches for place in range(match.first, match.last))


@cache
def _parts() -> _Parts:
    table = read_table("compositions.toml")
    heads, waves = table["head"], table["wave"]
    return _Parts(
        nouns=PhraseIndex((noun, i) for i, head in enumerate(heads) for noun in head["nouns"]),
        concepts=tuple({k: v for k, v in head.items() if k != "nouns"} for head in heads),
        regions=PhraseIndex(
            (text, key) for key, texts in table["regions"].items() for text in texts
        ),
        between=PhraseIndex((word, True) for word in table["between"]["words"]),
        waves=PhraseIndex((name, i) for i, wave in enumerate(waves) for name in wave["names"]),
        attributes=tuple(
            PhraseIndex((text, k) for k, texts in wave.items() if k != "names" for text in texts)
            for wave in waves
        ),
    )
