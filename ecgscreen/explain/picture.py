"""The picture of an explanation: the strip with what speaks for the diagnosis behind the traces.

Below it, on the same axis of time, a map of all leads over all seconds (the strip itself shows each
lead for a quarter of the time), and the parts of the beat.
"""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from ecgscreen.explain.effects import STEP_S
from ecgscreen.explain.explanation import Explanation
from ecgscreen.explain.occlusion import PARTS
from ecgscreen.explain.words import EXPLAIN_WORDS, ExplainWords
from ecgscreen.recording import LEADS, Recording
from ecgscreen.results import printable
from ecgscreen.strip import PAPER_DEFINITION, cut_segment
from ecgscreen.strip.layout import LEFT, MM, SPEED, Layout, lay_out
from ecgscreen.strip.svg import description, strip_content, svg_element
from ecgscreen.strip.words import STRIP_WORDS, StripWords

FOR, AGAINST = "#e8710a", "#1f6fb4"
"""Colours that are told apart with any colour vision."""

_FAINTEST = 0.04
"""Share of the largest effect below which nothing is drawn."""

_LEAST_SCALE = 0.02
"""The deepest colour stands for this at least, so that nothing is drawn of what prints as 0.000."""

_DEEPEST = 0.75
_SHADE_ABOVE, _SHADE_BELOW = 7 * MM, 5 * MM
_ROW = 4 * MM
_CELL = 20 * MM
_TEXT = 56
_GAP = 8 * MM


def draw_explanation(
    explanation: Explanation, recording: Recording, name: str, language: str = "en"
) -> str:
    """Draw what made a score.

    Parameters
    ----------
    explanation
        From `ecgscreen.explain.explain`.
    recording
        As it was read: what is shown is not filtered.
    name
        The recording's name; any text.
    language
        Of `ecgscreen.explain.words.EXPLAIN_WORDS`.

    Returns
    -------
    An ``svg`` element, without script, style sheet or reference to anything outside.
    """
    words, strip_words = EXPLAIN_WORDS[language], STRIP_WORDS[language]
    segment = cut_segment(recording, explanation.window_start_s, explanation.window_s)
    layout = lay_out(segment)
    heading = words.title.format(
        diagnosis=printable(explanation.row.name),
        score=strip_words.number(explanation.effects.score),
    )
    map_top = layout.height + _GAP
    parts_top = map_top + _ROW * (1 + len(explanation.effects.leads)) + 2 * _GAP
    height = parts_top + _ROW * (1 + len(PARTS)) + 2 * _GAP
    return svg_element(
        layout.width,
        -(-height // MM) * MM,
        f"{heading}. {description(segment, name, strip_words)}",
        PAPER_DEFINITION,
        f'<rect width="{layout.width}" height="{height}" fill="#fff"/>',
        strip_content(layout, name, strip_words, _shades(explanation, layout)),
        f'<g font-family="Arial,Helvetica,sans-serif" font-size="{_TEXT}" fill="#111">',
        _text(LEFT, map_top - 2 * MM, heading, bold=True),
        *_map(explanation, map_top, words),
        _text(LEFT, parts_top - 6 * MM, _legend(explanation, words, strip_words)),
        *_parts(explanation, parts_top, words, strip_words),
        "</g>",
    )


def _shades(explanation: Explanation, layout: Layout) -> str:
    """Behind each trace, the effects of its own lead at its own time."""
    effects = explanation.effects
    largest = _scale(effects.cells)
    rows = dict(zip(effects.leads, effects.cells, strict=True))
    shades = []
    for trace in layout.traces:
        if trace.lead not in rows:
            continue
        for start, value in zip(effects.starts_s.tolist(), rows[trace.lead], strict=True):
            left = max(LEFT + start * SPEED * MM, trace.left)
            right = min(LEFT + (start + STEP_S) * SPEED * MM, trace.right)
            if right > left:
                top, height = trace.baseline - _SHADE_ABOVE, _SHADE_ABOVE + _SHADE_BELOW
                shades.append(_box(left, top, right - left, height, float(value), largest))
    return "".join(shades)


def _map(explanation: Explanation, top: int, words: ExplainWords) -> list[str]:
    effects = explanation.effects
    step = STEP_S * SPEED * MM
    parts = []
    rows = [(words.all_leads, effects.seconds, _scale(effects.seconds))]
    largest = _scale(effects.cells)
    rows += [(lead, row, largest) for lead, row in zip(effects.leads, effects.cells, strict=True)]
    for k, (label, values, scale) in enumerate(rows):
        y = top + k * _ROW
        parts.append(_text(LEFT - MM, y + _ROW - MM, label, anchor="end"))
        for start, value in zip(effects.starts_s.tolist(), values, strict=True):
            x = LEFT + start * SPEED * MM
            parts.append(_box(x, y, step, _ROW, float(value), scale))
    height = len(rows) * _ROW
    width = explanation.window_s * SPEED * MM
    parts.append(
        f'<rect x="{LEFT}" y="{top}" width="{round(width)}" height="{height}" fill="none" '
        'stroke="#555" stroke-width="4"/>'
    )
    for second in range(int(explanation.window_s) + 1):
        at = LEFT + second * SPEED * MM
        label = f"{explanation.window_start_s + second:g}"
        parts.append(_text(at, top + height + 3 * MM, label, anchor="middle"))
    return parts


def _legend(explanation: Explanation, words: ExplainWords, strip_words: StripWords) -> str:
    effects = explanation.effects
    largest = words.largest.format(
        all=strip_words.number(_scale(effects.seconds), 2),
        one=strip_words.number(_scale(effects.cells), 2),
    )
    return f"{words.colours} · {largest}"


def _parts(
    explanation: Explanation, top: int, words: ExplainWords, strip_words: StripWords
) -> list[str]:
    effects = explanation.effects
    largest = _scale(effects.parts)
    parts = [_text(LEFT, top - 2 * MM, words.whole)]
    for k, name in enumerate(PARTS):
        y = top + (k + 1) * _ROW
        parts.append(_text(LEFT - MM, y + _ROW - MM, name, anchor="end"))
        for column, lead in enumerate(LEADS):
            x = LEFT + column * _CELL
            if k == 0:
                parts.append(_text(x + _CELL // 2, y - MM, lead, anchor="middle"))
            if lead not in effects.leads:
                continue
            value = float(effects.parts[effects.leads.index(lead), k])
            parts.append(_box(x, y, _CELL, _ROW, value, largest))
            number = f"{value:+.3f}".replace(".", strip_words.decimal_point)
            parts.append(_text(x + _CELL // 2, y + _ROW - MM, number, anchor="middle"))
    parts.append(_text(LEFT, top + (1 + len(PARTS)) * _ROW + 5 * MM, words.caution))
    return parts


def _scale(values: NDArray[np.float64]) -> float:
    """What the deepest colour stands for."""
    return float(np.abs(values).max(initial=_LEAST_SCALE))


def _box(x: float, y: float, width: float, height: float, value: float, largest: float) -> str:
    share = abs(value) / largest
    if share < _FAINTEST:
        return ""
    return (
        f'<rect x="{round(x)}" y="{round(y)}" width="{round(width)}" height="{round(height)}" '
        f'fill="{FOR if value > 0 else AGAINST}" fill-opacity="{_DEEPEST * share:.2f}"/>'
    )


def _text(x: float, y: float, content: str, *, anchor: str = "start", bold: bool = False) -> str:
    attributes = f' text-anchor="{anchor}"' if anchor != "start" else ""
    attributes += ' font-weight="bold"' if bold else ""
    return f'<text x="{round(x)}" y="{round(y)}"{attributes}>{escape(content)}</text>'
