"""The reports of a run, made from its store and renamed into place when they are whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from ecgscreen.publish import (
    json_bytes,
    make_private_folder,
    publishing_together,
    remove_leftovers,
    sha256_of,
    storing,
)
from ecgscreen.reports.blocks import ReportWriter, scored_blocks
from ecgscreen.reports.content import Report
from ecgscreen.reports.csv import CsvReport
from ecgscreen.reports.diagnosis_row import DiagnosisRow
from ecgscreen.reports.hdf5 import Hdf5Report
from ecgscreen.reports.html import HtmlReport
from ecgscreen.reports.inputs import InputsDigest
from ecgscreen.reports.json_summary import run_document, summary_document
from ecgscreen.reports.provenance import Provenance, RowsOfRun
from ecgscreen.reports.tally import RunSummary, Tally

__all__ = [
    "DiagnosisRow",
    "Provenance",
    "Report",
    "RowsOfRun",
    "RunSummary",
    "write_reports",
]

ROW_REPORTS: Mapping[str, Callable[[Path, Report], ReportWriter]] = {
    "report.h5": Hdf5Report,
    "report.csv": CsvReport,
    "report.html": HtmlReport,
}
"""Every form that has a row a recording, and what writes it."""
RUN, SUMMARY = "run.json", "summary.json"


def write_reports(report: Report, folder: Path, *, fail_if_empty: bool = False) -> RunSummary:
    """Write all reports of a run and publish them by rename.

    One pass over the store serves all forms. While it lasts, and if it fails, the reports of
    the run before stay whole, all of them.

    Parameters
    ----------
    report
        What is reported.
    folder
        Where the reports go.
    fail_if_empty
        Whether a run without a new row has an exit code of its own.

    Returns
    -------
    The run in numbers, as in ``summary.json``.

    Raises
    ------
    StoreError
        If the store is damaged or the folder cannot be written.
    """
    tally, inputs = Tally(report.diagnoses), InputsDigest()
    names = (*ROW_REPORTS, RUN, SUMMARY)
    with storing(folder):
        make_private_folder(folder)
        remove_leftovers(folder)
        with publishing_together([folder / name for name in names]) as files:
            parts = dict(zip(names, files, strict=True))
            with ExitStack() as open_files:
                writers: list[ReportWriter] = [
                    open_files.enter_context(closing(form(parts[name], report)))
                    for name, form in ROW_REPORTS.items()
                ]
                for block in scored_blocks(report):
                    tally.write(block)
                    inputs.write(block)
                    for writer in writers:
                        writer.write(block)
            summary = replace(tally.summary(), fail_if_empty=fail_if_empty)
            if report.provenance.rows:
                n_new, n_new_scored = report.provenance.n_new
                summary = replace(summary, n_new=n_new, n_new_scored=n_new_scored)
            hashes = {name: sha256_of(parts[name]) for name in ROW_REPORTS}
            run = run_document(report.provenance, inputs.to_json(), hashes)
            parts[RUN].write_bytes(json_bytes(run))
            totals = summary_document(summary, report.provenance, (*ROW_REPORTS, RUN))
            parts[SUMMARY].write_bytes(json_bytes(totals))
    return summary
