"""A comparison as a file: a page, a table or JSON, by the name's suffix."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ecgscreen.compare.changes import Change, Finding, State
from ecgscreen.compare.html import page
from ecgscreen.compare.job import Comparison, Side
from ecgscreen.compare.words import all_notices, compare_words
from ecgscreen.errors import UsageError
from ecgscreen.publish import JsonValue, check_file_can_be, publish_bytes, publish_json, storing
from ecgscreen.reports.csv import text_cell

FORMAT_VERSION = 1
COLUMNS = (
    *("level", "name", "patient", "changes", "diagnosis", "severity", "change"),
    *("old_score", "new_score", "old_percentile", "new_percentile"),
    *("old_status", "new_status", "old_reason", "new_reason", "old_quality", "new_quality"),
)
"""Of the table; a row a diagnosis that changed, or one without a diagnosis."""


def write_comparison(comparison: Comparison, path: Path, language: str) -> None:
    """Publish a comparison (see `ecgscreen.publish.publishing`).

    Parameters
    ----------
    comparison
        What changed.
    path
        Its suffix says which form is written, see `WRITERS`.
    language
        Of the page; a table and JSON are for programs.

    Raises
    ------
    UsageError
        See `check_output`.
    StoreError
        If it cannot be written.
    """
    check_output(path)
    with storing(path):
        WRITERS[path.suffix.casefold()](comparison, path, language)


def check_output(path: Path) -> None:
    """Refuse a file that cannot be written, before the work.

    Raises
    ------
    UsageError
        If no form has this suffix, or the file could not be written.
    """
    if path.suffix.casefold() not in WRITERS:
        raise UsageError(
            f"{path}: the form goes by the suffix, expected one of {', '.join(WRITERS)}",
            "Name the file changes.html, for example.",
        )
    check_file_can_be(path)


def _write_html(comparison: Comparison, path: Path, language: str) -> None:
    publish_bytes(path, page(comparison, compare_words(language)).encode())


def _write_csv(comparison: Comparison, path: Path, _language: str) -> None:
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for level, changes in (("patient", comparison.patients or ()), ("record", comparison.records)):
        for change in changes:
            for finding in change.findings or (None,):
                rows.writerow(_csv_row(level, change, finding, comparison))
    publish_bytes(path, buffer.getvalue().encode())


def _csv_row(
    level: str, change: Change, finding: Finding | None, comparison: Comparison
) -> Iterator[str]:
    yield level
    for text in (change.name, change.patient, "; ".join(change.kinds)):
        yield text_cell(text)
    if finding is None:
        yield from [""] * 7
    else:
        diagnosis = comparison.diagnoses[finding.diagnosis]
        yield from (text_cell(diagnosis.name), diagnosis.severity, finding.kind)
        for value in (
            *(finding.old_score, finding.new_score),
            *(finding.old_percentile, finding.new_percentile),
        ):
            yield "" if math.isnan(value) else f"{value:.6g}"
    states = (change.old or State("", "", ""), change.new or State("", "", ""))
    for name in ("status", "reason", "quality"):
        for state in states:
            yield text_cell(getattr(state, name))


def _write_json(comparison: Comparison, path: Path, _language: str) -> None:
    document: dict[str, JsonValue] = {
        "format_version": FORMAT_VERSION,
        "old": _side(comparison.old),
        "new": _side(comparison.new),
        "diagnoses": [
            {"name": row.name, "code": row.code, "severity": row.severity}
            for row in comparison.diagnoses
        ],
        "notices": all_notices(comparison, compare_words("en")),
        "moves": {"score": comparison.moves.score, "percentile": comparison.moves.percentile},
        "counts": {str(kind): count for kind, count in comparison.counts.items()},
        "patients": None
        if comparison.patients is None
        else [_change(each, comparison) for each in comparison.patients],
        "records": [_change(each, comparison) for each in comparison.records],
    }
    publish_json(path, document)


def _side(side: Side) -> dict[str, JsonValue]:
    named = ("started_utc", "bundle", "bundle_sha256", "list", "list_sha256", "calibration_sha256")
    provenance: dict[str, JsonValue] = {name: side.attributes.get(name, "") for name in named}
    return {"report": side.path, "n_records": side.n_records, **provenance}


def _change(change: Change, comparison: Comparison) -> dict[str, JsonValue]:
    return {
        "name": change.name,
        "patient": change.patient,
        "changes": [str(kind) for kind in change.kinds],
        "old": _state(change.old),
        "new": _state(change.new),
        "diagnoses": [
            {
                "name": comparison.diagnoses[finding.diagnosis].name,
                "change": str(finding.kind),
                "old_score": finding.old_score,
                "new_score": finding.new_score,
                "old_percentile": finding.old_percentile,
                "new_percentile": finding.new_percentile,
            }
            for finding in change.findings
        ],
    }


def _state(state: State | None) -> dict[str, JsonValue] | None:
    if state is None:
        return None
    if state.n_recordings:
        return {"n_recordings": state.n_recordings, "n_scored": state.n_scored}
    return {"status": state.status, "reason": state.reason, "quality": state.quality}


WRITERS: Mapping[str, Callable[[Comparison, Path, str], None]] = MappingProxyType(
    {".html": _write_html, ".csv": _write_csv, ".json": _write_json}
)
"""Suffix -> what writes that form."""
