"""The strip in a terminal: lead below lead, in braille dots."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ecgscreen.acquired import acquired_text
from ecgscreen.readers.pieces import Pieces, in_memory
from ecgscreen.recording import LEADS, Recording
from ecgscreen.strip.segment import STRIP_S, Segment, cut_pieces
from ecgscreen.strip.words import STRIP_WORDS, StripWords

DOTS_A_SECOND = 30
"""The coarsest at which P waves can still be seen."""

DOTS_A_MV = (8.0, 4.0, 2.0, 1.0, 0.5)
TALLEST = 32
"""Dots that a lead may be high: eight lines."""

MIN_WIDTH = 30
_MARGIN = 5
_BRAILLE = 0x2800
_DOT_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille cell's two by four dots, row by row (Unicode, chapter 21)."""


def terminal_strip(
    recording: Recording | Pieces, width: int, start_s: float = 0.0, language: str = "en"
) -> list[str]:
    """Draw a recording as lines of text.

    Parameters
    ----------
    recording
        Any.
    width
        Columns of the terminal; fewer than `MIN_WIDTH` are taken as that many. Wide terminals
        show `STRIP_S` seconds, narrow ones less.
    start_s
        Where to begin, in seconds.
    language
        Of `ecgscreen.strip.words.STRIP_WORDS`.

    Returns
    -------
    Lines: for each of the twelve leads its name and its trace, all at one scale, and a last one
    that says which seconds are shown, and how.
    """
    words = STRIP_WORDS[language]
    n_columns = 2 * (max(width, MIN_WIDTH) - _MARGIN)
    pieces = in_memory(recording) if isinstance(recording, Recording) else recording
    segment = cut_pieces(pieces, start_s, min(STRIP_S, n_columns / DOTS_A_SECOND))
    scale = _scale(segment)
    lines: list[str] = []
    for lead in LEADS:
        samples = segment.leads.get(lead)
        if samples is None:
            lines.append(f"{lead:<{_MARGIN}}{words.not_recorded}")
        elif not np.isfinite(samples).any():
            lines.append(f"{lead:<{_MARGIN}}{words.no_valid_sample}")
        else:
            lines += _lead_lines(lead, _dots(samples * np.float32(scale), n_columns))
    return [*lines, _caption(segment, scale, words)]


def _scale(segment: Segment) -> float:
    """Dots a mV (a unit, where the amplitude is unknown), the same for all leads."""
    tallest = max((_range(samples) for samples in segment.leads.values()), default=0.0)
    if not segment.amplitude_known:
        return TALLEST / 2 / tallest if tallest > 0 else 1.0
    return next(
        (scale for scale in DOTS_A_MV if scale * tallest <= TALLEST),
        TALLEST / tallest if tallest > 0 else 1.0,
    )


def _range(samples: NDArray[np.float32]) -> float:
    valid = samples[np.isfinite(samples)]
    return float(valid.max() - valid.min()) if len(valid) else 0.0


def _dots(heights: NDArray[np.float32], n_columns: int) -> NDArray[np.bool_]:
    """Raise the dots of a trace: bool, shape (n_rows, n_columns), the first row on top."""
    valid = np.isfinite(heights)
    levels = np.rint(np.where(valid, heights, 0)).astype(np.int64)
    lowest, highest = int(levels[valid].min()), int(levels[valid].max())
    dots = np.zeros((highest - lowest + 1, n_columns), np.bool_)
    edges = np.linspace(0, len(levels), n_columns + 1).round().astype(np.int64)
    for column, (begin, end) in enumerate(pairwise(edges.tolist())):
        # With the sample before, so that steep slopes are joined.
        part = slice(max(begin - 1, 0), max(end, begin + 1))
        inside = levels[part][valid[part]]
        if len(inside):
            dots[highest - inside.max() : highest - inside.min() + 1, column] = True
    return dots


def _lead_lines(lead: str, dots: NDArray[np.bool_]) -> list[str]:
    n_lines = -(-len(dots) // 4)
    padded = np.zeros((4 * n_lines, dots.shape[1] + dots.shape[1] % 2), np.bool_)
    padded[: len(dots), : dots.shape[1]] = dots
    cells = padded.reshape(n_lines, 4, -1, 2).transpose(0, 2, 1, 3)
    codes = (cells * np.array(_DOT_BITS)).sum(axis=(2, 3))
    names = [lead, *[""] * (n_lines - 1)]
    return [
        f"{name:<{_MARGIN}}{''.join(chr(_BRAILLE + code) for code in line)}".rstrip("\u2800 ")
        for name, line in zip(names, codes.tolist(), strict=True)
    ]


def _caption(segment: Segment, scale: float, words: StripWords) -> str:
    seconds = words.of_recording.format(
        start=words.number(segment.start_s, 6),
        end=words.number(segment.start_s + segment.duration_s, 6),
        length=words.number(segment.recording_s, 6),
    )
    height = words.amplitude_unknown
    if segment.amplitude_known:
        height = words.line_is.format(mv=words.number(4 / scale))
    rate = words.number(segment.sampling_rate, 6)
    parts = [seconds, height, words.no_filter, f"{rate} Hz"]
    if segment.acquired is not None:
        parts.append(words.acquired.format(when=acquired_text(segment.acquired)))
    return " · ".join(parts)
