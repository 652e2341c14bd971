"""The file of ``--log-file``: what a run did, for who looks after the machine.

It may be read by people who may not see patients' data: recordings appear by their record id
alone (`ecgscreen.results.record_id_of`), never by name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from ecgscreen.errors import EcgscreenError, ExitCode, NotScoredError, UsageError
from ecgscreen.manifest import number_of
from ecgscreen.results import RecordResult, Status, printable
from ecgscreen.run_store import RunStore
from ecgscreen.scan import ScanResult

PROGRESS_SECONDS = 60.0


class RunLog:
    """Appends lines, each with its time in UTC; a context manager, which notes how it ended.

    Once the file cannot be written, nothing more is: a night is not lost for its log.

    Parameters
    ----------
    path
        The file, for its owner only where it is made; None writes nothing.
    clock
        Seconds.

    Raises
    ------
    UsageError
        If the file cannot be opened.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._descriptor: int | None = None
        self._clock = clock
        self._due = clock() + PROGRESS_SECONDS
        self._n_done = 0
        self._n_kept = 0
        if path is None:
            return
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY
            self._descriptor = os.open(path, flags, 0o600)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"--log-file {path}: cannot be written: {error}",
                "Name a file in a folder that may be written to.",
            ) from error

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, SystemExit | KeyboardInterrupt):
            self._write(f"ended by a signal after {self._counts()}; the next run goes on from here")
        elif isinstance(error, EcgscreenError):
            self._write(f"ended with exit code {int(error.exit_code)}: {_reason(error)}")
        elif kind is not None:
            self._write(f"ended with exit code {int(ExitCode.FAILED)}: {kind.__name__}")
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def started(self, store: RunStore) -> None:
        """Note what a run goes on from."""
        run, made_with = store.runs[-1], store.provenance
        self._write(
            f"run {number_of(run)} begins: ecgscreen {run['version']}, process {os.getpid()}, "
            f"bundle {str(made_with['bundle_sha256'])[:12]}, "
            f"list {str(made_with['list_sha256'])[:12]}, {store.n_records:,} records stored"
        )

    def done(self, result: RecordResult) -> None:
        """Note a recording that could not be scored; of the others, how many there were."""
        self._n_done += 1
        if result.status is not Status.SCORED:
            self._write(f"record {result.record_id}: {result.status}: {result.reason}")
        self._tell_progress()

    def kept(self) -> None:
        """Count a recording whose row is kept."""
        self._n_kept += 1
        self._tell_progress()

    def ended(self, result: ScanResult) -> None:
        """Note how a run ended that went through."""
        summary = result.summary
        self._write(
            f"run {result.provenance.run} ended with exit code {int(summary.exit_code)}: "
            f"{self._counts()}; in the report {summary.n_records:,} records, "
            f"{summary.n_not_scored:,} of them not scored, {summary.n_flagged:,} flagged"
        )

    def _tell_progress(self) -> None:
        now = self._clock()
        if now >= self._due:
            self._due = now + PROGRESS_SECONDS
            self._write(self._counts())

    def _counts(self) -> str:
        return f"{self._n_done:,} records done, {self._n_kept:,} kept"

    def _write(self, text: str) -> None:
        if self._descriptor is None:
            return
        line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {printable(text)}\n"
        try:
            os.write(self._descriptor, line.encode())
        except OSError:
            os.close(self._descriptor)
            self._descriptor = None


def _reason(error: EcgscreenError) -> str:
    # Their sentences name what was given on the command line, or a recording.
    if isinstance(error, UsageError | NotScoredError):
        return f"{type(error).__name__}, told on standard error"
    return error.message
