"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Bundle = Annotated[
    Path | None,
    typer.Option("--bundle", help="Folder of a model bundle; else the one that ships."),
]
Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration", help="File of ecgscreen calibrate: its thresholds, its probabilities."
    ),
]
# Spelled out here because importing engines.select would load numpy for --help; a test holds
# the two alike.
EngineName = Literal["openvino", "tensorrt", "pytorch"]
PrecisionName = Literal["auto", "f32", "f16", "bf16", "int8"]
Engine = Annotated[
    EngineName | None,
    typer.Option("--engine", help="openvino, unless another is asked for."),
]
Precision = Annotated[
    PrecisionName, typer.Option("--precision", help="auto is the fastest that this machine has.")
]
LanguageName = Literal["en", "de"]
Language = Annotated[
    LanguageName, typer.Option("--language", help="Of what is written for a reader.")
]
Screening = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="Folder of a screening: the --out of a scan."),
]
Pseudonymise = Annotated[
    bool,
    typer.Option(
        "--pseudonymise-paths", help="Ids in the place of names, for reports that travel."
    ),
]
WaitLock = Annotated[
    float,
    typer.Option(
        "--wait-lock",
        min=0.0,
        max=1e6,
        metavar="SECONDS",
        help="Wait that long for another run on the same folder to end.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]


def parse_path(text: str | Path) -> Path:
    """A path; an empty one is a shell variable that was never set, not the current folder."""
    if isinstance(text, Path):  # Typer parses defaults too
        return text
    if not text:
        raise typer.BadParameter("the name is empty")
    if "://" in text:
        raise typer.BadParameter("an address does not do here, expected a place on this machine")
    return Path(text)


def parse_place(text: str) -> Path:
    """A path, or the one that stands for an address of object storage."""
    from ecgscreen.objects.address import is_address, path_of_text

    if not is_address(text):
        text = str(parse_path(text))
    return path_of_text(text)
