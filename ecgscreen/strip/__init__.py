"""The 12-lead strip: a recording as it came, on ECG paper or in a terminal."""

from __future__ import annotations

from ecgscreen.strip.png import draw_png
from ecgscreen.strip.segment import STRIP_S, Segment, cut_pieces, cut_segment
from ecgscreen.strip.svg import PAPER_DEFINITION, draw_strip
from ecgscreen.strip.terminal import terminal_strip

__all__ = [
    "PAPER_DEFINITION",
    "STRIP_S",
    "Segment",
    "cut_pieces",
    "cut_segment",
    "draw_png",
    "draw_strip",
    "terminal_strip",
]
