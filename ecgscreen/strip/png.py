"""The strip as PNG, for what cannot show SVG: a message, a slide, a record system."""

from __future__ import annotations

import unicodedata
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ecgscreen.strip.labels import SMALL_SIZE, Label, labels
from ecgscreen.strip.layout import MM, Layout, column_marks, lay_out, pulses
from ecgscreen.strip.paths import runs
from ecgscreen.strip.segment import Segment
from ecgscreen.strip.words import STRIP_WORDS

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

PIXELS_A_MM = 8
"""A line of 1 mm squares falls on whole pixels; 203 dots an inch."""

_PAPER, _SMALL, _LARGE, _INK, _MARK = "#fffbfa", "#f6cccc", "#e59b9b", "#111111", "#555555"
_FINER = 3
"""Traces are drawn so many times as large and brought down, so that their edges are smooth."""

_TRACE_MM, _RIM = 0.3, 3
_FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")


def draw_png(segment: Segment, name: str, language: str = "en") -> bytes:
    """Draw a segment of a recording on ECG paper, as `ecgscreen.strip.draw_strip` does.

    Parameters
    ----------
    segment, name, language
        As `ecgscreen.strip.draw_strip` has them.

    Returns
    -------
    A PNG that says its size in millimetres: printed so, it is in true size.
    """
    from PIL import Image

    layout = lay_out(segment)
    picture = _paper(layout)
    size = (picture.width * _FINER, picture.height * _FINER)
    ink = Image.new("L", size)
    _draw_traces(ink, layout)
    picture.paste(_INK, mask=ink.reduce(_FINER))
    _write(picture, [*labels(layout, name, STRIP_WORDS[language])])
    content = BytesIO()
    picture.save(content, "PNG", dpi=(PIXELS_A_MM * 25.4, PIXELS_A_MM * 25.4), optimize=True)
    return content.getvalue()


def _paper(layout: Layout) -> Image:
    """Squares of 1 and 5 mm, and the bars between leads."""
    from PIL import Image, ImageDraw

    width, height = _pixels(layout.width), _pixels(layout.height)
    picture = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(picture)
    for step_mm, colour, line in ((1, _SMALL, 1), (5, _LARGE, 2)):
        step = step_mm * PIXELS_A_MM
        for x in range(0, width, step):
            draw.line(((x, 0), (x, height)), colour, line)
        for y in range(0, height, step):
            draw.line(((0, y), (width, y)), colour, line)
    for ends in column_marks(layout):
        draw.line([(_pixels(x), _pixels(y)) for x, y in ends], _MARK, 2)
    return picture


def _draw_traces(ink: Image, layout: Layout) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(ink)
    scale = PIXELS_A_MM * _FINER / MM
    width = round(_TRACE_MM * PIXELS_A_MM * _FINER)
    for corners in pulses(layout):
        draw.line([(x * scale, y * scale) for x, y in corners], 255, width, joint="curve")
    for trace in layout.traces:
        if trace.y is None:
            continue
        for x, y in runs(trace.x, trace.y):
            points = list(zip((x * scale).tolist(), (y * scale).tolist(), strict=True))
            draw.line(points, 255, width, joint="curve")
            draw.circle(points[0], width / 2, 255)  # a single sample between two gaps, too


def _write(picture: Image, texts: list[Label]) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    for label in texts:
        font, text = _font(label)
        draw.text(
            (_pixels(label.x), _pixels(label.y)),
            text,
            _INK,
            font,
            "rs" if label.at_end else "ls",
            stroke_width=_RIM,  # keeps letters readable on the squares
            stroke_fill=_PAPER,
        )


def _font(label: Label) -> tuple[FreeTypeFont | ImageFont, str]:
    """A font, and the text as far as it has letters for it."""
    from PIL import ImageFont

    size = _pixels(label.size) if label.bold else _pixels(SMALL_SIZE)
    # matplotlib, which wfdb brings, carries fonts; it is not imported.
    found = find_spec("matplotlib")
    for folder in found.submodule_search_locations or () if found is not None else ():
        file = Path(folder, "mpl-data", "fonts", "ttf", _FONTS[label.bold])
        if file.is_file():
            return ImageFont.truetype(file, size), label.text
    # Pillow's own has letters of English only.
    plain = unicodedata.normalize("NFKD", label.text).replace("·", "-")
    return ImageFont.load_default(size), plain.encode("ascii", "ignore").decode("ascii")


def _pixels(units: float) -> int:
    return round(units * PIXELS_A_MM / MM)
