"""A site's own recordings: a CSV with a path and the statements of its readers."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import Vocabulary
from trainer.datasets.case import LabelledFile, LabelledSet, cases_of_files, implied, in_order

_MAX_CELL_SHOWN = 40
_COLUMNS = ("path", "statements")
_ADVICE = "expected the columns path, statements and, better, patient_id"


def table_set(tables: Sequence[Path], vocabulary: Vocabulary) -> LabelledSet:
    """The rows of some tables that have statements.

    Columns: ``path`` (a WFDB header, relative to the table's folder, not outside it),
    ``statements`` (separated by ``;``: ids, codes or names of the vocabulary), ``patient_id``
    (optional; without it, every row is a patient of its own); others, such as ``report``, are
    not read. A row without statements is unlabelled, not negative, and left out.

    Raises
    ------
    UsageError
        If a table cannot be read, a statement is not in the vocabulary, or no row has any.
    """
    files, n_unlabelled = [], 0
    for table in tables:
        for number, row in table_rows(table, _COLUMNS, _ADVICE):
            concepts = statements_of(row["statements"] or "", table, number, vocabulary)
            if not concepts:
                n_unlabelled += 1
                continue
            patient = (row.get("patient_id") or "").strip()
            files.append(
                LabelledFile(
                    path=table.parent / (row["path"] or ""),
                    root=table.parent,
                    patient=patient or f"{table}, line {number}",
                    carried=implied(vocabulary, concepts),
                )
            )
    if not files:
        raise UsageError(
            f"no row of {', '.join(map(str, tables))} has statements ({n_unlabelled} without)",
            "fill the column statements, such as AFIB;CLBBB",
        )
    return LabelledSet(
        name="table",
        annotated=in_order(vocabulary, frozenset().union(*(file.carried for file in files))),
        cases=partial(cases_of_files, files),
        notes=(f"{n_unlabelled} rows without statements left out",) if n_unlabelled else (),
    )


def table_rows(
    table: Path, columns: Collection[str], advice: str
) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Rows of a CSV file in UTF-8 with the lines at which they end.

    Parameters
    ----------
    table
        The file.
    columns
        Those that it has to have.
    advice
        What is said where it lacks one.

    Raises
    ------
    UsageError
        If the file cannot be read, or lacks a column.
    """
    try:
        # A spreadsheet's export begins with a byte-order mark.
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if missing := set(columns) - set(reader.fieldnames or ()):
                first = (reader.fieldnames or ("",))[0]
                raise UsageError(
                    f"{table}: no column {' and no column '.join(sorted(missing))}",
                    # What spreadsheets write where the comma is the decimal sign.
                    f"separate columns by commas, not semicolons; {advice}"
                    if ";" in first
                    else advice,
                )
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{table}: cannot be read as a table ({type(error).__name__})",
            f"expected a CSV file in UTF-8; {advice}",
        ) from error


def statements_of(cell: str, table: Path, number: int, vocabulary: Vocabulary) -> frozenset[str]:
    """Ids of the statements in a cell such as ``AFIB;CLBBB``.

    Raises
    ------
    UsageError
        If one is not in the vocabulary; names the table and the line ``number``.
    """
    found = set()
    for word in filter(None, (word.strip() for word in cell.split(";"))):
        concept = vocabulary.find(word)
        if concept is None:
            nearest = ", ".join(near.id for near in vocabulary.nearest(word))
            raise UsageError(
                f"{table}, line {number}: {word[:_MAX_CELL_SHOWN]!r} is no statement of the "
                "vocabulary",
                f"the nearest are {nearest}",
            )
        found.add(concept.id)
    return frozenset(found)
