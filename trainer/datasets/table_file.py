"""A site's table as a file: columns, cells and the recordings that its rows name."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ecgscreen.errors import UsageError
from ecgscreen.recording import SkippedRecording, SkipReason

_SEPARATORS = ",;\t"
_MAX_SHOWN = 80
_AS_UTF8 = (
    "Save it as UTF-8, with iconv -f WINDOWS-1252 -t UTF-8 or from a spreadsheet as 'CSV UTF-8'."
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class TableRow:
    """A row of a table.

    Attributes
    ----------
    table
        The file.
    line
        At which the row ends, from 1.
    cells
        By column, without the blanks around them; empty where the row is shorter.
    """

    table: Path
    line: int
    cells: Mapping[str, str]

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.table}, line {self.line}"

    def cell(self, column: str) -> str:
        """A cell; empty, too, where there is no such column."""
        return self.cells.get(column, "")


def table_rows(table: Path, columns: Collection[str], advice: str) -> Iterator[TableRow]:
    """Rows of a CSV file in UTF-8, separated by commas, semicolons or tabs as its header is.

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
        If the file cannot be read or understood, or lacks a column; names the line.
    """
    if not table.is_file():
        kind = "is no regular file" if table.exists() else "does not exist"
        raise UsageError(f"{table} {kind}", f"Give a CSV file. {advice}")
    try:
        # A spreadsheet's export begins with a byte-order mark.
        with table.open(newline="", encoding="utf-8-sig") as file:
            yield from _understood(file, table, columns, advice)
    except OSError as error:
        raise UsageError(f"{table}: {error.strerror}", f"Give a CSV file. {advice}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{table}{_not_utf8(table)}", _AS_UTF8) from error


def recording_of(row: TableRow) -> Path | SkippedRecording:
    """The recording that the column ``path`` names, if there is one inside the table's folder.

    The path is relative to that folder, or absolute; nothing outside the folder is looked at.
    """
    written, folder = row.cell("path"), row.table.parent
    where = f"{row.place}: {written[:_MAX_SHOWN]!r}"
    path = folder / written
    if not written:
        return SkippedRecording(path, SkipReason.NOT_A_FILE, f"{row.place}: the path is empty")
    try:
        real, root = path.resolve(), folder.resolve()
        if not real.is_relative_to(root):
            as_written = Path(os.path.normpath(path.absolute()))
            through = "through a link " if as_written.is_relative_to(folder.absolute()) else ""
            detail = f"{where} leads {through}out of the table's folder, {root}"
            return SkippedRecording(path, SkipReason.OUTSIDE_FOLDER, detail)
        # Of a file with several recordings, path names one as file/number.
        if path.exists() or path.parent.is_file():
            return path
        hint = _hint(path, written)
    except (OSError, ValueError, RuntimeError):  # no name of a file, or a loop of links
        return SkippedRecording(path, SkipReason.NOT_A_FILE, f"{where} cannot be a file's name")
    detail = f"{where}: no such file, looked for as {real}{hint}"
    return SkippedRecording(path, SkipReason.READ_ERROR, detail)


def _understood(
    file: TextIO, table: Path, columns: Collection[str], advice: str
) -> Iterator[TableRow]:
    # What spreadsheets write where the comma is the decimal sign is a semicolon.
    separator = max(_SEPARATORS, key=file.readline().count)
    file.seek(0)
    # Strict: a quotation mark that is not closed would swallow the rows after it.
    reader = csv.reader(file, delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, table, columns, advice)
        for cells in reader:
            if len(cells) > len(header):
                raise UsageError(
                    f"{table}, line {reader.line_num}: {len(cells)} cells, expected "
                    f"{len(header)} as in the header",
                    "Put a cell that holds the separator between quotation marks.",
                )
            # What the csv module gives for an empty line.
            if cells:
                padded = [*(cell.strip() for cell in cells), *[""] * (len(header) - len(cells))]
                yield TableRow(table, reader.line_num, dict(zip(header, padded, strict=True)))
    except csv.Error as error:
        raise UsageError(
            f"{table}, line {reader.line_num}: {error}",
            "Look for a quotation mark that is not closed, or not doubled within a cell; the "
            f"longest cell that is read has {csv.field_size_limit():,} characters.",
        ) from error


def _check_header(header: list[str], table: Path, columns: Collection[str], advice: str) -> None:
    if missing := sorted(set(columns) - set(header)):
        found = ", ".join(filter(None, header))[:_MAX_SHOWN] or "nothing"
        raise UsageError(
            f"{table}: no column {' and no column '.join(missing)}; its first line has {found}",
            advice,
        )
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise UsageError(
            f"{table}: the column {twice[0][:_MAX_SHOWN]} is there twice",
            "Leave one of them out: they may differ.",
        )


def _hint(path: Path, written: str) -> str:
    """What may have been meant."""
    header = path.with_name(f"{path.name}.hea")
    if header.is_file():
        return f"; {header.name} is there: write the header's whole name"
    return "; write / between folders, not \\" if "\\" in written else ""


def _not_utf8(table: Path) -> str:
    """Where a file is not UTF-8."""
    with table.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if number == 1 and line.startswith(_UTF16):
                return ": UTF-16, expected UTF-8"
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return f", line {number}: byte {line[error.start]:#04x} is not UTF-8"
    return ": not UTF-8"
