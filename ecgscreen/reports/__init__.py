"""The reports of a run, made from its store and renamed into place when they are whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path

from ecgscreen.garbage import expecting_blocks
from ecgscreen.publish import (
    json_bytes,
    make_private_folder,
    publishing_together,
    remove_leftovers,
    sha256_of,
    storing,
)
from ecgscreen.reports.beside import Beside, Forms, WriterBeside
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
    "ROW_REPORTS",
    "Beside",
    "DiagnosisRow",
    "Provenance",
    "Report",
    "RowsOfRun",
    "RunSummary",
    "write_reports",
]

PROGRAM_REPORTS: Mapping[str, Callable[[Path, Report], ReportWriter]] = {
    "report.h5": Hdf5Report,
    "report.csv": CsvReport,
}
"""The forms for programs, and what writes them."""
PAGE = "report.html"
ROW_REPORTS = (*PROGRAM_REPORTS, PAGE)
"""Every form that has a row a recording."""
RUN, SUMMARY = "run.json", "summary.json"


def write_reports(
    report: Report, folder: Path, *, fail_if_empty: bool = False, beside: Beside | None = None
) -> RunSummary:
    """Write all reports of a run and publish them by rename.

    One pass over the store serves all forms, also those that another process writes.
    While it lasts, and if it fails, the reports of the run before stay whole, all of them.

    Parameters
    ----------
    report
        What is reported.
    folder
        Where the reports go.
    fail_if_empty
        Whether a run without a new row has an exit code of its own.
    beside
        Another process that does a part of it: the files are the same.

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
        with (
            expecting_blocks(),
            publishing_together([folder / name for name in names]) as files,
            _given_up_with(beside),
        ):
            parts = dict(zip(names, files, strict=True))
            page = HtmlReport(parts[PAGE], report, tally, beside)
            for_programs = {parts[name]: form for name, form in PROGRAM_REPORTS.items()}
            if beside is None:
                _write_rows(report, for_programs, tally, inputs, page)
            else:
                others = WriterBeside(beside, for_programs)
                _write_rows(report, {}, tally, inputs, page, others)
                if not others.finished():
                    _write_rows(report, for_programs)
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


def _write_rows(report: Report, forms: Forms, *others: ReportWriter) -> None:
    """Write some forms into their files, and give the rows to others, in one pass."""
    with ExitStack() as open_files:
        writers = [
            open_files.enter_context(closing(writer))
            for writer in chain(others, (form(path, report) for path, form in forms.items()))
        ]
        for block in scored_blocks(report):
            for writer in writers:
                writer.write(block)


@contextmanager
def _given_up_with(beside: Beside | None) -> Iterator[None]:
    """If the body fails, have the other process stop first: it writes files that are removed."""
    try:
        yield
    except BaseException:
        if beside is not None:
            beside.helper.stop()
        raise
