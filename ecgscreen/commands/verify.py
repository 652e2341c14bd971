"""``ecgscreen verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecgscreen.commands.options import Bundle, Engine, Precision
from ecgscreen.errors import ExitCode


def verify(
    engine: Engine = None,
    precision: Precision = "auto",
    bundle: Bundle = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder in PTB-XL's layout: no macro AUC may move by more than .001 there. "
            "Give it repeatedly."
        ),
    ] = None,
    folds: Annotated[str, typer.Option(help="Folds of --data.")] = "9",
) -> None:
    """Hold an engine on this machine against the bundle's check batch and a reference.

    Exit code 5 says that it differs by more than its precision allows.
    """
    from ecgscreen.bundle import default_bundle, load_bundle
    from ecgscreen.verify import open_engine, reference_engine, verify_engine

    loaded = load_bundle(bundle or default_bundle())
    chosen = open_engine(loaded, engine or "openvino", precision)
    reference = reference_engine(loaded)
    told = chosen.info
    typer.echo(f"engine {told.name} {told.version}, {told.precision}, {told.device}")
    typer.echo(f"bundle {loaded.name}, SHA-256 {loaded.sha256}")
    passed = []
    for comparison in verify_engine(loaded, chosen, reference):
        passed.append(comparison.holds)
        for line in comparison.lines():
            typer.echo(line)
    if data:
        from trainer.auc_shift import auc_shifts

        typer.echo(f"against {reference.info.name} {reference.info.precision}, folds {folds}:")
        for shift in auc_shifts(loaded, chosen, reference, data, folds):
            passed.append(shift.holds)
            typer.echo(shift.line())
    if not all(passed):
        raise typer.Exit(ExitCode.CHECK_FAILED)
