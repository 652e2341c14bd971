"""``ecgscreen calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecgscreen.commands.options import Bundle, Engine, Precision, Quiet, parse_path


def calibrate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Folders in PTB-XL's layout, or tables: CSV with path, statements, patient_id.",
            parser=parse_path,
        ),
    ],
    labels: Annotated[
        str, typer.Option("--labels", help="List of diagnoses: a text file, or one that ships.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write, for scan --calibration.")],
    folds: Annotated[str, typer.Option(help="Of folders: folds to learn on, such as 9.")] = "",
    operating_point: Annotated[
        str,
        typer.Option(
            help="'largest F1', 'Youden', 'sensitivity 0.95' or 'specificity 0.98', for each "
            "diagnosis."
        ),
    ] = "largest F1",
    prevalence: Annotated[
        float | None,
        typer.Option(min=0.0001, max=0.9999, help="Print PPV and NPV where so many have it."),
    ] = None,
    bundle: Bundle = None,
    engine: Engine = None,
    precision: Precision = "auto",
    quiet: Quiet = False,
) -> None:
    """Learn thresholds and probabilities on your own recordings with known diagnoses."""
    from ecgscreen.progress import stderr_console
    from trainer.calibrate import CalibrateRequest
    from trainer.calibrate import calibrate as run_calibration

    run_calibration(
        CalibrateRequest(
            paths=tuple(paths),
            labels=labels,
            out=out,
            folds=folds,
            operating_point=operating_point,
            prevalence=prevalence,
            bundle=bundle,
            engine=engine or "openvino",
            precision=precision,
        ),
        stderr_console(quiet=quiet),
    )
