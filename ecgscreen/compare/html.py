"""A comparison as one self-contained page, without a script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ecgscreen.compare.changes import Change, Kind
from ecgscreen.compare.job import Comparison, Side
from ecgscreen.compare.urgency import WORSE
from ecgscreen.compare.words import all_notices, figure_texts, kinds_text, state_text
from ecgscreen.reports.diagnosis_row import DiagnosisRow
from ecgscreen.reports.html.frame import style_and_policy
from ecgscreen.reports.html.overview import path_text, table
from ecgscreen.reports.html.words import Words
from ecgscreen.results import printable

MAX_ROWS = 2_000
"""Rows of each table; the other forms have all."""


def page(comparison: Comparison, words: Words) -> str:
    """The page, every text of the reports escaped."""
    notices = "".join(
        f"<li>{escape(printable(text))}</li>" for text in all_notices(comparison, words)
    )
    sections = _section("records", comparison.records, comparison, words)
    if comparison.patients is not None:
        sections = _section("patients", comparison.patients, comparison, words) + sections
    return (
        f'<!DOCTYPE html>\n<html lang="{words.language}">\n<head>\n<meta charset="utf-8">\n'
        f"{style_and_policy()}<title>{words['title']}</title>\n</head>\n<body>\n"
        f"<header><h1>{words['title']}</h1>\n"
        f'<p class="warning" role="note"><strong>{words["warning"]}</strong></p></header>\n<main>\n'
        f"{_sides(comparison, words)}<ul>{notices}</ul>\n{_counts(comparison, words)}{sections}"
        "</main>\n</body>\n</html>\n"
    )


def _sides(comparison: Comparison, words: Words) -> str:
    def row(key: str, side: Side) -> list[str]:
        made = side.attributes
        texts = (
            side.path,
            made.get("started_utc", "")[:16].replace("T", " "),
            words.count(side.n_records),
            f"{made.get('bundle', '')} {made.get('bundle_sha256', '')[:12]}",
            f"{made.get('list', '')} {made.get('list_sha256', '')[:12]}",
            made.get("calibration_sha256", "")[:12] or words["none"],
        )
        return [words[key], *(escape(printable(text)) for text in texts)]

    columns = [("", ""), (words["screening"], "path"), (words["made"], "")]
    columns += [(words["n_records"], "number")]
    columns += [(words[key], "") for key in ("bundle", "list", "calibration")]
    return table(columns, [row("old", comparison.old), row("new", comparison.new)], words["title"])


def _counts(comparison: Comparison, words: Words) -> str:
    look_here = ' class="look"'
    items = "".join(
        f"<li{look_here if kind in WORSE else ''}><b>{words.count(count)}</b>{words[kind]}</li>"
        for kind, count in comparison.counts.items()
        if count
    )
    listed = f'<ul class="counts">{items}</ul>\n' if items else f"<p>{words['nothing']}</p>\n"
    title = f'<h2 id="counts">{words["counts"]}: {words.count(len(comparison.records))}</h2>'
    return f'<section aria-labelledby="counts">{title}\n{listed}</section>\n'


def _section(key: str, changes: Sequence[Change], comparison: Comparison, words: Words) -> str:
    title = f'<section aria-labelledby="{key}"><h2 id="{key}">{words[key]}</h2>\n'
    if not changes:
        return f"{title}<p>{words['nothing']}</p></section>\n"
    of_patients = key == "patients"
    with_patient = comparison.patients is not None and not of_patients
    columns = [(words["patient" if of_patients else "recording"], "path")]
    columns += [(words["patient"], "path")] if with_patient else []
    columns += [(words["what"], ""), (words["diagnosis"], ""), (words["score"], "number")]
    columns += [(words["percentile"], "number"), (words["state"], "")]
    rows = []
    for change in changes[:MAX_ROWS]:
        name = [path_text(change.name)]
        name += [escape(printable(change.patient))] if with_patient else []
        rows += [
            [*name, *cells, escape(state_text(change, words))]
            for cells in _cells(change, comparison.diagnoses, words)
        ]
    more = ""
    if len(changes) > MAX_ROWS:
        more = f"<p>{words['more'].format(n=words.count(len(changes) - MAX_ROWS))}</p>\n"
    return f"{title}{table(columns, rows, words[key])}{more}</section>\n"


def _cells(
    change: Change, diagnoses: Sequence[DiagnosisRow], words: Words
) -> list[tuple[str, str, str, str]]:
    cells = []
    # Of a recording that appeared, the rows of its flags say so: it needs none of its own.
    appeared = f"{words[Kind.APPEARED]}, " if Kind.APPEARED in change.kinds else ""
    for finding in change.findings:
        row = diagnoses[finding.diagnosis]
        normal = "" if row.is_finding else " normal"
        name = (
            f'<span class="flag {row.severity}{normal}">{escape(words.diagnosis(row.name))}</span>'
        )
        what = escape(f"{appeared}{words[finding.kind]}")
        cells.append((what, name, *figure_texts(finding, words)))
    if appeared and cells:
        return cells
    if others := kinds_text(change, words):
        cells.append((escape(others), "", "", ""))
    return cells
