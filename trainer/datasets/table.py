"""A site's own recordings: a CSV with a path and the statements of its readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import SkippedRecording
from ecgscreen.vocabulary import Vocabulary
from ecgscreen.wording import counted
from trainer.datasets.case import (
    Case,
    LabelledFile,
    LabelledSet,
    cases_of_files,
    implied,
    in_order,
)
from trainer.datasets.table_file import TableRow, recording_of, table_rows
from trainer.splits import patient_fold

_MAX_CELL_SHOWN = 40
_MAX_CELL = 200
"""No name of a concept is longer, and likeness takes time."""
_COLUMNS = ("path", "statements")
_ADVICE = "It has to have the columns path, statements and, better, patient_id."


def table_set(
    tables: Sequence[Path], vocabulary: Vocabulary, trained_folds: Collection[int] = ()
) -> LabelledSet:
    """The rows of some tables that have statements.

    Columns: ``path`` (a file that names a recording, inside the table's folder),
    ``statements`` (separated by ``;``: ids, codes or names of the vocabulary), ``patient_id``
    (optional; without it, every row is a patient of its own); others, such as ``report``, are
    not read. A row without statements is unlabelled, not negative, and left out; so is one that
    names a recording again.

    Parameters
    ----------
    tables
        See `table_rows`.
    vocabulary
        The concepts.
    trained_folds
        Folds of `patient_fold` whose patients are left out: the bundle has seen them.

    Raises
    ------
    UsageError
        If a table cannot be read, a statement is not in the vocabulary, no row has any, or none
        names a recording.
    """
    rows: list[LabelledFile] = []
    missing: list[SkippedRecording] = []
    left_out = Counter[str]()
    named: set[Path] = set()
    for row in chain.from_iterable(table_rows(table, _COLUMNS, _ADVICE) for table in tables):
        concepts = statements_of(row, vocabulary)
        patient = row.cell("patient_id")
        path = recording_of(row)
        if not concepts:
            left_out["without statements"] += 1
        elif trained_folds and (not patient or patient_fold(patient) in trained_folds):
            left_out["of patients that the bundle was trained on"] += 1
        elif isinstance(path, SkippedRecording):
            missing.append(path)
        elif (real := path.resolve()) in named:
            left_out["with the recording of an earlier row"] += 1
        else:
            named.add(real)
            carried = implied(vocabulary, concepts)
            rows.append(LabelledFile(path, row.table.parent, patient or row.place, carried))
    notes = [f"{counted(n, 'row')} {which} left out" for which, n in left_out.items()]
    if missing:
        notes.append(
            f"{counted(len(missing), 'row')} without a recording, the first: {missing[0].detail}"
        )
    if not rows:
        raise _nothing(tables, missing, notes)
    return LabelledSet(
        name="table",
        annotated=in_order(vocabulary, frozenset().union(*(file.carried for file in rows))),
        cases=partial(_cases, tuple(rows), tuple(missing)),
        notes=tuple(notes),
        held_out_only=bool(trained_folds),
    )


def _cases(
    rows: Sequence[LabelledFile], missing: Sequence[SkippedRecording], config: PreprocessConfig
) -> Iterator[Case | SkippedRecording]:
    yield from missing
    yield from cases_of_files(rows, config)


def _nothing(
    tables: Sequence[Path], missing: Sequence[SkippedRecording], notes: Sequence[str]
) -> UsageError:
    where = ", ".join(map(str, tables))
    if missing:
        return UsageError(
            f"no row names a recording that is there, the first of {len(missing)}: "
            f"{missing[0].detail}",
            "Give each path relative to the table's folder, and keep the recordings inside it.",
        )
    return UsageError(
        f"no row of {where} can be measured on ({'; '.join(notes) or 'it has none'})",
        "Fill the column statements, such as AFIB;CLBBB, for patients that were not trained on.",
    )


def statements_of(row: TableRow, vocabulary: Vocabulary) -> frozenset[str]:
    """Ids of the statements in a row's cell, such as ``AFIB;CLBBB``.

    Raises
    ------
    UsageError
        If one is not in the vocabulary; names the table and the line.
    """
    found = set()
    for word in filter(None, (word.strip() for word in row.cell("statements").split(";"))):
        concept = vocabulary.find(word)
        if concept is None:
            nearest = ", ".join(near.id for near in vocabulary.nearest(word[:_MAX_CELL]))
            raise UsageError(
                f"{row.place}: {word[:_MAX_CELL_SHOWN]!r} is no statement of the vocabulary",
                f"The nearest are {nearest}.",
            )
        found.add(concept.id)
    return frozenset(found)
