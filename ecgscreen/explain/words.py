"""What is written on the picture of an explanation, in the languages of the reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class ExplainWords:
    """The words of one language; braces stand for values.

    Attributes
    ----------
    title
        Of the picture.
    all_leads
        Names the row of all leads together.
    colours
        What the colours mean.
    largest
        How much the deepest colour stands for.
    whole
        Names the part of each lead that is shown as a table.
    caution
        What the picture is not.
    """

    title: str
    all_leads: str
    colours: str
    largest: str
    whole: str
    caution: str


EXPLAIN_WORDS: Mapping[str, ExplainWords] = MappingProxyType(
    {
        "en": ExplainWords(
            title="{diagnosis}: score {score}",
            all_leads="all",
            colours="orange speaks for it: covered, the score falls; blue speaks against it",
            largest="deepest colour: {all} in all leads, {one} in one lead",
            whole="one part of all beats covered, lead by lead",
            caution="what the model looks at, not what the heart has",
        ),
        "de": ExplainWords(
            title="{diagnosis}: Wert {score}",
            all_leads="alle",
            colours="Orange spricht dafür: verdeckt fällt der Wert; Blau spricht dagegen",
            largest="dunkelste Farbe: {all} in allen Ableitungen, {one} in einer",
            whole="ein Teil aller Schläge verdeckt, Ableitung für Ableitung",
            caution="worauf das Modell schaut, nicht was das Herz hat",
        ),
    }
)
"""Language -> its words."""
