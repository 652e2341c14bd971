"""Which leads and which seconds made a score, by covering them."""

from __future__ import annotations

from ecgscreen.explain.document import explanation_document, explanation_lines
from ecgscreen.explain.effects import Effects, find_effects
from ecgscreen.explain.explanation import Explanation, explain
from ecgscreen.explain.picture import draw_explanation

__all__ = [
    "Effects",
    "Explanation",
    "draw_explanation",
    "explain",
    "explanation_document",
    "explanation_lines",
    "find_effects",
]
