"""A site's own recordings: read, labelled, and never a patient on two sides."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import SkippedRecording
from ecgscreen.vocabulary import Vocabulary
from ecgscreen.wording import counted
from trainer.cells import age_or_nan
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, RecordingRow, prepare_rows, select
from trainer.datasets.case import implied
from trainer.datasets.table import statements_of
from trainer.datasets.table_file import TableRow, recording_of, table_rows
from trainer.from_reports import recordings_from_reports
from trainer.metrics import MIN_POSITIVES, measurable
from trainer.prepare import named
from trainer.splits import N_FOLDS, patient_fold, rows_of_folds

TRAIN_FOLDS, VALIDATION_FOLDS = "1-7", "8"
"""Whatever is in neither is held out: with these, folds 9 and 10."""
MIN_RECORDINGS = 50
_COLUMNS = "path, report, patient_id and, if there are any, statements (AFIB;CLBBB), age, sex"
_ANONYMOUS = "without patient_id: left out"
_NO_AGE = "with an age that is none (0 to 130 years): taken as unknown"
_APART = "patients cannot be kept apart"
_PATIENT_ADVICE = "Give any identifier that is the same for all recordings of a patient."
# English, German, Swedish; 0 and 1 are PTB-XL's.
_SEXES = dict.fromkeys(("m", "male", "man", "0"), 0.0)
_SEXES |= dict.fromkeys(("f", "w", "k", "female", "woman", "weiblich", "kvinna", "1"), 1.0)
_SEXES |= dict.fromkeys(("männlich",), 0.0)


@dataclass(frozen=True)
class SiteRecordings:
    """What a site's tables give.

    Attributes
    ----------
    recordings
        Those with statements; `LabelledRecordings.folds` are those of `patient_fold`.
    labels_from
        ``statements`` or ``reports``: where the statements come from.
    notes
        What a person should know: rows that were left out, and why.
    """

    recordings: LabelledRecordings
    labels_from: str
    notes: tuple[str, ...]


def load_site(
    tables: Sequence[Path],
    vocabulary: Vocabulary,
    config: PreprocessConfig,
    *,
    labels_from: str | None = None,
    conventions: bool = False,
) -> SiteRecordings:
    """Read, prepare and label the recordings of some tables.

    Columns: ``path`` (relative to the table's folder, not outside it), ``patient_id``,
    ``report``, and if there are any ``statements``, ``age`` (years), ``sex`` (m or f).

    Parameters
    ----------
    tables
        CSV files in UTF-8. One identifier is one patient in all of them.
    vocabulary
        The concepts.
    config
        Of the bundle that the recordings are for.
    labels_from
        ``statements`` or ``reports``; None: statements where any row has some, else reports.
    conventions
        See `recordings_from_reports`.

    Raises
    ------
    UsageError
        If patients cannot be told apart, recordings or labels are too few, or a table or a
        statement cannot be understood; says what is needed.
    """
    read = _read(tables, vocabulary)
    labels_from = labels_from or ("statements" if read.has_statements else "reports")
    where = ", ".join(map(str, tables))
    _check_read(read, where, labels_from)
    prepared = prepare_rows(read.rows, vocabulary, config, distinct=True)
    skipped = (*read.missing, *prepared.skipped)
    if labels_from == "reports":
        labelled = recordings_from_reports(prepared, vocabulary, conventions=conventions)
    else:
        labelled = select(prepared, np.flatnonzero(prepared.carried.any(axis=1)))
    n, n_labelled = len(prepared.windows), len(labelled.windows)
    notes = [
        f"{counted(n_labelled, 'recording has statements', 'recordings have statements')}, "
        f"{n - n_labelled} none: left out"
        if labels_from == "statements"
        else f"{counted(n_labelled, 'recording')} got statements from reports, {n - n_labelled} "
        "none: left out"
    ]
    notes += [f"{counted(n_rows, 'row')} {which}" for which, n_rows in read.noted.items()]
    if n_again := len(read.rows) - n - len(prepared.skipped):
        notes.append(
            f"{counted(n_again, 'row')} with the signal of an earlier row: left out, because "
            "one recording of two patients would be on both sides"
        )
    if skipped:
        reasons = Counter(str(one.reason) for one in skipped)
        counts = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
        first = read.missing[0].detail if read.missing else named(skipped[0])
        notes.append(
            f"{counted(len(skipped), 'recording')} cannot be used ({counts}), the first: {first}"
        )
    _enough(n_labelled, where, "recording", f" with statements ({'; '.join(notes)})")
    _several_classes(labelled, where)
    return SiteRecordings(labelled, labels_from, tuple(notes))


def held_out_folds(config: TrainConfig) -> tuple[int, ...]:
    """The folds that are neither trained on nor validated on."""
    used = {*config.train_folds, *config.validation_folds}
    return tuple(fold for fold in range(1, N_FOLDS + 1) if fold not in used)


def check_parts(recordings: LabelledRecordings, config: TrainConfig) -> None:
    """Make sure that there is somebody to train on, to validate on and to hold out.

    Raises
    ------
    UsageError
        If a part of the split has no recording.
    """
    parts = {
        "train on": config.train_folds,
        "validate on": config.validation_folds,
        "hold out": held_out_folds(config),
    }
    for name, folds in parts.items():
        if not len(rows_of_folds(recordings.folds, folds)):
            n = len(np.unique(recordings.patients))
            raise UsageError(
                f"{counted(n, 'patient leaves', 'patients leave')} nobody to {name} "
                f"(folds {list(folds)})",
                "Give recordings of more patients: some hundred are a sensible least.",
            )


@dataclass(frozen=True)
class _Read:
    """What the tables hold before a recording is opened: usable rows, and what is not."""

    rows: tuple[RecordingRow, ...]
    missing: tuple[SkippedRecording, ...]
    noted: Counter[str]
    has_statements: bool


def _read(tables: Sequence[Path], vocabulary: Vocabulary) -> _Read:
    rows: list[RecordingRow] = []
    missing: list[SkippedRecording] = []
    noted = Counter[str]()
    has_statements = False
    for table in tables:
        for row in table_rows(table, ("path",), f"It has to have the columns {_COLUMNS}."):
            _check_columns(row)
            statements = statements_of(row, vocabulary)
            patient, age = row.cell("patient_id"), age_or_nan(row.cell("age"))
            path = recording_of(row)
            if not patient:
                noted[_ANONYMOUS] += 1
                continue
            if isinstance(path, SkippedRecording):
                missing.append(path)
                continue
            has_statements |= bool(statements)
            noted[_NO_AGE] += bool(row.cell("age")) and math.isnan(age)
            rows.append(
                RecordingRow(
                    path=path,
                    root=table.parent,
                    carried=implied(vocabulary, statements),
                    patient=patient,
                    fold=patient_fold(patient),
                    age=age,
                    sex=_SEXES.get(row.cell("sex").casefold(), float("nan")),
                    report=row.cell("report"),
                )
            )
    return _Read(tuple(rows), tuple(missing), +noted, has_statements)


def _check_columns(row: TableRow) -> None:
    if "patient_id" not in row.cells:
        raise UsageError(f"{row.table}: no column patient_id: {_APART}", _PATIENT_ADVICE)
    if not {"report", "statements"} & row.cells.keys():
        raise UsageError(
            f"{row.table}: no column report and no column statements: nothing to learn from",
            f"It has to have the columns {_COLUMNS}.",
        )


def _check_read(read: _Read, where: str, labels_from: str) -> None:
    """Refuse what cannot be trained on before a recording is read."""
    n_anonymous, n_missing = read.noted[_ANONYMOUS], len(read.missing)
    if n_anonymous and not read.rows and not n_missing:
        raise UsageError(f"{where}: no row has a patient_id: {_APART}", _PATIENT_ADVICE)
    if n_missing and not read.rows:
        raise UsageError(
            f"{where}: no row names a recording that is there, the first of {n_missing}: "
            f"{read.missing[0].detail}",
            "Give each path relative to the table's folder, and keep the recordings inside it.",
        )
    if read.rows and labels_from == "statements" and not read.has_statements:
        raise UsageError(f"{where}: no row has statements", "Fill the column, or use reports.")
    if read.rows and labels_from == "reports" and not any(row.report for row in read.rows):
        raise UsageError(
            f"{where}: no row has a report, and none has statements"
            if not read.has_statements
            else f"{where}: no row has a report",
            f"It has to have the columns {_COLUMNS}.",
        )
    more = [f"{n_anonymous} more without patient_id"] if n_anonymous else []
    if n_missing:
        more.append(f"{n_missing} more without a recording, the first: {read.missing[0].detail}")
    _enough(len(read.rows), where, "row", f" ({'; '.join(more)})" if more else "")


def _enough(n: int, where: str, what: str, which: str) -> None:
    if n < MIN_RECORDINGS:
        raise UsageError(
            f"{where}: {counted(n, what)}{which}, at least {MIN_RECORDINGS} are needed",
            "Give more recordings: some hundred are a sensible least.",
        )


def _several_classes(recordings: LabelledRecordings, where: str) -> None:
    """What every recording carries, or hardly any, teaches nothing."""
    if not measurable(recordings.carried).any():
        n = int(recordings.carried.any(axis=0).sum())
        none = "the one statement is not" if n == 1 else f"none of {n} statements and groups is"
        raise UsageError(
            f"{where}: one class only: {none} carried by {MIN_POSITIVES} recordings and not "
            f"carried by {MIN_POSITIVES} others",
            "Give recordings of different diagnoses, normal ones among them.",
        )
