"""Tables of numbers with a side-car: CSV and NPY. Read here, without a package of the extra."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.plain_arrays import HEAD_BYTES, npy_header
from ecgscreen.readers.base import check_size
from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.side_car import SideCar, read_side_car
from ecgscreen.readers.signals import Signals, recording_of
from ecgscreen.recording import Recording, RecordingError, SkipReason

TABLE_SUFFIXES = frozenset({".csv", ".npy"})
"""A file named so is a recording if a side-car lies beside it, and else no recording."""

MAX_CSV_BYTES = 1 << 27
"""A day of two leads at 100 Hz. Whoever has more has a binary format for it."""

_NO_NPY = "it is no NPY file of version 1 or 2 with an array of plain values"
_DELIMITERS = b";\t,"


def read_table(path: Path, root: Path) -> Recording:
    """Read a CSV (a column a lead) or an NPY (a row or a column a lead) with its side-car.

    The first line of a CSV may name the leads; those of the side-car count more. Cells are
    separated by comma, semicolon or tab; with semicolon or tab the decimal sign may be a comma.

    Parameters
    ----------
    path
        The table.
    root
        The folder given to the scan; nothing outside it is read.

    Returns
    -------
    The recording in mV.

    Raises
    ------
    RecordingError
        With the reason, whatever the files hold.
    OSError
        If a file cannot be opened or read.
    """
    side_car = read_side_car(path, root)
    with InsideFile(str(path), root) as file:
        if path.suffix.casefold() == ".npy":
            values, named = _read_npy(file, side_car), None
        else:
            values, named = _read_csv(file)
    leads = side_car.leads or named
    if leads is None or len(leads) != len(values):
        raise RecordingError(
            SkipReason.BAD_HEADER,
            f"{len(values)} signals, expected {len(leads or ())} by the names of the leads",
        )
    signals = Signals(
        labels=leads,
        units=(side_car.unit,) * len(leads),
        sampling_rate=side_car.sampling_rate,
        values=_in_units(values, side_car),
    )
    return recording_of(signals, path)


def _in_units(values: NDArray[np.generic], side_car: SideCar) -> NDArray[np.generic]:
    if side_car.gain is None or side_car.baseline is None:
        return values
    columns = []
    for numbers in (side_car.baseline, side_car.gain):
        if len(numbers) not in {1, len(values)}:
            raise RecordingError(
                SkipReason.BAD_HEADER,
                f"the side-car: {len(numbers)} numbers for {len(values)} leads",
            )
        columns.append(np.array(numbers)[:, np.newaxis])
    baseline, gain = columns
    with np.errstate(over="ignore", invalid="ignore"):  # quality reports what is not finite
        physical: NDArray[np.float64] = (values.astype(np.float64) - baseline) / gain
    return physical


def _read_npy(file: InsideFile, side_car: SideCar) -> NDArray[np.generic]:
    """Read an array of numbers as rows of leads; its header is never evaluated as code."""
    shape, column_major, dtype, offset = _npy_header(file.read(min(HEAD_BYTES, file.size)))
    if len(shape) == 1:
        shape = (1, *shape)
    if len(shape) != 2 or side_car.leads is None:
        raise RecordingError(
            SkipReason.BAD_HEADER,
            f"an array of {len(shape)} dimensions, expected 2 and a side-car that names the leads",
        )
    n_leads = len(side_car.leads)
    if n_leads not in shape or (shape[0] == shape[1] and n_leads > 1):
        raise RecordingError(
            SkipReason.BAD_HEADER,
            f"an array of {shape[0]} x {shape[1]} numbers, expected one side to be {n_leads}, "
            "the leads of the side-car",
        )
    check_size(n_leads, max(shape[0] * shape[1] // n_leads, 0))
    n_bytes = shape[0] * shape[1] * dtype.itemsize
    if file.size < offset + n_bytes:
        raise RecordingError(
            SkipReason.TRUNCATED, f"{file.size} bytes, expected {offset + n_bytes} by the header"
        )
    flat = np.frombuffer(file.read(n_bytes, offset), dtype)
    array = flat.reshape(shape, order="F" if column_major else "C")
    return array if shape[0] == n_leads else array.T


def _npy_header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    try:
        shape, column_major, dtype, offset = npy_header(head)
    except ValueError as error:
        raise RecordingError(SkipReason.BAD_HEADER, _NO_NPY) from error
    if dtype.kind not in "iuf":
        raise RecordingError(
            SkipReason.BAD_HEADER, f"an array of type {dtype.kind}, expected numbers"
        )
    return shape, column_major, dtype, offset


def _read_csv(file: InsideFile) -> tuple[NDArray[np.float64], tuple[str, ...] | None]:
    """Read numbers as rows of leads, and the names of a first line that holds no numbers."""
    if file.size > MAX_CSV_BYTES:
        raise RecordingError(
            SkipReason.TOO_LARGE, f"{file.size} bytes, the limit is {MAX_CSV_BYTES}"
        )
    content = file.read(file.size).removeprefix(b"\xef\xbb\xbf")
    first = content.partition(b"\n")[0].rstrip(b"\r")
    delimiter = max((first.count(byte), bytes([byte])) for byte in _DELIMITERS)[1]
    n_columns = first.count(delimiter) + 1
    check_size(n_columns, content.count(b"\n") + 1)
    names = None
    if not _is_numbers(first, delimiter):
        names = tuple(cell.decode("latin-1").strip(" \"'") for cell in first.split(delimiter))
    if names is not None:
        content = content.partition(b"\n")[2]
    if not content.strip():
        raise RecordingError(SkipReason.NO_SIGNALS, "it holds no line of numbers")
    if delimiter != b"," and b"," in content:
        content = content.replace(b",", b".")
    try:
        table = np.loadtxt(
            io.BytesIO(content),
            delimiter=delimiter.decode(),
            comments=None,
            ndmin=2,
            encoding="latin-1",
        )
    except ValueError:
        # Without the error behind it, which quotes the file.
        raise RecordingError(
            SkipReason.BAD_CONTENT, f"a cell is no number, or a line has not {n_columns} cells"
        ) from None
    return table.T, names


def _is_numbers(line: bytes, delimiter: bytes) -> bool:
    if delimiter != b",":
        line = line.replace(b",", b".")
    try:
        return [float(cell) for cell in line.split(delimiter)] != []
    except ValueError:
        return False
