"""``ecgscreen show``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgscreen.commands.options import Language, parse_place
from ecgscreen.commands.record import open_record
from ecgscreen.errors import UsageError

if TYPE_CHECKING:
    from ecgscreen.readers.pieces import Pieces


def show(
    record: Annotated[
        Path, typer.Argument(help="A recording, such as records/00001.hea.", parser=parse_place)
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write an SVG or a PNG here, not to the terminal."),
    ] = None,
    start: Annotated[float, typer.Option(min=0, help="Where to begin, in seconds.")] = 0.0,
    language: Language = "en",
) -> None:
    """Draw ten seconds of a recording, as it came."""
    from ecgscreen.publish import check_file_can_be, publish_bytes, storing
    from ecgscreen.strip import cut_pieces, draw_png, draw_strip, terminal_strip

    if out is not None:
        if out.suffix.casefold() not in {".svg", ".png"}:
            raise UsageError(f"{out}: expected a name that ends in .svg or .png")
        check_file_can_be(out)
    recording = open_record(record)
    if out is None:
        from rich.console import Console

        # Where nobody looks, as in a file, ten seconds are worth more than the lines' length.
        width = Console().width if sys.stdout.isatty() else 160
        *traces, caption = terminal_strip(recording, width, start, language)
        _print([*traces, _quality_line(recording, start, language), caption])
        return
    segment = cut_pieces(recording, start)
    if out.suffix.casefold() == ".png":
        content = draw_png(segment, record.name, language)
    else:
        drawing = draw_strip(segment, record.name, language)
        content = f'<?xml version="1.0" encoding="UTF-8"?>\n{drawing}\n'.encode()
    with storing(out):
        publish_bytes(out, content)


def _quality_line(recording: Pieces, start_s: float, language: str) -> str:
    """What quality has to say of the seconds shown, and what it cannot at their rate."""
    from dataclasses import replace

    import numpy as np

    from ecgscreen.assessment import assess
    from ecgscreen.quality_remarks import not_judged
    from ecgscreen.reports.html.words import load_words
    from ecgscreen.strip import cut_pieces

    words = load_words(language)
    segment = cut_pieces(recording, start_s)
    signal = np.stack(list(segment.leads.values()))
    shown = replace(recording.whole, signal=signal, lead_names=tuple(segment.leads))
    _, quality = assess(shown)
    parts = [f"{words['quality']}: {words.quality_phrase(quality.summary)}"]
    if beyond := not_judged(segment.sampling_rate):
        names = words.quality_phrase(", ".join(beyond))
        parts.append(f"{words['not_judged']}: {names}")
    return " · ".join(parts)


def _print(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError as error:
        raise UsageError(
            f"this terminal writes {sys.stdout.encoding}, which has no braille dots",
            "Set a UTF-8 locale, or give --out with a name that ends in .svg or .png.",
        ) from error
    typer.echo(text)
