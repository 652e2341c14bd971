"""``ecgscreen labels``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ecgscreen.commands.messages import complain
from ecgscreen.commands.options import Bundle, Calibration
from ecgscreen.errors import ExitCode, LabelListError

if TYPE_CHECKING:
    from pathlib import Path

    from ecgscreen import bundle as bundles
    from ecgscreen.diagnoses import DiagnosisList
    from ecgscreen.reports import DiagnosisRow

Labels = Annotated[str, typer.Argument(help="A file, or a list that ships.")]

app = typer.Typer(help="Lists of diagnoses.", no_args_is_help=True)


@app.command("list")
def labels_list() -> None:
    """Name the lists that ship."""
    from ecgscreen.label_list_file import shipped_lists

    for name in shipped_lists():
        typer.echo(name)


@app.command("check")
def labels_check(labels: Labels, bundle: Bundle = None, calibration: Calibration = None) -> None:
    """Show line by line how a list is understood, before a scan."""
    from ecgscreen.info import list_lines

    _print(list_lines(*_understand(labels, bundle, calibration)))


@app.command("show")
def labels_show(labels: Labels, bundle: Bundle = None, calibration: Calibration = None) -> None:
    """Show a list by its groups: what the model has seen, and what is only ranked."""
    from ecgscreen.info import grouped_lines

    _print(grouped_lines(*_understand(labels, bundle, calibration)))


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        typer.echo(line)


def _understand(
    labels: str, bundle_path: Path | None, calibration_path: Path | None
) -> tuple[DiagnosisList, tuple[DiagnosisRow, ...], bundles.Bundle]:
    from ecgscreen.bundle import default_bundle, load_bundle
    from ecgscreen.prompts import read_prompts
    from ecgscreen.site_calibration import calibrated_rows, load_calibration
    from ecgscreen.vocabulary import load_vocabulary

    bundle = load_bundle(bundle_path or default_bundle())
    calibration = None if calibration_path is None else load_calibration(calibration_path, bundle)
    try:
        diagnoses, prompts = read_prompts(labels, bundle, load_vocabulary())
    except LabelListError as error:
        complain(error)
        raise typer.Exit(ExitCode.CHECK_FAILED) from error
    return diagnoses, calibrated_rows(prompts.rows, diagnoses.diagnoses, calibration), bundle
