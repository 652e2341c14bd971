"""The job: two screenings in, what changed out. Reads from top to bottom."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ecgscreen.compare.changes import Change, Kind, Moves
from ecgscreen.compare.comparable import Common, Notice, common_diagnoses
from ecgscreen.compare.names import check_names
from ecgscreen.compare.patients import n_without_patient, patient_changes, read_patients
from ecgscreen.compare.records import Pair, record_changes
from ecgscreen.compare.screening import Screening, open_screening
from ecgscreen.compare.urgency import is_worse, urgency
from ecgscreen.reports.diagnosis_row import DiagnosisRow


@dataclass(frozen=True)
class CompareOptions:
    """What to compare, and from where on a score has moved.

    Attributes
    ----------
    old, new
        Folders of two screenings, or their ``report.h5``.
    common
        Compare the diagnoses that both have although bundle, list or calibration differ.
    patients
        A table that says which recordings are of one patient; None compares recordings only.
    moves
        From where on a score or percentile has moved.
    """

    old: Path
    new: Path
    common: bool = False
    patients: Path | None = None
    moves: Moves = field(default_factory=Moves)


@dataclass(frozen=True)
class Side:
    """One of the two screenings, as the outputs name it.

    Attributes
    ----------
    path
        Its report.
    n_records
        Recordings in it.
    attributes
        Its provenance.
    """

    path: str
    n_records: int
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """What changed between two screenings.

    Attributes
    ----------
    old, new
        The screenings.
    diagnoses
        The K that were compared.
    notices
        What to know before the figures are read.
    moves
        From where on a score or percentile has moved.
    records
        Recordings that are not as they were, worst first.
    patients
        Patients likewise; None if no table was given.
    """

    old: Side
    new: Side
    diagnoses: tuple[DiagnosisRow, ...]
    notices: tuple[Notice, ...]
    moves: Moves
    records: tuple[Change, ...]
    patients: tuple[Change, ...] | None

    @property
    def counts(self) -> dict[Kind, int]:
        """Recordings of every kind of change, also where there is none."""
        counted = Counter(kind for change in self.records for kind in change.kinds)
        return {kind: counted[kind] for kind in Kind}

    @property
    def is_worse(self) -> bool:
        """Whether a finding is newly flagged somewhere, or a result is lost."""
        return any(is_worse(change) for change in self.records)


def compare(options: CompareOptions) -> Comparison:
    """Compare two screenings, recording by recording and patient by patient.

    Parameters
    ----------
    options
        See `CompareOptions`.

    Raises
    ------
    ReportError
        If a report is missing, or none of ours.
    NotComparableError
        If bundle, list or calibration differ and `common` is not asked for, or it cannot be told
        which recordings are the same.
    UsageError
        If the table of patients cannot be understood.
    """
    patients = {} if options.patients is None else read_patients(options.patients)
    with ExitStack() as stack:
        old = stack.enter_context(open_screening(options.old))
        new = stack.enter_context(open_screening(options.new))
        check_names(old, new)
        common = common_diagnoses(old, new, common=options.common)
        moves = options.moves if common.scores_compare else Moves(math.inf, math.inf)
        pair = Pair(old, new, common)
        records = _sorted(record_changes(pair, moves, patients), common)
        together = None
        if options.patients is not None:
            lost = _lost_flags(records)
            together = _sorted(patient_changes(pair, moves, patients, lost), common)
        told = _notices(old, new, patients, records, has_patients=options.patients is not None)
        return Comparison(
            old=_side(old),
            new=_side(new),
            diagnoses=common.diagnoses,
            notices=(*common.notices, *told),
            moves=moves,
            records=records,
            patients=together,
        )


def _sorted(changes: Iterable[Change], common: Common) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda each: (urgency(each, common.diagnoses), each.name)))


def _lost_flags(records: Iterable[Change]) -> set[tuple[str, int]]:
    return {
        (change.patient, finding.diagnosis)
        for change in records
        for finding in change.findings
        if finding.kind in (Kind.RESULT_LOST, Kind.VANISHED)
    }


def _notices(
    old: Screening,
    new: Screening,
    patients: Mapping[str, str],
    records: tuple[Change, ...],
    *,
    has_patients: bool,
) -> list[Notice]:
    notices = []
    appeared = sum(Kind.APPEARED in change.kinds for change in records)
    if old.n_records and new.n_records and appeared == new.n_records:
        notices.append(Notice("nothing_shared", {}))
    if has_patients and (n := n_without_patient(new, patients)):
        notices.append(Notice("without_patient", {"n": str(n), "of": str(new.n_records)}))
    return notices


def _side(screening: Screening) -> Side:
    return Side(str(screening.path), screening.n_records, screening.attributes)
