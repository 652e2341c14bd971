"""A comparison in the terminal: worst first, wrapped to the width, plain where it is piped."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ecgscreen.compare.changes import Change
from ecgscreen.compare.job import Comparison, Side
from ecgscreen.compare.words import all_notices, compare_words, finding_text, kinds_text, state_text
from ecgscreen.reports.diagnosis_row import DiagnosisRow
from ecgscreen.reports.html.words import Words
from ecgscreen.results import printable

SHOWN = 20
"""Patients and recordings that are shown, each."""

FINDINGS_SHOWN = 3
"""Diagnoses of each."""

NARROW = 60
"""Fewer columns than this: what changed stands below the name."""

_STYLES = {"critical": "bold red", "attention": "yellow", "info": ""}


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print what changed.

    Parameters
    ----------
    console
        Of any width from 40 columns; colour where it is a terminal.
    comparison
        What changed.
    """
    words = compare_words("en")
    for label, side in ((words["old"], comparison.old), (words["new"], comparison.new)):
        console.print(Text(f"{label}  {_side(side)}"), soft_wrap=True)
    for text in all_notices(comparison, words):
        console.print(Text(printable(text), style="dim"))
    counts = [f"{count:,} {words[kind]}" for kind, count in comparison.counts.items() if count]
    of_kinds = f" ({', '.join(counts)})" if counts else ""
    total = f"{words['counts']}: {len(comparison.records):,}{of_kinds}"
    console.print(Text(f"\n{total}", style="bold"))
    if comparison.patients is not None:
        _print_changes(console, "patients", comparison.patients, comparison.diagnoses, words)
    _print_changes(console, "records", comparison.records, comparison.diagnoses, words)
    console.print(Text(f"\n{words['warning']}", style="dim"))


def _side(side: Side) -> str:
    made = side.attributes
    started = made.get("started_utc", "")[:16].replace("T", " ")
    return printable(f"{side.path}, {started} UTC, {side.n_records:,} recordings")


def _print_changes(
    console: Console,
    key: str,
    changes: Sequence[Change],
    diagnoses: Sequence[DiagnosisRow],
    words: Words,
) -> None:
    console.print(Text(f"\n{words[key]}", style="bold"))
    if not changes:
        console.print(Text(words["nothing"]))
        return
    narrow = console.width < NARROW
    table = Table(box=None, pad_edge=False, show_header=not narrow)
    table.add_column(words["patient" if key == "patients" else "recording"], overflow="fold")
    if not narrow:
        table.add_column(words["what"], overflow="fold")
    for change in changes[:SHOWN]:
        name, what = Text(printable(change.name)), _what(change, diagnoses, words)
        if narrow:
            table.add_row(name)
            what.pad_left(2)
            table.add_row(what)
        else:
            table.add_row(name, what)
    console.print(table)
    if len(changes) > SHOWN:
        more = words["more"].format(n=words.count(len(changes) - SHOWN))
        console.print(Text(more, style="dim"))


def _style(row: DiagnosisRow) -> str:
    return _STYLES[row.severity] if row.is_finding else ""


def _what(change: Change, diagnoses: Sequence[DiagnosisRow], words: Words) -> Text:
    lines = []
    for finding in change.findings[:FINDINGS_SHOWN]:
        row = diagnoses[finding.diagnosis]
        lines.append(Text(finding_text(finding, row, words), style=_style(row)))
    if (rest := len(change.findings) - FINDINGS_SHOWN) > 0:
        lines.append(Text(f"and {rest:,} more diagnoses", style="dim"))
    if others := kinds_text(change, words):
        lines.append(Text(f"{others}: {state_text(change, words)}"))
    return Text("\n").join(lines)
