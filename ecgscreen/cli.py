"""The command line: the commands, exit codes, and a sentence instead of a traceback."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from ecgscreen import __version__
from ecgscreen.commands import (
    calibrate,
    compare,
    evaluate,
    explain,
    export,
    forget,
    info,
    labels,
    merge,
    scan,
    show,
    simulate,
    status,
    train,
    verify,
    verify_run,
)
from ecgscreen.commands.compile import compile_engine
from ecgscreen.commands.messages import complain
from ecgscreen.errors import EcgscreenError, ExitCode
from ecgscreen.interrupts import catch_interrupts

_LEAST_COLUMNS = 40
"""What tables and sentences fit in."""

app = typer.Typer(
    name="ecgscreen",
    help="Screen folders of ECG recordings against diagnoses written in plain words. "
    "Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(scan.scan)
app.command()(show.show)
app.command()(explain.explain)
app.command()(compare.compare)
app.command()(status.status)
app.command()(export.export)
app.command()(merge.merge)
app.command()(forget.forget)
app.command("verify-run")(verify_run.verify_run)
app.command()(simulate.simulate)
app.command()(info.info)
app.add_typer(labels.app, name="labels")
app.command()(train.train)
app.add_typer(evaluate.app, name="evaluate")
app.command("compile")(compile_engine)
app.command()(verify.verify)
app.command()(calibrate.calibrate)


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
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
