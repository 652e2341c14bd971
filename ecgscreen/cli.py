"""The command line: the commands, exit codes, and a sentence instead of a traceback."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from ecgscreen import __version__
from ecgscreen.commands.lazy import LazyCommand
from ecgscreen.commands.light_help import lighten_help
from ecgscreen.commands.messages import complain
from ecgscreen.errors import EcgscreenError, ExitCode
from ecgscreen.interrupts import catch_interrupts

_LEAST_COLUMNS = 40
"""What tables and sentences fit in."""
_NO_THREAD = "can't start new thread"
"""What Python's `threading` raises RuntimeError with."""

COMMANDS = (
    LazyCommand(
        "scan", "scan:scan", "Score what is new or changed, keep the rest, and write the reports."
    ),
    LazyCommand("show", "show:show", "Draw ten seconds of a recording, as it came."),
    LazyCommand(
        "explain",
        "explain:explain",
        "Show which leads and which seconds of a recording made its score.",
    ),
    LazyCommand(
        "compare", "compare:compare", "Show what changed between two screenings, worst first."
    ),
    LazyCommand(
        "status",
        "status:status",
        "Show what is scored, what is not, what waits, and how it was made; nothing is written.",
    ),
    LazyCommand(
        "export",
        "export:export",
        "Make the reports of a screening again from its store; recordings are read for strips "
        "only.",
    ),
    LazyCommand(
        "merge",
        "merge:merge",
        "Make one screening of several of the same bundle and list; no recording twice.",
    ),
    LazyCommand(
        "forget",
        "forget:forget",
        "Take recordings out of a screening, its store and its reports, for good.",
    ),
    LazyCommand(
        "verify-run",
        "verify_run:verify_run",
        "Hold a screening against itself, its bundle, its list and its recordings.",
    ),
    LazyCommand(
        "simulate",
        "simulate:simulate",
        "Write synthetic 12-lead recordings of known rhythm, with a truth table.",
    ),
    LazyCommand(
        "info",
        "info:info",
        "Show the version, the model bundle and the engines that are installed.",
    ),
    LazyCommand(
        "train", "train:train", "Train an encoder on recordings with statements and write a bundle."
    ),
    LazyCommand(
        "compile",
        "compile:compile_engine",
        "Build a bundle's TensorRT engine for this device, into the cache.",
    ),
    LazyCommand(
        "verify",
        "verify:verify",
        "Hold an engine on this machine against the bundle's check batch and a reference.",
    ),
    LazyCommand(
        "calibrate",
        "calibrate:calibrate",
        "Learn thresholds and probabilities on your own recordings with known diagnoses.",
    ),
    LazyCommand("labels", "labels:app", "Lists of diagnoses."),
    LazyCommand("evaluate", "evaluate:app", "Measure a bundle on labelled recordings."),
)
"""What the program can do, in the order of its help."""


class _Commands(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for command in COMMANDS:
            self.add_command(command)


app = typer.Typer(
    name="ecgscreen",
    cls=_Commands,
    help="Screen folders of ECG recordings against diagnoses written in plain words. "
    "Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"ecgscreen {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; every outcome is a sentence and an exit code."""
    # The windows' matrix products are small: threads of their own would only get in the way
    # of the engine's. Has to stand before numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A job may inherit the width of a window that is gone. In 0 columns nothing would be printed.
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns) < _LEAST_COLUMNS:
        os.environ["COLUMNS"] = str(_LEAST_COLUMNS)
    catch_interrupts()
    lighten_help()
    try:
        app(standalone_mode=True)
    except EcgscreenError as error:
        complain(error)
        sys.exit(error.exit_code)
    except OSError as error:
        # What no command expects of its files: a folder that is none, a disk that is full.
        named = "" if error.filename is None else f"{error.filename}: "
        complain(EcgscreenError(f"{named}{error.strerror or error}"))
        sys.exit(ExitCode.FAILED)
    except MemoryError as error:
        _end_for_want("the memory ran out", str(error))
    except RuntimeError as error:
        if str(error) != _NO_THREAD:
            raise
        _end_for_want("no thread can be started")
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


def _end_for_want(what: str, detail: str = "") -> NoReturn:
    # Nothing more is imported, as `complain` does: there may be no room.
    typer.echo(f"ecgscreen: {what}{detail and ': '}{detail}", err=True)
    typer.echo("  End other programs, or look at the limits (ulimit -v, ulimit -u).", err=True)
    sys.exit(ExitCode.FAILED)
