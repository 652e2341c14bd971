"""``ecgscreen scan``."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
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
    WaitLock,
    parse_path,
    parse_place,
)

if TYPE_CHECKING:
    from rich.console import Console

    from ecgscreen.commands.last_words import ScanLastWords
    from ecgscreen.json_lines import JsonLines
    from ecgscreen.progress import ScanProgress
    from ecgscreen.results import RecordResult
    from ecgscreen.run_log import RunLog
    from ecgscreen.run_store import RunStore
    from ecgscreen.scan import Listener, ScanOptions


def scan(
    roots: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...",
            help="Folders with recordings, or s3://BUCKET/PREFIX.",
            parser=parse_place,
        ),
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
            help="Processes that read and embed; 0: only this one.",
            show_default="one a core, 8 at most; 0 for a small folder",
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Dask scheduler whose workers read and embed (tcp://host:8786), or: local.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Do share I of N alone, such as 3/8; ecgscreen merge joins the screenings.",
        ),
    ] = None,
    language: Language = "en",
    pseudonymise_paths: Pseudonymise = False,
    rescore: Annotated[
        bool,
        typer.Option(
            "--rescore", help="Score what is stored against another list; no recording is read."
        ),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read everything anew; what is stored is given up.")
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Try again what could not be scored, though it did not change."
        ),
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Look only at recordings written since then: a date, or how long ago (36h, 2d).",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="End with exit code 1 at the first recording that cannot be scored; the reports "
            "stay as they are.",
        ),
    ] = False,
    fail_if_empty: Annotated[
        bool,
        typer.Option("--fail-if-empty", help="End with exit code 4 if there is nothing to do."),
    ] = False,
    wait_lock: WaitLock = 0.0,
    json_lines: Annotated[
        bool,
        typer.Option("--json", help="Print on standard output what is done, a JSON object a line."),
    ] = False,
    log_file: Annotated[
        Path | None,
        typer.Option(
            help="Append what is done to this file, in UTC, without names of recordings.",
            parser=parse_path,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Score what is new or changed, keep the rest, and write the reports."""
    from ecgscreen.garbage import expect_loading

    expect_loading()
    from ecgscreen.bundle import default_bundle
    from ecgscreen.crew_ahead import crew_ahead
    from ecgscreen.scan_options import ScanOptions
    from ecgscreen.share import Share
    from ecgscreen.since import parse_since

    share = None if shard is None else Share.parse(shard)
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
        cluster=cluster,
        share=share,
        calibration=calibration,
        language=language,
        pseudonymise_paths=pseudonymise_paths,
        rescore=rescore,
        fresh=fresh,
        retry_failed=retry_failed,
        since=None if since is None else parse_since(since, datetime.now(UTC)),
        strict=strict,
        fail_if_empty=fail_if_empty,
        wait_lock_s=wait_lock,
    )
    # The engine is loaded there while the rest is imported here.
    with crew_ahead(options) as ahead:
        from ecgscreen.commands.last_words import ScanLastWords
        from ecgscreen.ending import ending_in_time
        from ecgscreen.json_lines import JsonLines
        from ecgscreen.run_log import RunLog
        from ecgscreen.scan import scan as run_scan

        console = None if quiet else _console()
        stdout = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        lines = JsonLines(stdout if json_lines else None)
        words = ScanLastWords(console, out, fresh=fresh)
        with ending_in_time(words), RunLog(log_file) as log, _progress(console) as progress:
            if progress is not None and progress.is_bar and not rescore:
                _count_ahead(options, progress)
            result = run_scan(options, _listener(progress, lines, log, words), ahead)
            lines.ended(result, out)
            log.ended(result)
        if console is not None:
            from ecgscreen.progress import print_summary

            print_summary(console, result.summary, result.provenance, out)
        raise typer.Exit(result.summary.exit_code)


def _console() -> Console:
    # A quiet scan, such as every night's, does without what draws, and without the time it takes.
    from ecgscreen.progress import stderr_console

    return stderr_console()


def _progress(console: Console | None) -> AbstractContextManager[ScanProgress | None]:
    if console is None:
        return nullcontext()
    from ecgscreen.progress import ScanProgress

    return ScanProgress(console)


def _listener(
    progress: ScanProgress | None, lines: JsonLines, log: RunLog, words: ScanLastWords
) -> Listener:
    """Tell all of them what is done."""
    from ecgscreen.scan import Listener

    def started(store: RunStore) -> None:
        words.started()
        lines.started(store)
        log.started(store)

    def done(result: RecordResult) -> None:
        words.done()
        if progress is not None:
            progress.done(result)
        lines.done(result)
        log.done(result)

    def kept() -> None:
        if progress is not None:
            progress.kept()
        log.kept()

    return Listener(started, done, kept)


def _count_ahead(options: ScanOptions, progress: ScanProgress) -> None:
    """Count the recordings beside the scan, so that the bar knows its length.

    A folder is walked far faster than it is scored; a walk that fails fails in the scan too. Of
    object storage each listing costs, hence it is not walked twice.
    """
    from ecgscreen.objects.address import is_object

    if any(map(is_object, options.roots)):
        return

    def count() -> None:
        from ecgscreen.discover import Discovery

        with suppress(OSError):
            progress.expect(
                sum(
                    options.share is None or options.share.holds(found.name)
                    for found in Discovery(options.roots)
                )
            )

    Thread(target=count, daemon=True, name="count recordings").start()
