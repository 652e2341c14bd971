"""``ecgscreen compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecgscreen.commands.options import Language, Quiet, parse_path
from ecgscreen.errors import ExitCode


def compare(
    old: Annotated[
        Path,
        typer.Argument(help="The earlier screening: its folder, or its report.h5 under any name."),
    ],
    new: Annotated[Path, typer.Argument(help="The later one.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Write all changes here, as .html, .csv or .json.", parser=parse_path
        ),
    ] = None,
    patients: Annotated[
        Path | None,
        typer.Option(help="CSV with path, patient_id: what belongs together is compared together."),
    ] = None,
    common: Annotated[
        bool,
        typer.Option(
            "--common",
            help="Compare the diagnoses that both have, though bundle, list or calibration differ.",
        ),
    ] = False,
    score_move: Annotated[
        float, typer.Option(min=0.001, max=2, help="From where on a score has moved, in cosine.")
    ] = 0.1,
    percentile_move: Annotated[
        float, typer.Option(min=0.1, max=100, help="Likewise a percentile, in points.")
    ] = 10.0,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Exit code 5 if a finding is newly flagged or a result is lost."
        ),
    ] = False,
    language: Language = "en",
    quiet: Quiet = False,
) -> None:
    """Show what changed between two screenings, worst first."""
    from rich.console import Console

    from ecgscreen.compare import CompareOptions
    from ecgscreen.compare import compare as run_comparison
    from ecgscreen.compare.changes import Moves
    from ecgscreen.compare.files import check_output, write_comparison
    from ecgscreen.compare.terminal import print_comparison

    if out is not None:
        check_output(out)
    moves = Moves(score_move, percentile_move)
    comparison = run_comparison(CompareOptions(old, new, common, patients, moves))
    if out is not None:
        write_comparison(comparison, out, language)
    console = Console(quiet=quiet, highlight=False, emoji=False, markup=False)
    print_comparison(console, comparison)
    if check and comparison.is_worse:
        raise typer.Exit(ExitCode.CHECK_FAILED)
