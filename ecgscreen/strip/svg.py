"""The strip as SVG, in true size: a millimetre of the paper is a millimetre."""

from __future__ import annotations

from html import escape

from ecgscreen.acquired import acquired_text
from ecgscreen.results import printable
from ecgscreen.strip.layout import (
    LEFT,
    MM,
    NAME_SIZE,
    PULSE_MV,
    PULSE_S,
    SPEED,
    Layout,
    Trace,
    lay_out,
)
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
_SMALL_TEXT = 56
_LONGEST_NAME = 90


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
    return "".join(
        [
            f'<rect width="{width}" height="{height}" fill="{_PAPER_COLOUR}"/>',
            f'<rect width="{width}" height="{height}" fill="url(#{PAPER_ID})"/>',
            behind,
            *_traces(layout),
            *_column_marks(layout),
            *_texts(layout, printable(name), words),
        ]
    )


def _traces(layout: Layout) -> list[str]:
    drawn = [trace for trace in layout.traces if trace.y is not None]
    paths = short_paths([(trace.x, trace.y) for trace in drawn if trace.y is not None])
    ink = '<g fill="none" stroke="#111" stroke-width="6" stroke-linejoin="round" '
    return [
        ink + 'stroke-linecap="round">',
        *_pulses(layout),
        *(
            f'<path data-lead="{trace.lead}" d="{path}"/>'
            for trace, path in zip(drawn, paths, strict=True)
            if path
        ),
        "</g>",
    ]


def _pulses(layout: Layout) -> list[str]:
    """The calibration pulse before each row; none where a height means nothing."""
    if layout.gain is None:
        return []
    pulse = round(PULSE_MV * layout.gain * MM)
    top = round(PULSE_S * SPEED * MM)
    side = (LEFT - top) // 2
    return [
        f'<path d="M0 {baseline}h{side}v-{pulse}h{top}v{pulse}h{side - MM}"/>'
        for baseline in layout.baselines
    ]


def _column_marks(layout: Layout) -> list[str]:
    """A short bar where one lead ends and the next begins."""
    first_row = [trace for trace in layout.traces if trace.baseline == layout.baselines[0]]
    marks = "".join(
        f"M{round(trace.left)} {baseline - 2 * MM}v{4 * MM}"
        for baseline in layout.baselines[:-1]
        for trace in first_row[1:]
    )
    return [f'<path d="{marks}" stroke="#555" stroke-width="4"/>']


def _texts(layout: Layout, name: str, words: StripWords) -> list[str]:
    # A rim in the paper's colour keeps letters readable on the squares.
    group = (
        f'<g font-family="Arial,Helvetica,sans-serif" font-size="{_SMALL_TEXT}" fill="#111" '
        f'stroke="{_PAPER_COLOUR}" stroke-width="14" paint-order="stroke" stroke-linejoin="round">'
    )
    if len(name) > _LONGEST_NAME:
        # The end tells files apart.
        name = f"…{name[-_LONGEST_NAME:]}"
    lower = layout.height - 2 * MM
    return [
        group,
        _text(2 * MM, 4 * MM, name),
        _text(layout.width - 2 * MM, 4 * MM, _seconds(layout.segment, words), anchor="end"),
        _text(2 * MM, lower, _scale(layout, words)),
        *(part for trace in layout.traces for part in _names(trace, words)),
        "</g>",
    ]


def _names(trace: Trace, words: StripWords) -> list[str]:
    name = _text(trace.left + MM, trace.name_y, trace.lead, size=NAME_SIZE, bold=True)
    if trace.y is None:
        missing = words.not_recorded
    elif not (trace.y == trace.y).any():
        missing = words.no_valid_sample
    else:
        return [name]
    return [name, _text(trace.left + MM, trace.baseline + MM, missing)]


def _seconds(segment: Segment, words: StripWords) -> str:
    return words.of_recording.format(
        start=words.number(segment.start_s, 6),
        end=words.number(segment.start_s + segment.duration_s, 6),
        length=words.number(segment.recording_s, 6),
    )


def _scale(layout: Layout, words: StripWords) -> str:
    gain = layout.gain
    parts = [
        f"{SPEED} mm/s",
        words.amplitude_unknown if gain is None else f"{words.number(gain)} mm/mV",
        words.no_filter,
        f"{words.number(layout.segment.sampling_rate, 6)} Hz",
    ]
    if layout.segment.acquired is not None:
        parts.append(words.acquired.format(when=acquired_text(layout.segment.acquired)))
    return " · ".join([*parts, *([words.cut_off] if layout.cut_off else [])])


def _text(
    x: float,
    y: float,
    content: str,
    *,
    anchor: str = "start",
    size: int = _SMALL_TEXT,
    bold: bool = False,
) -> str:
    attributes = f' text-anchor="{anchor}"' if anchor != "start" else ""
    if size != _SMALL_TEXT:
        attributes += f' font-size="{size}"'
    if bold:
        attributes += ' font-weight="bold"'
    return f'<text x="{round(x)}" y="{round(y)}"{attributes}>{escape(content)}</text>'
