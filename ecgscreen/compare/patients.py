"""Patient by patient: the recordings of one are taken together, in each screening."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.compare.changes import (
    KINDS,
    Change,
    Figures,
    Kind,
    Moves,
    State,
    finding_kinds,
)
from ecgscreen.compare.records import Pair, make_change
from ecgscreen.compare.screening import BLOCK_ROWS, Screening
from ecgscreen.errors import UsageError
from ecgscreen.results import Status, report_text

PATIENTS_AT_ONCE = 16_384
"""Patients whose figures are held at a time: both reports are read once for each so many."""

_CLEARED, _LOST = KINDS.index(Kind.CLEARED), KINDS.index(Kind.RESULT_LOST)
_COLUMNS = ("path", "patient_id")
_ADVICE = "Give a CSV file in UTF-8 with the columns path, patient_id, separated by commas."


def read_patients(table: Path) -> dict[str, str]:
    """Read which recordings belong together.

    Parameters
    ----------
    table
        CSV with ``path``, as in the reports, and ``patient_id``; other columns are not read. Rows
        without a patient are left out.

    Returns
    -------
    Path -> patient, both as the table has them.

    Raises
    ------
    UsageError
        If the table cannot be read, or gives a recording to two patients.
    """
    patients: dict[str, str] = {}
    try:
        # A spreadsheet's export begins with a byte-order mark.
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
                raise UsageError(f"{table}: no column {' and no column '.join(missing)}", _ADVICE)
            for row in reader:
                path = report_text((row["path"] or "").removeprefix("./"))
                patient = report_text((row["patient_id"] or "").strip())
                if not path or not patient:
                    continue
                if patients.setdefault(path, patient) != patient:
                    raise UsageError(
                        f"{table}, line {reader.line_num}: this path stands there before, with "
                        "another patient",
                        "A recording belongs to one patient.",
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{table}: cannot be read as a table ({type(error).__name__})", _ADVICE
        ) from error
    return patients


def patient_changes(
    pair: Pair, moves: Moves, patients: Mapping[str, str], lost: Set[tuple[str, int]]
) -> Iterator[Change]:
    """Yield every patient who is not as before.

    A patient's score for a diagnosis is the highest of the recordings', as is the percentile, and
    a flag of one recording is the patient's.

    Parameters
    ----------
    pair
        The screenings.
    moves
        From where on a score has moved.
    patients
        Path -> patient.
    lost
        (patient, diagnosis) of which a recording was flagged that has no result any more, or is
        gone: the patient's flag is not cleared then, whatever the other recordings say.
    """
    names = sorted(set(patients.values()))
    numbers = {name: number for number, name in enumerate(names)}
    old_of, new_of = (_patient_of(side, patients, numbers) for side in (pair.old, pair.new))
    for begin in range(0, len(names), PATIENTS_AT_ONCE):
        chosen = names[begin : begin + PATIENTS_AT_ONCE]
        old_states, old = _together(pair.old, old_of - begin, pair.common.old, len(chosen))
        new_states, new = _together(pair.new, new_of - begin, pair.common.new, len(chosen))
        kinds = finding_kinds(old, new, moves)
        for row, k in np.argwhere(kinds == _CLEARED).tolist():
            if (chosen[row], k) in lost:
                kinds[row, k] = _LOST
        for row, name in enumerate(chosen):
            states = (old_states[row], new_states[row])
            if states == (None, None):  # neither screening has any of the recordings
                continue
            change = make_change(
                name=name,
                patient="",
                states=states,
                kinds=kinds,
                figures=(old, new),
                row=row,
                diagnoses=pair.common.diagnoses,
            )
            if change is not None:
                yield change


def n_without_patient(screening: Screening, patients: Mapping[str, str]) -> int:
    """Count the recordings of a screening that the table gives to nobody."""
    return sum(
        path not in patients for rows in screening.blocks() for path in screening.paths(rows)
    )


def _patient_of(
    screening: Screening, patients: Mapping[str, str], numbers: Mapping[str, int]
) -> NDArray[np.int64]:
    """The number of each recording's patient; -1 where the table has none."""
    found = np.full(screening.n_records, -1, np.int64)
    for rows in screening.blocks():
        for row, path in zip(rows.tolist(), screening.paths(rows), strict=True):
            patient = patients.get(path)
            if patient is not None:
                found[row] = numbers[patient]
    return found


def _together(
    screening: Screening, patient_of: NDArray[np.int64], columns: tuple[int, ...], n: int
) -> tuple[list[State | None], Figures]:
    """States and figures of the patients 0 to n-1."""
    figures = Figures.nothing(n, len(columns))
    counts = np.zeros((n, 2), np.int64)
    wanted = np.flatnonzero((patient_of >= 0) & (patient_of < n))
    for begin in range(0, len(wanted), BLOCK_ROWS):
        rows = wanted[begin : begin + BLOCK_ROWS]
        which = patient_of[rows]
        block = screening.figures(rows, columns)
        np.fmax.at(figures.scores, which, block.scores)
        np.fmax.at(figures.percentiles, which, block.percentiles)
        np.maximum.at(figures.flags, which, block.flags)
        scored = np.array([state.is_scored for state in screening.states(rows)], np.int64)
        np.add.at(counts, which, np.stack([np.ones_like(scored), scored], axis=1))
    states = [
        State(
            status=Status.SCORED if n_scored else Status.ERROR,
            reason="",
            quality="",
            n_scored=n_scored,
            n_recordings=n_records,
        )
        if n_records
        else None
        for n_records, n_scored in counts.tolist()
    ]
    return states, figures
