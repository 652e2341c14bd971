"""WFDB signal format 16, and the MATLAB v4 files that hold it.

Equal to the bit to the physical signal of the ``wfdb`` package: ``(digital - baseline) / gain``
in float64, then the unit's factor, then one rounding to float32.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.base import MAX_SAMPLES
from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.wfdb_header import Header
from ecgscreen.readers.wfdb_signal_file import file_groups, open_signal_file
from ecgscreen.readers.wfdb_signal_line import SignalSpec
from ecgscreen.recording import RecordingError, SkipReason

_BYTES_PER_SAMPLE = 2
_INT16 = np.dtype("<i2")
_INVALID = -(1 << 15)
"""signal(5): the most negative value marks a sample that was not acquired."""

_FLOAT32_WHOLE = 1 << 23
"""Whole numbers below are exact in float32, and so are their differences from a sample."""

_BLOCK_FRAMES = 1 << 15
"""Frames converted at a time: bounds the float64 copy of a day-long recording."""

_MATLAB_HEADER = struct.Struct("<5i")
_MATLAB_INT16 = 30
"""MATLAB 4 type code MOPT: little-endian, full matrix of 16-bit signed integers."""


def is_plain(header: Header) -> bool:
    """Tell whether this module reads the record: format 16, one sample a frame."""
    return _are_plain(header.signals)


@lru_cache(maxsize=64)
def _are_plain(signals: tuple[SignalSpec, ...]) -> bool:
    return bool(signals) and all(
        signal.format == 16 and signal.samples_per_frame == 1 for signal in signals
    )


def n_frames(header: Header, path: Path, root: Path) -> int:
    """Give the length of a record, and make sure that its signal files are as long.

    Parameters
    ----------
    header
        For which `is_plain` holds.
    path, root
        See `read_plain`.

    Raises
    ------
    RecordingError, OSError
        See `read_plain`.
    """
    folder = str(path).removesuffix(path.name)
    n_samples = header.n_samples
    for start, stop in file_groups(header):
        offset = header.signals[start].byte_offset
        with open_signal_file(folder + header.file_names[start], root) as file:
            n_samples = _checked_length(file, stop - start, n_samples, offset)
    return n_samples or 0


def read_plain(
    header: Header,
    path: Path,
    root: Path,
    wanted: tuple[int, ...],
    factors: tuple[float, ...],
    frames: slice | None = None,
) -> NDArray[np.float32]:
    """Read signals of format 16.

    Parameters
    ----------
    header
        For which `is_plain` holds.
    path
        The header's file; its signal files lie beside it.
    root
        The folder given to the scan.
    wanted
        Indices of the signals to read, ascending.
    factors
        Per wanted signal, by which its physical unit is multiplied (to give mV).
    frames
        Which part to read, from a first frame up to another; None reads all. Only of records
        without skew.

    Returns
    -------
    float32, shape (len(wanted), n_samples); NaN where a sample is marked invalid or a skewed
    signal runs beyond the end of its file.

    Raises
    ------
    RecordingError
        NO_SIGNAL_FILE, TRUNCATED, TOO_LARGE, BAD_HEADER, UNSUPPORTED, NOT_A_FILE or
        OUTSIDE_FOLDER.
    OSError
        If a signal file cannot be opened or read.
    """
    # Building the path of the folder, and of the file in it, takes as long as opening it.
    folder = str(path).removesuffix(path.name)
    n_samples = header.n_samples
    columns: list[NDArray[np.int16]] = []
    for start, stop in file_groups(header):
        here = _rows(wanted, start, stop)
        # Of a record without a length, the first file tells it.
        if here or n_samples is None:
            offset = header.signals[start].byte_offset
            read, n_samples = _read_frames(
                folder + header.file_names[start], root, stop - start, n_samples, offset, frames
            )
            columns.append(read.T if len(here) == stop - start else read.T[list(here)])
    digital = columns[0] if len(columns) == 1 else np.concatenate(columns)
    return _physical(digital, _scaling(header.signals, wanted, factors))


@lru_cache(maxsize=64)
def _rows(wanted: tuple[int, ...], start: int, stop: int) -> tuple[int, ...]:
    """Which signals of a file are wanted, counted from its first."""
    return tuple(index - start for index in wanted if start <= index < stop)


def _read_frames(
    path: str,
    root: Path,
    n_signals: int,
    n_samples: int | None,
    offset: int,
    frames: slice | None,
) -> tuple[NDArray[np.int16], int]:
    """Read one file, or some frames: shape (n, n_signals), and the number that there are."""
    frame_bytes = _BYTES_PER_SAMPLE * n_signals
    with open_signal_file(path, root) as file:
        n_samples = _checked_length(file, n_signals, n_samples, offset)
        first, stop = (0, n_samples) if frames is None else (frames.start, frames.stop)
        if (stop - first) * n_signals > MAX_SAMPLES:
            raise RecordingError(
                SkipReason.TOO_LARGE,
                f"{n_signals} x {stop - first} samples, the limit is {MAX_SAMPLES}",
            )
        if offset and path.casefold().endswith(".mat"):
            _require_matlab_int16(file.read(min(offset, _MATLAB_HEADER.size)))
        content = file.read((stop - first) * frame_bytes, offset + first * frame_bytes)
    # As `np.frombuffer` and a reshape, at once.
    return np.ndarray((stop - first, n_signals), _INT16, content), n_samples


def _checked_length(file: InsideFile, n_signals: int, n_samples: int | None, offset: int) -> int:
    """The frames of a file, which has to be long enough for those that the header announces."""
    frame_bytes = _BYTES_PER_SAMPLE * n_signals
    if n_samples is None:
        n_samples = max(0, file.size - offset) // frame_bytes
    n_bytes = n_samples * frame_bytes
    if n_samples == 0 or file.size < offset + n_bytes:
        raise RecordingError(
            SkipReason.TRUNCATED,
            f"{file.size} bytes, expected {offset + (n_bytes or frame_bytes)} by the header",
        )
    return n_samples


def _require_matlab_int16(content: bytes) -> None:
    # The header's offset skips the MATLAB header unread; of a file of another version or type
    # the samples would be noise, and noise would be scored.
    if len(content) < _MATLAB_HEADER.size or _MATLAB_HEADER.unpack(content)[0] != _MATLAB_INT16:
        raise RecordingError(
            SkipReason.UNSUPPORTED, "the MATLAB file is not of version 4 with 16-bit integers"
        )


@dataclass(frozen=True, slots=True)
class _Scaling:
    """How rows become millivolts; each of shape (), or a column where the rows differ."""

    working: _Working
    baseline: NDArray[np.floating] | None
    gain: NDArray[np.floating]
    factor: NDArray[np.floating] | None
    skews: tuple[int, ...] | None


_Working = type[np.float32] | type[np.float64]


@lru_cache(maxsize=64)
def _scaling(
    signals: tuple[SignalSpec, ...], wanted: tuple[int, ...], factors: tuple[float, ...]
) -> _Scaling:
    baselines = [float(signals[index].baseline) for index in wanted]
    gains = [signals[index].gain for index in wanted]
    skews = tuple(signals[index].skew for index in wanted)
    has_factor = any(factor != 1.0 for factor in factors)
    # A float32 quotient of numbers exact in float32 is the float64 quotient rounded: with
    # 53 >= 2 * 24 + 2 bits the double rounding is innocuous (Figueroa, SIGNUM Newsletter
    # 30(3), 1995). Half the time and memory of float64.
    exact = not has_factor and all(
        number.is_integer() and abs(number) < _FLOAT32_WHOLE for number in {*baselines, *gains}
    )
    working: _Working = np.float32 if exact else np.float64
    return _Scaling(
        working,
        _per_row(baselines, working) if any(baselines) else None,
        _per_row(gains, working),
        _per_row(factors, working) if has_factor else None,
        skews if any(skews) else None,
    )


def _per_row(values: Sequence[float], working: _Working) -> NDArray[np.floating]:
    # With one number for all rows numpy is twice as fast.
    if len(set(values)) == 1:
        return np.array(values[0], dtype=working)
    column: NDArray[np.floating] = np.array(values, dtype=working)
    return column[:, np.newaxis]


def _physical(digital: NDArray[np.int16], scaling: _Scaling) -> NDArray[np.float32]:
    """Convert to physical units, shape (n_signals, n_samples)."""
    n_samples = digital.shape[1]
    if n_samples <= _BLOCK_FRAMES:
        physical = _physical_block(digital, scaling)
    else:
        physical = np.empty(digital.shape, np.float32)
        for start in range(0, n_samples, _BLOCK_FRAMES):
            block = slice(start, start + _BLOCK_FRAMES)
            physical[:, block] = _physical_block(digital[:, block], scaling)
    if scaling.skews is not None:
        for row, skew in zip(physical, scaling.skews, strict=True):
            _align(row, skew)
    return physical


def _physical_block(digital: NDArray[np.int16], scaling: _Scaling) -> NDArray[np.float32]:
    # Lead by lead while they are small, then wider: half the time of both in one go.
    digital = np.ascontiguousarray(digital)
    physical: NDArray[np.floating] = digital.astype(scaling.working)
    if scaling.baseline is not None:
        physical -= scaling.baseline
    physical /= scaling.gain
    if scaling.factor is not None:
        physical *= scaling.factor
    if digital.item(digital.argmin()) == _INVALID:
        physical[digital == _INVALID] = np.nan
    return physical.astype(np.float32, copy=False)


def _align(row: NDArray[np.float32], skew: int) -> None:
    """Shift a signal that lies late in its file to the left, in place."""
    n_kept = max(0, len(row) - skew)
    row[:n_kept] = row[skew:].copy()
    row[n_kept:] = np.nan
