"""``ecgscreen simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecgscreen.commands.options import Quiet, parse_path


def simulate(
    folder: Annotated[
        Path,
        typer.Argument(help="A folder that is empty or does not exist.", parser=parse_path),
    ],
    count: Annotated[int, typer.Option(min=1, help="Recordings to write.")] = 24,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    rate: Annotated[float, typer.Option(help="Sampling rate in Hz, 100 to 1000.")] = 500.0,
    faults: Annotated[int, typer.Option(min=0, help="How many of them are made unusable.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Write synthetic 12-lead recordings of known rhythm, with a truth table."""
    from ecgscreen.publish import check_folder_can_be, storing
    from ecgscreen.simulate import write_dataset
    from ecgscreen.wording import counted

    check_folder_can_be(folder)
    with storing(folder):
        write_dataset(folder, count, seed, sampling_rate=rate, faults=faults)
    if not quiet:
        typer.echo(
            f"{counted(count, 'simulated recording')} and truth.csv are in {folder}", err=True
        )
