"""WFDB signal format 16, and the MATLAB v4 files that hold it.

Equal to the bit to the physical signal of the ``wfdb`` package: ``(digital - baseline) / gain``
in float64, then the unit's factor, then one rounding to float32.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.base import MAX_SAMPLES
from ecgscreen.readers.files import open_inside, read_exactly
from ecgscreen.readers.wfdb_header import Header, SignalSpec
from ecgscreen.recording import RecordingError, SkipReason

_BYTES_PER_SAMPLE = 2
_INVALID = -(1 << 15)
"""signal(5): the most negative value marks a sample that was not acquired."""

_MATLAB_HEADER = struct.Struct("<5i")
_MATLAB_INT16 = 30
"""MATLAB 4 type code MOPT: little-endian, full matrix of 16-bit signed integers."""


def is_plain(header: Header) -> bool:
    """Tell whether this module reads the record: format 16, one sample a frame."""
    return bool(header.signals) and all(
        signal.format == 16 and signal.samples_per_frame == 1 for signal in header.signals
    )


def read_plain(
    header: Header,
    folder: Path,
    root: Path,
    wanted: Sequence[int],
    factors: Sequence[float],
) -> NDArray[np.float32]:
    """Read signals of format 16.

    Parameters
    ----------
    header
        For which `is_plain` holds.
    folder
        Where the header lies, and its signal files with it.
    root
        The folder given to the scan.
    wanted
        Indices of the signals to read, ascending.
    factors
        Per wanted signal, by which its physical unit is multiplied (to give mV).

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
    n_samples = header.n_samples
    parts = []
    for start, stop in _groups(header.signals):
        rows = [index for index in wanted if start <= index < stop]
        if not rows and n_samples is not None:
            continue
        frames = _read_frames(header.signals[start:stop], n_samples, folder, root)
        n_samples = len(frames)
        if rows:
            columns = frames.T if len(rows) == stop - start else frames.T[np.subtract(rows, start)]
            parts.append(
                _physical(
                    columns,
                    [header.signals[row] for row in rows],
                    factors[: len(rows)],
                )
            )
            factors = factors[len(rows) :]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _groups(signals: tuple[SignalSpec, ...]) -> list[tuple[int, int]]:
    """Ranges of signals that share a file. header(5) wants them side by side."""
    if (
        signals[0].file_name == signals[-1].file_name
        and len({signal.file_name for signal in signals}) == 1
    ):
        return [(0, len(signals))]
    starts = [
        index
        for index, signal in enumerate(signals)
        if index == 0 or signal.file_name != signals[index - 1].file_name
    ]
    if len({signals[start].file_name for start in starts}) < len(starts):
        raise RecordingError(
            SkipReason.BAD_HEADER, "signals of one file are not on consecutive lines"
        )
    return list(zip(starts, [*starts[1:], len(signals)], strict=True))


def _read_frames(
    signals: tuple[SignalSpec, ...], n_samples: int | None, folder: Path, root: Path
) -> NDArray[np.int16]:
    """Read one file's samples, shape (n_samples, n_signals)."""
    frame_bytes = _BYTES_PER_SAMPLE * len(signals)
    offset = signals[0].byte_offset
    try:
        with open_inside(folder / signals[0].file_name, root) as (descriptor, size):
            if n_samples is None:
                n_samples = max(0, size - offset) // frame_bytes
                if n_samples * len(signals) > MAX_SAMPLES:
                    raise RecordingError(
                        SkipReason.TOO_LARGE,
                        f"{len(signals)} x {n_samples} samples, the limit is {MAX_SAMPLES}",
                    )
            n_bytes = n_samples * frame_bytes
            if n_samples == 0 or size < offset + n_bytes:
                raise RecordingError(
                    SkipReason.TRUNCATED,
                    f"{size} bytes, expected {offset + (n_bytes or frame_bytes)} by the header",
                )
            if offset and signals[0].file_name.casefold().endswith(".mat"):
                _require_matlab_int16(read_exactly(descriptor, min(offset, 20), 0))
            content = read_exactly(descriptor, n_bytes, offset)
    except FileNotFoundError as error:
        raise RecordingError(
            SkipReason.NO_SIGNAL_FILE, "the file that the header names is not there"
        ) from error
    return np.frombuffer(content, "<i2").reshape(n_samples, len(signals))


def _require_matlab_int16(content: bytes) -> None:
    if len(content) < _MATLAB_HEADER.size or _MATLAB_HEADER.unpack(content)[0] != _MATLAB_INT16:
        raise RecordingError(
            SkipReason.UNSUPPORTED,
            "the MATLAB file is not version 4 with 16-bit integers",
        )


def _physical(
    digital: NDArray[np.int16], signals: Sequence[SignalSpec], factors: Sequence[float]
) -> NDArray[np.float32]:
    """Convert to physical units, shape (n_signals, n_samples)."""
    physical = np.empty(digital.shape, np.float64)
    baseline = np.array([signal.baseline for signal in signals], np.float64)
    np.subtract(digital, baseline[:, np.newaxis], out=physical)
    physical /= np.array([signal.gain for signal in signals])[:, np.newaxis]
    if any(factor != 1.0 for factor in factors):
        physical *= np.array(factors)[:, np.newaxis]
    if digital.min() == _INVALID:
        physical[digital == _INVALID] = np.nan
    if any(signal.skew for signal in signals):
        _align(physical, [signal.skew for signal in signals])
    return physical.astype(np.float32)


def _align(physical: NDArray[np.float64], skews: list[int]) -> None:
    """Shift signals that lie late in the file to the left, in place."""
    n_samples = physical.shape[1]
    for row, skew in zip(physical, skews, strict=True):
        if skew:
            kept = max(0, n_samples - skew)
            row[:kept] = row[skew:].copy()
            row[kept:] = np.nan
