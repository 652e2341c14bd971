"""The reports of a run, made from its store and renamed into place when they are whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from ecgscreen.publish import make_private_folder, publishing, remove_leftovers, storing
from ecgscreen.reports.content import (
    DiagnosisRow,
    Provenance,
    Report,
    ReportWriter,
    scored_blocks,
)
from ecgscreen.reports.csv import CsvReport
from ecgscreen.reports.hdf5 import Hdf5Report
from ecgscreen.reports.html import HtmlReport
from ecgscreen.reports.json_summary import write_run, write_summary
from ecgscreen.reports.tally import RunSummary, Tally

__all__ = ["DiagnosisRow", "Provenance", "Report", "RunSummary", "write_reports"]

ROW_REPORTS: Mapping[str, Callable[[Path, Report], ReportWriter]] = {
    "report.h5": Hdf5Report,
    "report.csv": CsvReport,
    "report.html": HtmlReport,
}
"""Every form that has a row a recording, and what writes it."""


def write_reports(report: Report, folder: Path) -> RunSummary:
    """Write all reports of a run and publish them by rename.

    One pass over the store serves all forms. While it lasts, and if it fails, the reports of
    the run before stay whole.

    Parameters
    ----------
    report
        What is reported.
    folder
        Where the reports go.

    Returns
    -------
    The run in numbers, as in ``summary.json``.

    Raises
    ------
    StoreError
        If the store is damaged or the folder cannot be written.
    """
    tally = Tally(report.diagnoses)
    with storing(folder), ExitStack() as stack:
        make_private_folder(folder)
        remove_leftovers(folder)
        parts = {name: stack.enter_context(publishing(folder / name)) for name in ROW_REPORTS}
        with ExitStack() as open_files:
            writers: list[ReportWriter] = [
                open_files.enter_context(closing(form(parts[name], report)))
                for name, form in ROW_REPORTS.items()
            ]
            for block in scored_blocks(report):
                tally.write(block)
                for writer in writers:
                    writer.write(block)
    summary = tally.summary()
    write_run(folder / "run.json", report.provenance)
    reports = (*ROW_REPORTS, "run.json")
    write_summary(folder / "summary.json", summary, report.provenance, reports)
    return summary
