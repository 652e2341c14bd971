"""``ecgscreen explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecgscreen.commands.options import Bundle, Engine, Language, PrecisionName, parse_place
from ecgscreen.commands.record import read_record
from ecgscreen.errors import EngineError, UsageError

if TYPE_CHECKING:
    from ecgscreen import bundle as bundles
    from engines.base import Engine as AnyEngine


def explain(
    record: Annotated[
        Path, typer.Argument(help="A recording, such as records/00001.hea.", parser=parse_place)
    ],
    diagnosis: Annotated[
        str, typer.Option("--diagnosis", help="As a line of a list: 'a | b' are synonyms.")
    ],
    against: Annotated[
        list[str] | None,
        typer.Option("--against", help="What it is told from, such as 'sinus rhythm'; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the picture here, as SVG.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here as JSON.")
    ] = None,
    start: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Explain the ten seconds that hold this one.",
            show_default="those with the highest score",
        ),
    ] = None,
    leads: Annotated[bool, typer.Option("--leads", help="Print the leads only.")] = False,
    seconds: Annotated[bool, typer.Option("--seconds", help="Print the seconds only.")] = False,
    bundle: Bundle = None,
    engine: Engine = None,
    # Less than float32 blurs what one lead gives.
    precision: Annotated[
        PrecisionName, typer.Option("--precision", help="Small effects need f32.")
    ] = "f32",
    language: Language = "en",
) -> None:
    """Show which leads and which seconds of a recording made its score."""
    from ecgscreen.bundle import default_bundle, load_bundle
    from ecgscreen.diagnoses import load_words
    from ecgscreen.explain import (
        draw_explanation,
        explanation_document,
        explanation_lines,
    )
    from ecgscreen.explain import explain as find_explanation
    from ecgscreen.prompts import embed_list
    from ecgscreen.publish import check_file_can_be, publish_bytes, publish_json, storing
    from ecgscreen.vocabulary import load_vocabulary

    if out is not None and out.suffix.casefold() != ".svg":
        raise UsageError(
            f"{out}: only SVG is written, expected a name that ends in .svg",
            "A browser opens it, prints it and makes a picture of it.",
        )
    for file in filter(None, (out, json_file)):
        check_file_can_be(file)
    loaded = load_bundle(bundle or default_bundle())
    prompts = embed_list(load_words(diagnosis, against or ()), loaded, load_vocabulary())
    recording = read_record(record)
    running = _load_engine(engine or "openvino", loaded, precision)
    found = find_explanation(recording, prompts, loaded, running, start)
    both = leads == seconds
    for line in explanation_lines(found, record.name, seconds=both or seconds, leads=both or leads):
        typer.echo(line)
    if out is not None:
        drawing = draw_explanation(found, recording, record.name, language)
        with storing(out):
            publish_bytes(out, f'<?xml version="1.0" encoding="UTF-8"?>\n{drawing}\n'.encode())
    if json_file is not None:
        with storing(json_file):
            publish_json(json_file, explanation_document(found, record.name, loaded, running.info))


def _load_engine(name: str, bundle: bundles.Bundle, precision: str) -> AnyEngine:
    from engines.base import EngineUnavailableError
    from engines.select import load_engine

    try:
        return load_engine(name, bundle.encoder_onnx, precision=precision)
    except EngineUnavailableError as error:
        raise EngineError(error.message, error.advice) from error
