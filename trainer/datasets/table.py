"""A site's own recordings: a CSV with a path and the statements of its readers."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import Vocabulary
from trainer.datasets.case import LabelledFile, LabelledSet, cases_of_files, implied, in_order

_MAX_CELL_SHOWN = 40


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
        for number, row in _rows(table):
            words = [word.strip() for word in (row["statements"] or "").split(";")]
            concepts = _concepts([word for word in words if word], table, number, vocabulary)
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


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    try:
        # A spreadsheet's export begins with a byte-order mark.
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = {"path", "statements"} - set(reader.fieldnames or ())
            if missing:
                raise UsageError(
                    f"{table}: no column {' and no column '.join(sorted(missing))}",
                    "expected the columns path, statements and, better, patient_id",
                )
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{table}: cannot be read as a table ({type(error).__name__})",
            "expected a CSV file in UTF-8 with the columns path, statements, patient_id",
        ) from error


def _concepts(
    words: Sequence[str], table: Path, number: int, vocabulary: Vocabulary
) -> frozenset[str]:
    found = set()
    for word in words:
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
