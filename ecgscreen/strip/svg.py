"""The strip as SVG, in true size: a millimetre of the paper is a millimetre."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from ecgscreen.results import printable
from ecgscreen.strip.labels import SMALL_SIZE, Label, labels
from ecgscreen.strip.layout import MM, Layout, column_marks, lay_out, pulses
from ecgscreen.strip.paths import short_paths
from ecgscreen.strip.segment import Segment
from ecgscreen.strip.words import STRIP_WORDS, StripWords

PAPER_ID = "ecg-paper"

PAPER_DEFINITION = (
    f'<defs><pattern id="{PAPER_ID}" width="100" height="100" patternUnits="userSpaceOnUse">'
    '<path d="M20 0v100M40 0v100M60 0v100M80 0v100M0 20h100M0 40h100M0 60h100M0 80h100" '
    'fill="none" stroke="#f6cccc" stroke-width="2"/>'
    '<path d="M0 0v100M0 0h100" fill="none" stroke="#e59b9b" stroke-width="6"/>'
    "</pattern></defs>"
)
"""Squares of 1 and 5 mm. A page with several strips has it once."""

_PAPER_COLOUR = "#fffbfa"


def draw_strip(
    segment: Segment, name: str, language: str = "en", *, with_paper_definition: bool = True
) -> str:
    """Draw a segment of a recording on ECG paper.

    Three rows of four leads and a rhythm strip, 25 mm/s and 10 mm/mV (less where it would not
    fit the page, and then printed so), with a calibration pulse. The signal is not filtered;
    each lead is shifted to its median.

    Parameters
    ----------
    segment
        From `ecgscreen.strip.cut_segment`.
    name
        The recording's name; any text.
    language
        Of `ecgscreen.strip.words.STRIP_WORDS`.
    with_paper_definition
        False if the page that it goes into holds `PAPER_DEFINITION`.

    Returns
    -------
    An ``svg`` element, without script, style sheet or reference to anything outside.
    """
    words = STRIP_WORDS[language]
    layout = lay_out(segment)
    return svg_element(
        layout.width,
        layout.height,
        description(segment, name, words),
        PAPER_DEFINITION if with_paper_definition else "",
        strip_content(layout, name, words),
    )


def svg_element(width: int, height: int, label: str, *content: str) -> str:
    """An ``svg`` element in true size.

    Parameters
    ----------
    width, height
        In drawing units, of which `ecgscreen.strip.layout.MM` are a millimetre.
    label
        What it is, for somebody who hears it read; any text.
    content
        SVG elements.
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width // MM}mm" '
        f'height="{height // MM}mm" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}">{"".join(content)}</svg>'
    )


def description(segment: Segment, name: str, words: StripWords) -> str:
    """What the picture of a segment is, in words."""
    return words.strip.format(
        name=printable(name),
        start=words.number(segment.start_s, 6),
        end=words.number(segment.start_s + segment.duration_s, 6),
        leads=", ".join(segment.leads),
    )


def strip_content(layout: Layout, name: str, words: StripWords, behind: str = "") -> str:
    """What lies on the paper: squares, traces, names.

    Parameters
    ----------
    layout
        From `ecgscreen.strip.layout.lay_out`.
    name
        The recording's name; any text.
    words
        Of a language.
    behind
        SVG elements between the squares and the traces.
    """
    width, height = layout.width, layout.height
    marks = "".join(map(_corners, column_marks(layout)))
    return "".join(
        [
            f'<rect width="{width}" height="{height}" fill="{_PAPER_COLOUR}"/>',
            f'<rect width="{width}" height="{height}" fill="url(#{PAPER_ID})"/>',
            behind,
            *_traces(layout),
            f'<path d="{marks}" stroke="#555" stroke-width="4"/>',
            *_texts(layout, name, words),
        ]
    )


def _traces(layout: Layout) -> list[str]:
    drawn = [trace for trace in layout.traces if trace.y is not None]
    paths = short_paths([(trace.x, trace.y) for trace in drawn if trace.y is not None])
    ink = '<g fill="none" stroke="#111" stroke-width="6" stroke-linejoin="round" '
    return [
        ink + 'stroke-linecap="round">',
        *(f'<path d="{_corners(pulse)}"/>' for pulse in pulses(layout)),
        *(
            f'<path data-lead="{trace.lead}" d="{path}"/>'
            for trace, path in zip(drawn, paths, strict=True)
            if path
        ),
        "</g>",
    ]


def _corners(points: Sequence[tuple[int, int]]) -> str:
    """A path along lines that are level or upright."""
    path = f"M{points[0][0]} {points[0][1]}"
    for (x, y), (next_x, next_y) in pairwise(points):
        path += f"h{next_x - x}" if next_y == y else f"v{next_y - y}"
    return path


def _texts(layout: Layout, name: str, words: StripWords) -> list[str]:
    # A rim in the paper's colour keeps letters readable on the squares.
    group = (
        f'<g font-family="Arial,Helvetica,sans-serif" font-size="{SMALL_SIZE}" fill="#111" '
        f'stroke="{_PAPER_COLOUR}" stroke-width="14" paint-order="stroke" stroke-linejoin="round">'
    )
    return [group, *map(_text, labels(layout, name, words)), "</g>"]


def _text(label: Label) -> str:
    attributes = ' text-anchor="end"' if label.at_end else ""
    if label.size != SMALL_SIZE:
        attributes += f' font-size="{label.size}"'
    if label.bold:
        attributes += ' font-weight="bold"'
    return f'<text x="{label.x}" y="{label.y}"{attributes}>{escape(label.text)}</text>'
