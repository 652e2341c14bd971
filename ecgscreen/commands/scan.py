"""``ecgscreen scan``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from ecgscreen.commands.options import (
    Bundle,
    Calibration,
    Engine,
    Language,
    Precision,
    Pseudonymise,
    Quiet,
    parse_path,
)

if TYPE_CHECKING:
    from ecgscreen.progress import ScanProgress


def scan(
    roots: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER...", help="Folders with recordings.", parser=parse_path),
    ],
    labels: Annotated[
        str,
        typer.Option(
            "--labels",
            help="List of diagnoses: a text file, or one that ships (see: ecgscreen labels list).",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the reports.", parser=parse_path)
    ] = Path("screening"),
    bundle: Bundle = None,
    calibration: Calibration = None,
    engine: Engine = None,
    precision: Precision = "auto",
    batch_size: Annotated[
        int,
        typer.Option(
            min=1, max=4096, help="Windows of 10 s in one call of the engine; tensorrt takes 256."
        ),
    ] = 32,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the engine; 0: all.")] = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=256,
            help="Processes that read files; 0: only this one. [default: half as many as cores, "
            "0 for a small folder]",
        ),
    ] = None,
    language: Language = "en",
    pseudonymise_paths: Pseudonymise = False,
    quiet: Quiet = False,
) -> None:
    """Score every recording and write the reports."""
    from ecgscreen.bundle import default_bundle
    from ecgscreen.progress import ScanProgress, print_summary, stderr_console
    from ecgscreen.scan import Listener, ScanOptions
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
        calibration=calibration,
        language=language,
        pseudonymise_paths=pseudonymise_paths,
    )
    console = stderr_console(quiet=quiet)
    with ScanProgress(console) as progress:
        if console.is_interactive:
            _count_ahead(options.roots, progress)
        result = run_scan(options, Listener(done=progress.advance))
    print_summary(console, result.summary, result.provenance, out)
    raise typer.Exit(result.summary.exit_code)


def _count_ahead(roots: Sequence[Path], progress: ScanProgress) -> None:
    """Count the recordings beside the scan, so that the bar knows its length.

    A folder is walked far faster than it is scored; a walk that fails fails in the scan too.
    """

    def count() -> None:
        from ecgscreen.discover import Discovery

        with suppress(OSError):
            progress.expect(sum(1 for _ in Discovery(roots)))

    Thread(target=count, daemon=True, name="count recordings").start()
