"""What a person at the terminal sees: the progress of a scan, and its summary."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from ecgscreen.reports.diagnosis_row import SEVERITIES
from ecgscreen.reports.notices import notices
from ecgscreen.reports.provenance import Provenance
from ecgscreen.reports.tally import DiagnosisSummary, RunSummary
from ecgscreen.results import RecordResult, Status, printable

LINE_SECONDS = 30.0
"""How often a plain line is printed where there is no terminal."""

BAR_SECONDS = 0.2
"""How often the bar moves where there is one."""

NARROW = 60
"""Fewer columns than this: tables put their last column below the first."""

DIAGNOSES_SHOWN = 20

OTHER_REPORTS = ("report.csv", "report.h5", "summary.json", "run.json")
"""Named in the summary beside ``report.html``."""

NOT_A_DEVICE = "Not a medical device. No flag, or no score, does not mean a normal ECG."

FLAG_MEANS = "The score reached the diagnosis's threshold. Normal findings come last."

_STYLES = {"critical": "bold red", "attention": "yellow", "info": ""}


def stderr_console(*, quiet: bool = False) -> Console:
    """Return the console that everything is shown on; a quiet one swallows all of it."""
    return _LastingConsole(stderr=True, quiet=quiet, highlight=False, emoji=False, markup=False)


class _LastingConsole(Console):
    """Falls silent where it cannot be written to: a scan outlives its terminal and its log."""

    def print(self, *objects: Any, **options: Any) -> None:
        try:
            super().print(*objects, **options)
        except OSError:
            self._fall_silent()

    def on_broken_pipe(self) -> None:
        self._fall_silent()

    def _fall_silent(self) -> None:
        self.quiet = True
        # What the stream still holds would fail once more at exit, and change the exit code.
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), self.file.fileno())


class ScanProgress:
    """Counts recordings while a scan runs; a context manager.

    On a terminal: a spinner with counts and records/s, a bar once `expect` has been told how
    many there are. Elsewhere, in a log for one: a plain line every 30 s.

    Parameters
    ----------
    console
        Where to show it; nothing is shown on a quiet one.
    clock
        Seconds.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._total: int | None = None
        self._n_done = 0
        self._n_not_scored = 0
        self._every_s = BAR_SECONDS if console.is_interactive else LINE_SECONDS
        self._started = self._due = clock()
        self._progress = Progress(
            *_columns(console),
            console=console,
            transient=True,
            refresh_per_second=1 / BAR_SECONDS,
            disable=console.quiet or not console.is_interactive,
        )
        self._task = self._progress.add_task("", total=None, not_scored=0)

    @property
    def is_bar(self) -> bool:
        """Whether a bar is shown, which is the better for `expect`."""
        return self._console.is_interactive

    def __enter__(self) -> ScanProgress:
        self._started = self._clock()
        self._due = self._started + self._every_s
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._show()
        self._progress.stop()

    def expect(self, total: int) -> None:
        """Say how many recordings there are, as soon as that is known."""
        self._total = total
        self._progress.update(self._task, total=total)

    def done(self, result: RecordResult) -> None:
        """Count a recording that is done."""
        self._n_not_scored += result.status is not Status.SCORED
        self._count()

    def kept(self) -> None:
        """Count a recording that need not be read again."""
        self._count()

    def _count(self) -> None:
        self._n_done += 1
        now = self._clock()
        if now < self._due:
            return
        self._due = now + self._every_s
        if self._console.is_interactive:
            self._show()
            return
        of_total = f" of {self._total:,}" if self._total is not None else ""
        self._console.print(
            f"{self._n_done:,}{of_total} recordings, {self._n_not_scored:,} not scored, "
            f"{_rate(self._n_done, now - self._started)}"
        )

    def _show(self) -> None:
        self._progress.update(self._task, completed=self._n_done, not_scored=self._n_not_scored)


class _Counts(ProgressColumn):
    def render(self, task: Task) -> Text:
        total = f"/{task.total:,.0f}" if task.total is not None else ""
        text = Text(f"{task.completed:,.0f}{total}")
        if task.completed and task.elapsed:  # "0/s" while the model loads looks like standstill
            text.append(f"  {task.completed / task.elapsed:,.0f}/s")
        if task.fields["not_scored"]:
            text.append(f"  {task.fields['not_scored']:,} not scored", style="yellow")
        return text


def _columns(console: Console) -> list[ProgressColumn]:
    # The first character of a bar or spinner that the terminal's encoding lacks would end the
    # scan; Rich replaces those of a bar, not those of a spinner.
    spinner = SpinnerColumn("line" if console.options.ascii_only else "dots")
    if console.width < NARROW:
        return [spinner, _Counts()]
    return [spinner, BarColumn(bar_width=20), _Counts(), TimeElapsedColumn()]


def print_summary(
    console: Console, summary: RunSummary, provenance: Provenance, folder: Path
) -> None:
    """Print what a run found, what it could not read, and where the reports are.

    Parameters
    ----------
    console
        Of any width from 40 columns; colour where it is a terminal.
    summary
        The run in numbers.
    provenance
        How it was made.
    folder
        Where the reports are.
    """
    console.print(_headline(summary, provenance))
    if summary.n_scored:
        _print_flagged(console, summary)
    if summary.not_scored:
        _print_not_scored(console, summary)
    # Not wrapped: it is there to be copied.
    reports = f"\nReports {printable(str(folder / 'report.html'))}, {', '.join(OTHER_REPORTS)}"
    console.print(Text(reports), soft_wrap=True)
    engine = provenance.engine
    why = provenance.engine_reason
    if engine.precision_reason:
        why += f"; {engine.precision}: {engine.precision_reason}"
    console.print(
        Text(f"Engine {engine.name} {engine.version}, {engine.precision}, {engine.device} ({why})")
    )
    console.print(Text(NOT_A_DEVICE, style="dim"))
    for notice in notices([each.diagnosis for each in summary.diagnoses]):
        console.print(Text(notice, style="bold"))


def _headline(summary: RunSummary, provenance: Provenance) -> Text:
    if not summary.n_records:
        text = Text("There is no recording in what was given: nothing to score.", style="bold")
        if provenance.n_ignored:
            text.append(
                f" {_count(provenance.n_ignored, 'other file')} ignored: none of them is "
                "of a format that is read (docs/formats.md).",
                style="not bold",
            )
        return text
    seconds = provenance.duration_s
    n_new = summary.n_records if summary.n_new is None else summary.n_new
    rate = f", {_rate(n_new, seconds)}" if seconds > 0 and n_new else ""
    of_all = f"{summary.n_scored:,} of {_count(summary.n_records, 'recording')}"
    text = Text(f"{of_all} scored", style="bold")
    if provenance.rescored:
        text.append(", from stored embeddings,", style="not bold")
    elif n_new < summary.n_records:
        text.append(
            f", {n_new:,} of them new," if n_new else ", none of them new,", style="not bold"
        )
    text.append(f" in {seconds:,.1f} s{rate}", style="not bold")
    if provenance.n_ignored:
        text.append(f"; {_count(provenance.n_ignored, 'other file')} ignored", style="not bold")
    return text


def _print_flagged(console: Console, summary: RunSummary) -> None:
    with_threshold = [each for each in summary.diagnoses if each.diagnosis.can_be_flagged]
    raised = sorted((each for each in with_threshold if each.n_flagged), key=_by_urgency)
    ranked_only = [each for each in summary.diagnoses if each not in with_threshold]
    if raised:
        of_scored = f"{summary.n_with_finding:,} of {_count(summary.n_scored, 'recording')}"
        if n_normal := summary.n_flagged - summary.n_with_finding:
            of_scored += f"; as normal only: {n_normal:,}"
        _print_diagnoses(console, f"Flagged with a finding: {of_scored}", raised, FLAG_MEANS)
    elif with_threshold:
        console.print(Text("\nNothing was flagged.", style="bold"))
    if ranked_only:
        _print_diagnoses(console, "Ranked, not flagged: no threshold for these", ranked_only)


def _by_urgency(each: DiagnosisSummary) -> tuple[bool, int, int]:
    row = each.diagnosis
    return not row.is_finding, SEVERITIES.index(row.severity), -each.n_flagged


def _print_diagnoses(
    console: Console, title: str, diagnoses: Sequence[DiagnosisSummary], explanation: str = ""
) -> None:
    flagged = any(each.n_flagged for each in diagnoses)
    # A list that grades nothing has only "info", which beside an infarction would mislead.
    graded = flagged and any(each.diagnosis.severity != "info" for each in diagnoses)
    columns = (*(("severity",) if graded else ()), "flagged" if flagged else "score")
    table = _table("diagnosis", *columns, "highest scores" if flagged else "highest score")
    narrow = Table(box=None, pad_edge=False, show_header=False)
    narrow.add_column(overflow="fold")
    narrow.add_column(justify="right", no_wrap=True)
    for each in diagnoses[:DIAGNOSES_SHOWN]:
        name = Text(printable(each.diagnosis.name))
        severity = Text(each.diagnosis.severity if graded else "")
        severity.stylize(_STYLES[each.diagnosis.severity])
        best = f"{each.highest[0].score:.3f}" if each.highest else ""
        number = Text(f"{each.n_flagged:,}" if flagged else best)
        paths = [printable(record.path) for record in each.highest[: max(each.n_flagged, 1)]]
        shown = Text("\n".join(shorten(path, console.width - 46) for path in paths))
        table.add_row(name, *((severity,) if graded else ()), number, shown)
        narrow.add_row(name, number)
        for path in paths[:1]:
            label = Text.assemble(severity, "  " if graded else "")
            narrow.add_row(label.append(shorten(path, console.width - 8 - len(label))))
    _print_table(console, title, narrow if console.width < NARROW else table, explanation)
    _print_more(console, len(diagnoses) - DIAGNOSES_SHOWN)


def _print_not_scored(console: Console, summary: RunSummary) -> None:
    narrow = console.width < NARROW
    table = _table("recording") if narrow else _table("recording", "why")
    for result in summary.not_scored:
        path = shorten(printable(result.path), console.width if narrow else console.width // 2 - 4)
        why = printable(f"{result.reason}: {result.detail}" if result.detail else result.reason)
        if narrow:
            table.add_row(Text(path))
            table.add_row(Text(f"  {printable(result.reason)}"))
        else:
            table.add_row(Text(path), Text(why))
    _print_table(console, f"Not scored: {_count(summary.n_not_scored, 'recording')}", table)
    _print_more(console, summary.n_not_scored - len(summary.not_scored))


def _table(*headers: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for header in headers:
        is_number = header in ("flagged", "score")
        is_path = header.startswith("highest") or header == "recording"  # cut to fit already
        table.add_column(
            header,
            justify="right" if is_number else "left",
            no_wrap=is_number or is_path or header == "severity",
            overflow="fold",
        )
    return table


def _print_table(console: Console, title: str, table: Table, explanation: str = "") -> None:
    console.print(Text(f"\n{title}", style="bold"))
    if explanation:
        console.print(Text(explanation, style="dim"))
    console.print(table)


def _print_more(console: Console, n_more: int) -> None:
    if n_more > 0:
        console.print(Text(f"and {n_more:,} more in report.csv", style="dim"))


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _rate(n_records: int, seconds: float) -> str:
    rate = n_records / seconds
    return f"{rate:,.{0 if rate >= 10 else 1}f} records/s"


def shorten(text: str, width: int) -> str:
    """Return `text` cut in the middle to at most `width` cells, its end kept the longer.

    A path's end is the file's name: it tells recordings apart, where the beginning does not.
    """
    if cell_len(text) <= width:
        return text
    head = (width - 1) // 3
    tail = width - 1 - head
    return f"{set_cell_size(text, head)}…{set_cell_size(text[::-1], tail)[::-1]}"
