"""The command line: parse, call, print, exit code. One function a command."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from ecgscreen import __version__
from ecgscreen.errors import EcgscreenError, ExitCode

if TYPE_CHECKING:
    from ecgscreen.progress import ScanProgress

app = typer.Typer(
    name="ecgscreen",
    help="Screen folders of ECG recordings against diagnoses written in plain words. "
    "Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Bundle = Annotated[
    Path | None,
    typer.Option("--bundle", help="Folder of a model bundle; else the one that ships."),
]
# Spelled out here because importing engines.select would load numpy for --help; a test holds
# the two alike.
EngineName = Literal["openvino", "pytorch"]
PrecisionName = Literal["auto", "f32", "bf16", "f16"]
Engine = Annotated[
    EngineName | None,
    typer.Option("--engine", help="openvino, unless pytorch is asked for."),
]
Precision = Annotated[
    PrecisionName, typer.Option("--precision", help="auto is the fastest that this machine has.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]


def _path(text: str) -> Path:
    """A path; an empty one is a shell variable that was never set, not the current folder."""
    if not text:
        raise typer.BadParameter("the name is empty")
    return Path(text)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"ecgscreen {__version__}")
        raise typer.Exit


@app.command()
def scan(
    roots: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER...", help="Folders with recordings.", parser=_path),
    ],
    labels: Annotated[
        str,
        typer.Option(
            "--labels",
            help="List of diagnoses: a text file, or one that ships (see: ecgscreen labels list).",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the reports.", parser=_path)
    ] = Path("screening"),
    bundle: Bundle = None,
    engine: Engine = None,
    precision: Precision = "auto",
    batch_size: Annotated[
        int, typer.Option(min=1, max=4096, help="Windows of 10 s in one call of the engine.")
    ] = 32,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the engine; 0: all.")] = 0,
    workers: Annotated[
        int, typer.Option(min=0, max=256, help="Processes that read files; 0: only this one.")
    ] = 0,
    quiet: Quiet = False,
) -> None:
    """Score every recording and write the reports."""
    from ecgscreen.bundle import default_bundle
    from ecgscreen.progress import ScanProgress, print_summary, stderr_console
    from ecgscreen.scan import ScanOptions
    from ecgscreen.scan import scan as run_scan

    options = ScanOptions(
        roots=tuple(roots),
        labels=labels,
        out=out,
        bundle=bundle or default_bundle(),
        engine=engine,
        precision=precision,
        batch_size=batch_size,
        threads=threads,
        workers=workers,
    )
    console = stderr_console(quiet=quiet)
    with ScanProgress(console) as progress:
        if console.is_interactive:
            _count_ahead(options.roots, progress)
        result = run_scan(options, progress.advance)
    print_summary(console, result.summary, result.provenance, out)
    raise typer.Exit(result.summary.exit_code)


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty or does not exist.")],
    count: Annotated[int, typer.Option(min=1, help="Recordings to write.")] = 24,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    rate: Annotated[float, typer.Option(help="Sampling rate in Hz, 100 to 1000.")] = 500.0,
    faults: Annotated[int, typer.Option(min=0, help="How many of them are made unusable.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Write synthetic 12-lead recordings of known rhythm, with a truth table."""
    from ecgscreen.simulate import write_dataset

    write_dataset(folder, count, seed, sampling_rate=rate, faults=faults)
    if not quiet:
        typer.echo(f"{count} simulated recordings and truth.csv are in {folder}", err=True)


@app.command()
def info(bundle: Bundle = None) -> None:
    """Show the version, the model bundle and the engines that are installed."""
    from ecgscreen.bundle import default_bundle
    from ecgscreen.info import info_lines

    for line in info_lines(bundle or default_bundle()):
        typer.echo(line)


labels_app = typer.Typer(help="Lists of diagnoses.", no_args_is_help=True)
app.add_typer(labels_app, name="labels")


@labels_app.command("list")
def labels_list() -> None:
    """Name the lists that ship."""
    from ecgscreen.label_list_file import shipped_lists

    for name in shipped_lists():
        typer.echo(name)


@labels_app.command("check")
def labels_check(
    labels: Annotated[str, typer.Argument(help="A file, or a list that ships.")],
    bundle: Bundle = None,
) -> None:
    """Show line by line how a list is understood, before a scan."""
    from ecgscreen.bundle import default_bundle, load_bundle
    from ecgscreen.diagnoses import load_list
    from ecgscreen.errors import LabelListError
    from ecgscreen.info import list_lines
    from ecgscreen.prompts import embed_list
    from ecgscreen.vocabulary import load_vocabulary

    try:
        diagnoses = load_list(labels)
        prompts = embed_list(diagnoses, load_bundle(bundle or default_bundle()), load_vocabulary())
    except LabelListError as error:
        _complain(error)
        raise typer.Exit(ExitCode.CHECK_FAILED) from error
    for line in list_lines(diagnoses, prompts):
        typer.echo(line)


@app.command()
def train(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders in PTB-XL's layout.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Where the bundle goes.")],
    name: Annotated[str, typer.Option(help="The model's name.")] = "site",
    train_folds: Annotated[str, typer.Option(help="Folds to train on.")] = "1-8",
    validation_folds: Annotated[str, typer.Option(help="Folds for thresholds.")] = "9",
    preset: Annotated[
        str, typer.Option(help="default, or paper: clip as in the paper, its optimiser too.")
    ] = "default",
    objective: Annotated[
        str | None,
        typer.Option(help="statement (texts of findings) or clip (each recording's report)."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Default: the preset's (40, paper 50).")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=2, help="Default: the preset's (64, paper 32).")
    ] = None,
    view_weight: Annotated[
        float | None, typer.Option(min=0, help="Of the loss between two views of a recording.")
    ] = None,
    feature_weight: Annotated[
        float | None, typer.Option(min=0, help="Of the loss between their intermediate features.")
    ] = None,
    feature_layer: Annotated[
        list[int] | None,
        typer.Option(min=0, max=4, help="Which features: 0 stem, 1-4 stages; give it repeatedly."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    train_precision: Annotated[str | None, typer.Option("--precision", help="bf16 or f32.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    checkpoint_minutes: Annotated[
        float, typer.Option(min=0, help="Minutes between two checkpoints.")
    ] = 5.0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint, if there is one.")
    ] = False,
    text_encoder: Annotated[
        str | None, typer.Option(help="Folder or name of a frozen language model.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Of the weights, for the manifest.")] = "unspecified",
    reference: Annotated[
        bool,
        typer.Option(
            "--reference/--no-reference",
            help="Keep the training recordings' embeddings in the bundle, for percentiles.",
        ),
    ] = True,
    quiet: Quiet = False,
) -> None:
    """Train an encoder on recordings with statements and write a bundle."""
    _need_extra("train", "torch", "transformers", "onnx")
    from ecgscreen.progress import stderr_console
    from trainer.run import TrainRequest, run_training

    run_training(
        TrainRequest(
            folders=tuple(folders),
            out=out,
            name=name,
            train_folds=train_folds,
            validation_folds=validation_folds,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            text_encoder=text_encoder,
            licence=licence,
            with_reference=reference,
            preset=preset,
            objective=objective,
            view_weight=view_weight,
            feature_weight=feature_weight,
            feature_layers=tuple(feature_layer) if feature_layer else None,
            precision=train_precision,
            device=device,
            checkpoint_minutes=checkpoint_minutes,
            resume=resume,
        ),
        stderr_console(quiet=quiet),
    )


evaluate_app = typer.Typer(help="Measure a bundle on labelled recordings.", no_args_is_help=True)
app.add_typer(evaluate_app, name="evaluate")


Protocol = Annotated[
    str, typer.Option("--protocol", help="multilabel, or argmax: cases of one class only.")
]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures here as JSON.")]


@evaluate_app.command("ptb-xl")
def evaluate_ptb_xl(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders in PTB-XL's layout.")
    ],
    task: Annotated[
        str, typer.Option(help="superclass, subclass, diagnostic, form or rhythm.")
    ] = "superclass",
    folds: Annotated[str, typer.Option(help="Folds to measure on.")] = "9",
    protocol: Protocol = "multilabel",
    json_file: Json = None,
    bundle: Bundle = None,
    engine: Engine = None,
    precision: Precision = "auto",
) -> None:
    """Macro AUC and more with 95 % intervals, against PTB-XL's statements."""
    _measure("ptb-xl", folders, task, protocol, json_file, bundle, engine, precision, folds)


def _evaluate_set(dataset: str, summary: str) -> None:
    """Add a command for a set of its own; all of them take the same options."""

    @evaluate_app.command(dataset, help=summary)
    def command(
        paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="What to measure on.")],
        task: Annotated[
            str | None,
            typer.Option(help="A task of ptb-xl, or all. [default: the set's own, else all]"),
        ] = None,
        protocol: Protocol = "multilabel",
        json_file: Json = None,
        bundle: Bundle = None,
        engine: Engine = None,
        precision: Precision = "auto",
    ) -> None:
        _measure(dataset, paths, task, protocol, json_file, bundle, engine, precision)


_evaluate_set("mit-bih", "Windows of 10 s of the MIT-BIH Arrhythmia Database: folders with .atr.")
_evaluate_set("ludb", "Diagnoses of the Lobachevsky University Database: folders with ludb.csv.")
_evaluate_set("cinc", "SNOMED codes of the PhysioNet/CinC Challenge: folders of headers with #Dx.")
_evaluate_set("table", "Your own: CSV files with path, statements (AFIB;CLBBB) and patient_id.")


def _measure(
    dataset: str,
    paths: Sequence[Path],
    task: str | None,
    protocol: str,
    json_file: Path | None,
    bundle: Path | None,
    engine: str | None,
    precision: str,
    folds: str = "",
) -> None:
    from ecgscreen.progress import stderr_console
    from trainer.measure import MeasureRequest, measure

    measure(
        MeasureRequest(
            dataset=dataset,
            paths=tuple(paths),
            task=task,
            protocol=protocol,
            json_file=json_file,
            bundle=bundle,
            engine=engine or "openvino",
            precision=precision,
            folds=folds,
        ),
        stderr_console(quiet=False),
    )


def main() -> None:
    """Run the command line; every outcome is a sentence and an exit code."""
    # The windows' matrix products are small: threads of their own would only get in the way
    # of the engine's. Has to stand before numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, _terminated)
    try:
        app(standalone_mode=True)
    except EcgscreenError as error:
        _complain(error)
        sys.exit(error.exit_code)
    except OSError as error:
        # What no command expects of its files: a folder that is none, a disk that is full.
        named = "" if error.filename is None else f"{error.filename}: "
        _complain(EcgscreenError(f"{named}{error.strerror or error}"))
        sys.exit(ExitCode.FAILED)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


def _count_ahead(roots: Sequence[Path], progress: ScanProgress) -> None:
    """Count the recordings beside the scan, so that the bar knows its length.

    A folder is walked far faster than it is scored; a walk that fails fails in the scan too.
    """

    def count() -> None:
        from ecgscreen.discover import Discovery

        with suppress(OSError):
            progress.expect(sum(1 for _ in Discovery(roots)))

    Thread(target=count, daemon=True, name="count recordings").start()


def _complain(error: EcgscreenError) -> None:
    typer.echo(f"ecgscreen: {error.message}", err=True)
    if error.advice:
        typer.echo(f"  {error.advice}", err=True)


def _need_extra(extra: str, *packages: str) -> None:
    from importlib.util import find_spec

    from ecgscreen.errors import MissingExtraError

    if missing := [package for package in packages if find_spec(package) is None]:
        raise MissingExtraError(
            f"this command needs {', '.join(missing)}, not installed",
            f"pip install 'ecgscreen[{extra}]'",
        )


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(ExitCode.TERMINATED)
