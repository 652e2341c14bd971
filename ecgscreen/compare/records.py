"""Recording by recording: which are in both screenings, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.compare.changes import (
    KINDS,
    NOTHING,
    Change,
    Figures,
    Finding,
    Kind,
    Moves,
    State,
    finding_kinds,
    state_kinds,
)
from ecgscreen.compare.comparable import Common
from ecgscreen.compare.screening import BLOCK_ROWS, Screening
from ecgscreen.compare.urgency import finding_urgency
from ecgscreen.reports.diagnosis_row import DiagnosisRow

_OF_NORMAL = {Kind.NEWLY_FLAGGED: Kind.NORMAL_FLAGGED, Kind.CLEARED: Kind.NORMAL_CLEARED}


@dataclass(frozen=True)
class Pair:
    """Two screenings that can be compared.

    Attributes
    ----------
    old, new
        The screenings.
    common
        In which diagnoses.
    """

    old: Screening
    new: Screening
    common: Common


def record_changes(pair: Pair, moves: Moves, patients: Mapping[str, str]) -> Iterator[Change]:
    """Yield every recording that is not as it was.

    Recordings are the same if their paths in the reports are. Memory holds an id a recording and
    a block of both reports.

    Parameters
    ----------
    pair
        The screenings.
    moves
        From where on a score has moved.
    patients
        Path -> patient.
    """
    old, new = pair.old, pair.new
    _, in_old, in_new = np.intersect1d(old.ids, new.ids, assume_unique=True, return_indices=True)
    order = np.argsort(in_old)  # both reports are sorted by path, so that both ascend
    in_old, in_new = in_old[order], in_new[order]
    if (np.diff(in_new) < 0).any():
        raise ValueError("the recordings of the two reports are not in the same order")
    for begin in range(0, len(in_old), BLOCK_ROWS):
        rows = slice(begin, begin + BLOCK_ROWS)
        yield from _block(pair, in_old[rows], in_new[rows], moves, patients)
    none = np.empty(0, np.intp)
    for rows_of in old.blocks():
        yield from _block(pair, rows_of[~np.isin(rows_of, in_old)], none, moves, patients)
    for rows_of in new.blocks():
        yield from _block(pair, none, rows_of[~np.isin(rows_of, in_new)], moves, patients)


def _block(
    pair: Pair,
    in_old: NDArray[np.intp],
    in_new: NDArray[np.intp],
    moves: Moves,
    patients: Mapping[str, str],
) -> Iterator[Change]:
    """The changes of recordings that are in both, or in one where the other's rows are empty."""
    n = max(len(in_old), len(in_new))
    if not n:
        return
    names = pair.new.paths(in_new) if len(in_new) else pair.old.paths(in_old)
    old_states, old_figures = _side(pair.old, in_old, pair.common.old, n)
    new_states, new_figures = _side(pair.new, in_new, pair.common.new, n)
    kinds = finding_kinds(old_figures, new_figures, moves)
    for row in range(n):
        change = make_change(
            name=names[row],
            patient=patients.get(names[row], ""),
            states=(old_states[row], new_states[row]),
            kinds=kinds,
            figures=(old_figures, new_figures),
            row=row,
            diagnoses=pair.common.diagnoses,
        )
        if change is not None:
            yield change


def _side(
    screening: Screening, rows: NDArray[np.intp], columns: tuple[int, ...], n: int
) -> tuple[list[State] | list[None], Figures]:
    if not len(rows):
        return [None] * n, Figures.nothing(n, len(columns))
    return screening.states(rows), screening.figures(rows, columns)


def make_change(
    *,
    name: str,
    patient: str,
    states: tuple[State | None, State | None],
    kinds: NDArray[np.int8],
    figures: tuple[Figures, Figures],
    row: int,
    diagnoses: Sequence[DiagnosisRow],
) -> Change | None:
    """Put together what changed for one recording or patient; None where nothing did.

    Parameters
    ----------
    name, patient
        See `Change`.
    states
        Old and new.
    kinds
        From `finding_kinds`, shape (n, K).
    figures
        Old and new, of n recordings.
    row
        Which of the n.
    diagnoses
        The K that are compared.
    """
    old, new = states
    of_state = state_kinds(old, new)
    before, after = figures
    findings = [
        Finding(
            diagnosis=k,
            # Of a recording that is gone, nothing can be said any more, whatever was flagged.
            kind=Kind.VANISHED if new is None else _kind_of(diagnoses[k], KINDS[kinds[row, k]]),
            old_score=float(before.scores[row, k]),
            new_score=float(after.scores[row, k]),
            old_percentile=float(before.percentiles[row, k]),
            new_percentile=float(after.percentiles[row, k]),
        )
        for k in np.flatnonzero(kinds[row] != NOTHING).tolist()
    ]
    if not of_state and not findings:
        return None
    present = {*of_state, *(finding.kind for finding in findings)}
    return Change(
        name=name,
        patient=patient,
        kinds=tuple(kind for kind in Kind if kind in present),
        old=old,
        new=new,
        findings=tuple(sorted(findings, key=lambda each: finding_urgency(each, diagnoses))),
    )


def _kind_of(diagnosis: DiagnosisRow, kind: Kind) -> Kind:
    return kind if diagnosis.is_finding else _OF_NORMAL.get(kind, kind)
