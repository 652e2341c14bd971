"""A site's own recordings: read, labelled, and never a patient on two sides."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.vocabulary import Vocabulary
from trainer.config import TrainConfig
from trainer.data import (
    OLDEST,
    LabelledRecordings,
    RecordingRow,
    number_or_nan,
    prepare_rows,
    select,
)
from trainer.datasets.case import implied
from trainer.datasets.table import statements_of, table_rows
from trainer.from_reports import recordings_from_reports
from trainer.metrics import MIN_POSITIVES, measurable
from trainer.splits import rows_of_folds

N_FOLDS = 10
TRAIN_FOLDS, VALIDATION_FOLDS = "1-7", "8"
"""Whatever is in neither is held out: with these, folds 9 and 10."""
MIN_RECORDINGS = 50
_SPLIT = "ecgscreen site split 1"
_COLUMNS = "path, report, patient_id and, if there are any, statements (AFIB;CLBBB), age, sex"
_APART = "patients cannot be kept apart"
_PATIENT_ADVICE = "give any identifier that is the same for all recordings of a patient"
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


def patient_fold(patient_id: str) -> int:
    """The fold of a patient, 1 to `N_FOLDS`, from a hash of the identifier alone.

    A patient has the same fold in every table and every year: who was held out once is
    never trained on later, and a table that grows moves nobody.

    Parameters
    ----------
    patient_id
        Without the blanks around it. Another spelling is another patient.
    """
    digest = hashlib.sha256(f"{_SPLIT}\n{patient_id}".encode()).digest()
    return 1 + int.from_bytes(digest[:8], "big") % N_FOLDS


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
    rows, n_anonymous, has_statements = _read(tables, vocabulary)
    labels_from = labels_from or ("statements" if has_statements else "reports")
    where = ", ".join(map(str, tables))
    if n_anonymous and not rows:
        raise UsageError(f"{where}: no row has a patient_id: {_APART}", _PATIENT_ADVICE)
    if labels_from == "statements" and not has_statements:
        raise UsageError(f"{where}: no row has statements", "fill the column, or use reports")
    if labels_from == "reports" and not any(row.report for row in rows):
        raise UsageError(
            f"{where}: no row has a report, and none has statements",
            f"expected the columns {_COLUMNS}",
        )
    _enough(len(rows), where, f"rows ({n_anonymous} more have no patient_id)")
    prepared = prepare_rows(rows, vocabulary, config)
    if labels_from == "reports":
        labelled = recordings_from_reports(prepared, vocabulary, conventions=conventions)
    else:
        labelled = select(prepared, np.flatnonzero(prepared.carried.any(axis=1)))
    n, n_labelled = len(prepared.windows), len(labelled.windows)
    source = "have statements" if labels_from == "statements" else "got statements from reports"
    notes = [f"{n_labelled} recordings {source}, {n - n_labelled} none: these are left out"]
    if n_anonymous:
        notes.append(f"{n_anonymous} rows without patient_id are left out")
    if prepared.skipped:
        reasons = Counter(str(one.reason) for one in prepared.skipped)
        named = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
        notes.append(f"{len(prepared.skipped)} recordings cannot be used ({named})")
    _enough(n_labelled, where, f"recordings with statements ({'; '.join(notes)})")
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
                f"{n} patients leave nobody to {name} (folds {list(folds)})",
                "give recordings of more patients: some hundred are a sensible least",
            )


def _read(tables: Sequence[Path], vocabulary: Vocabulary) -> tuple[list[RecordingRow], int, bool]:
    """Rows with a patient, the number of those without, whether any has statements."""
    rows: list[RecordingRow] = []
    n_anonymous, has_statements = 0, False
    for table in tables:
        for number, row in table_rows(table, ("path",), f"expected the columns {_COLUMNS}"):
            _check_columns(table, row)
            statements = statements_of(row.get("statements") or "", table, number, vocabulary)
            patient = (row["patient_id"] or "").strip()
            if not patient:
                n_anonymous += 1
                continue
            has_statements |= bool(statements)
            rows.append(
                RecordingRow(
                    path=table.parent / (row["path"] or ""),
                    root=table.parent,
                    carried=implied(vocabulary, statements),
                    patient=patient,
                    fold=patient_fold(patient),
                    age=min(number_or_nan(row.get("age")), OLDEST),
                    sex=_SEXES.get((row.get("sex") or "").strip().casefold(), float("nan")),
                    report=(row.get("report") or "").strip(),
                )
            )
    return rows, n_anonymous, has_statements


def _check_columns(table: Path, row: dict[str, str | None]) -> None:
    if "patient_id" not in row:
        raise UsageError(
            f"{table}: no column patient_id: {_APART}",
            _PATIENT_ADVICE,
        )
    if not {"report", "statements"} & row.keys():
        raise UsageError(
            f"{table}: no column report and no column statements: nothing to learn from",
            f"expected the columns {_COLUMNS}",
        )


def _enough(n: int, where: str, what: str) -> None:
    if n < MIN_RECORDINGS:
        raise UsageError(
            f"{where}: {n} {what}, at least {MIN_RECORDINGS} are needed",
            "give more recordings: some hundred are a sensible least",
        )


def _several_classes(recordings: LabelledRecordings, where: str) -> None:
    """What every recording carries, or hardly any, teaches nothing."""
    if not measurable(recordings.carried).any():
        n = int(recordings.carried.any(axis=0).sum())
        raise UsageError(
            f"{where}: one class only: none of {n} statements and groups is carried by "
            f"{MIN_POSITIVES} recordings and not carried by {MIN_POSITIVES} others",
            "give recordings of different diagnoses, normal ones among them",
        )
