"""``ecgscreen evaluate``: a command a set of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ecgscreen.commands.options import Bundle, Calibration, Engine, Precision

app = typer.Typer(help="Measure a bundle on labelled recordings.", no_args_is_help=True)

Protocol = Annotated[
    str, typer.Option("--protocol", help="multilabel, or argmax: cases of one class only.")
]
Leads = Annotated[
    str, typer.Option("--leads", help="Such as I,II: the others are masked.", show_default="all")
]
Concepts = Annotated[
    str, typer.Option("--concepts", help="Such as AFIB,CLBBB: these instead of a task.")
]
Plots = Annotated[
    Path | None,
    typer.Option("--plots", help="Folder for ROC, precision-recall and reliability as SVG."),
]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures here as JSON.")]


@app.command("ptb-xl")
def evaluate_ptb_xl(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders in PTB-XL's layout.")
    ],
    task: Annotated[
        str | None,
        typer.Option(
            help="superclass, subclass, diagnostic, form, rhythm or all.", show_default="superclass"
        ),
    ] = None,
    folds: Annotated[str, typer.Option(help="Folds to measure on.")] = "9",
    protocol: Protocol = "multilabel",
    leads: Leads = "",
    concepts: Concepts = "",
    json_file: Json = None,
    plots: Plots = None,
    bundle: Bundle = None,
    calibration: Calibration = None,
    engine: Engine = None,
    precision: Precision = "auto",
) -> None:
    """Macro AUC and more with 95 % intervals, against PTB-XL's statements."""
    _measure(
        dataset="ptb-xl",
        paths=tuple(folders),
        task=task,
        folds=folds,
        protocol=protocol,
        leads=leads,
        concepts=concepts,
        json_file=json_file,
        plots=plots,
        bundle=bundle,
        calibration=calibration,
        engine=engine or "openvino",
        precision=precision,
    )


def _evaluate_set(dataset: str, summary: str) -> None:
    """Add a command for a set of its own; all of them take the same options."""

    @app.command(dataset, help=summary)
    def command(
        paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="What to measure on.")],
        task: Annotated[
            str | None,
            typer.Option(help="A task of ptb-xl, or all.", show_default="the set's own, else all"),
        ] = None,
        protocol: Protocol = "multilabel",
        leads: Leads = "",
        concepts: Concepts = "",
        json_file: Json = None,
        plots: Plots = None,
        bundle: Bundle = None,
        calibration: Calibration = None,
        engine: Engine = None,
        precision: Precision = "auto",
    ) -> None:
        _measure(
            dataset=dataset,
            paths=tuple(paths),
            task=task,
            protocol=protocol,
            leads=leads,
            concepts=concepts,
            json_file=json_file,
            plots=plots,
            bundle=bundle,
            calibration=calibration,
            engine=engine or "openvino",
            precision=precision,
        )


_evaluate_set("mit-bih", "Windows of 10 s of the MIT-BIH Arrhythmia Database: folders with .atr.")
_evaluate_set("ludb", "Diagnoses of the Lobachevsky University Database: folders with ludb.csv.")
_evaluate_set("cinc", "SNOMED codes of the PhysioNet/CinC Challenge: folders of headers with #Dx.")
_evaluate_set("table", "Your own: CSV files with path, statements (AFIB;CLBBB) and patient_id.")


def _measure(**options: Any) -> None:
    """Options are those of `trainer.measure.MeasureRequest`."""
    from ecgscreen.progress import stderr_console
    from trainer.measure import MeasureRequest, measure

    measure(MeasureRequest(**options), stderr_console(quiet=False))
