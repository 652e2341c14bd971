"""What is written on a strip, and where; the same however it is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ecgscreen.acquired import acquired_text
from ecgscreen.results import printable
from ecgscreen.strip.layout import MM, NAME_SIZE, SPEED, Layout, Trace
from ecgscreen.strip.segment import Segment
from ecgscreen.strip.words import StripWords

SMALL_SIZE = 56
_LONGEST_NAME = 90


@dataclass(frozen=True)
class Label:
    """A line of text.

    Attributes
    ----------
    x, y
        Where its baseline begins, or ends, in drawing units.
    text
        Without anything that cannot be printed.
    at_end
        Whether x is where it ends.
    size
        Of the letters, in drawing units.
    bold
        Whether it is a lead's name.
    """

    x: int
    y: int
    text: str
    at_end: bool = False
    size: int = SMALL_SIZE
    bold: bool = False


def labels(layout: Layout, name: str, words: StripWords) -> Iterator[Label]:
    """Yield everything that is written on a strip.

    Parameters
    ----------
    layout
        From `ecgscreen.strip.layout.lay_out`.
    name
        The recording's name; any text.
    words
        Of a language.
    """
    name = printable(name)
    if len(name) > _LONGEST_NAME:
        # The end tells files apart.
        name = f"…{name[-_LONGEST_NAME:]}"
    lower = layout.height - 2 * MM
    yield Label(2 * MM, 4 * MM, name)
    yield Label(layout.width - 2 * MM, 4 * MM, _seconds(layout.segment, words), at_end=True)
    yield Label(2 * MM, lower, _scale(layout, words))
    for trace in layout.traces:
        yield from _names(trace, words)


def _names(trace: Trace, words: StripWords) -> Iterator[Label]:
    left = trace.left + MM
    yield Label(round(left), round(trace.name_y), trace.lead, size=NAME_SIZE, bold=True)
    if trace.y is None:
        yield Label(round(left), round(trace.baseline + MM), words.not_recorded)
    elif not (trace.y == trace.y).any():
        yield Label(round(left), round(trace.baseline + MM), words.no_valid_sample)


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
