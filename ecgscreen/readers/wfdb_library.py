"""All other WFDB signal formats, through the ``wfdb`` package, once our own checks have passed.

The package opens the files again, by itself. It therefore gets only names that have been
checked, formats it knows, and files that are long enough; and what it made of the header is
compared with what we made of it, because its grammar is laxer and may read another number.
"""

from __future__ import annotations

import math
import struct
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.objects.address import is_object
from ecgscreen.readers.base import MAX_LONG_SAMPLES, MAX_RATIO, MAX_SAMPLES, MAX_UNPACKED_BYTES
from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.wfdb_header import Header
from ecgscreen.readers.wfdb_signal_file import file_groups, open_signal_file
from ecgscreen.recording import RecordingError, SkipReason

_MAX_SAMPLES = MAX_SAMPLES // 4
"""The package holds several copies of the samples, up to eight bytes each."""

_BYTES_PER_SAMPLE = {
    8: Fraction(1),
    16: Fraction(2),
    24: Fraction(3),
    32: Fraction(4),
    61: Fraction(2),
    80: Fraction(1),
    160: Fraction(2),
    212: Fraction(3, 2),
    310: Fraction(4, 3),
    311: Fraction(4, 3),
}
"""signal(5)."""

_COMPRESSED = frozenset({508, 516, 524})
"""FLAC: the length of the file says nothing of the number of samples."""

_IN_PLACE = (_BYTES_PER_SAMPLE.keys() | _COMPRESSED) - {8}
"""A sample is found without those before it; in format 8 it is a difference."""

_WHAT_WFDB_RAISES = (
    ArithmeticError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    NameError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""On content that it does not expect; collected from its source and from spoiled files."""


def read_with_library(
    header: Header,
    path: Path,
    root: Path,
    wanted: tuple[int, ...],
    factors: tuple[float, ...],
    frames: slice | None = None,
) -> NDArray[np.float32]:
    """Read signals of any single-segment record whose format the ``wfdb`` package knows.

    Signals with several samples a frame come as the mean of each frame, as the package gives
    them.

    Parameters
    ----------
    header
        The record's, as we parsed it.
    path
        The header's file.
    root
        The folder given to the scan.
    wanted
        Indices of the signals to read, ascending.
    factors
        Per wanted signal, by which its physical unit is multiplied (to give mV).
    frames
        Which of the samples, of a record that `can_be_cut`; all by default.

    Returns
    -------
    float32, shape (len(wanted), n_samples).

    Raises
    ------
    RecordingError
        NO_SIGNAL_FILE, TRUNCATED, TOO_LARGE, BAD_HEADER, UNSUPPORTED, NOT_A_FILE or
        OUTSIDE_FOLDER.
    OSError
        If a file cannot be opened or read.
    """
    record = _read(header, path, root, frames, physical=True)
    physical = record.p_signal[:, list(wanted)] * np.array(factors)
    return np.ascontiguousarray(physical.T, dtype=np.float32)


def digital_with_library(
    header: Header, path: Path, root: Path, wanted: tuple[int, ...], frames: slice
) -> NDArray[np.int32]:
    """Read a part of some signals as the converter gave them, shape (n, len(wanted)).

    Of format 8, as if the header's initial value stood before the part. Parameters and errors are
    those of `read_with_library`; of a record with one sample a frame.
    """
    record = _read(header, path, root, frames, physical=False)
    return np.array(record.d_signal[:, list(wanted)], np.int32)


def _read(header: Header, path: Path, root: Path, frames: slice | None, *, physical: bool) -> Any:
    """Give the package's own record, whose header it understood as we did."""
    location = str(path.parent.absolute())
    if path.suffix != ".hea" or "::" in f"{path}" or "://" in location:
        # The package appends the suffix itself, and takes such names for a URL.
        raise RecordingError(
            SkipReason.UNSUPPORTED, "its path would be misread by the wfdb package; rename it"
        )
    if not all(name.isascii() for name in header.file_names):
        raise RecordingError(
            SkipReason.UNSUPPORTED, "a signal file's name is not ASCII, as the wfdb package wants"
        )
    check_signal_files(header, path, root, _MAX_SAMPLES if frames is None else MAX_LONG_SAMPLES)

    # The package warns of its own use of pandas, which is no matter of this recording.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb  # takes a second, and most folders never need it

        try:
            with _as_files(header, path, root) as folder:
                # Of a segment, the header may say more samples than are wanted.
                record = wfdb.rdrecord(
                    f"{folder}/{path.stem}",
                    sampfrom=0 if frames is None else frames.start,
                    sampto=header.n_samples if frames is None else frames.stop,
                    physical=physical,
                )
        except _WHAT_WFDB_RAISES as error:
            # Without the error behind it, which may quote the file.
            raise RecordingError(
                SkipReason.UNSUPPORTED, f"the wfdb package refused it ({type(error).__name__})"
            ) from None
    _require_agreement(header, record)
    return record


def can_be_cut(header: Header) -> bool:
    """Tell whether `read_with_library` can read a part of the record without all before it."""
    return bool(header.n_samples and header.signals) and all(
        signal.format in _IN_PLACE for signal in header.signals
    )


@contextmanager
def _as_files(header: Header, path: Path, root: Path) -> Iterator[str]:
    """Give the folder of a record whose files have been checked."""
    if not is_object(path):
        yield str(path.parent.absolute())
        return
    # Links to what is in memory: the package opens by names, and nothing has to lie on a disk.
    with tempfile.TemporaryDirectory(prefix="ecgscreen-") as folder, ExitStack() as stack:
        for name in {path.name, *header.file_names}:
            file = stack.enter_context(InsideFile(f"{path.parent}/{name}", root))
            Path(folder, name).symlink_to(f"/proc/self/fd/{file.descriptor}")
        yield folder


def check_signal_files(
    header: Header, path: Path, root: Path, most_samples: int = _MAX_SAMPLES
) -> None:
    """Check all signal files of a record: name, kind, place, and that they are long enough.

    Parameters
    ----------
    header
        Of a record without segments, of any signal format.
    path
        The header's file.
    root
        The folder given to the scan.
    most_samples
        Of all files together.

    Raises
    ------
    RecordingError
        As `read_with_library`.
    OSError
        If a file cannot be opened.
    """
    n_samples = 0
    for start, stop in file_groups(header):
        n_frames, per_frame = _check_file(header, start, stop, path.parent, root, most_samples)
        n_samples += n_frames * per_frame
        _require_at_most(most_samples, n_samples, n_frames, per_frame)


def _require_at_most(most_samples: int, n_samples: int, n_frames: int, per_frame: int) -> None:
    if n_samples > most_samples:
        raise RecordingError(
            SkipReason.TOO_LARGE,
            f"{n_samples} samples with a file of {n_frames} frames of {per_frame}, the limit is "
            f"{most_samples}",
        )


def _check_file(
    header: Header, start: int, stop: int, folder: Path, root: Path, most_samples: int
) -> tuple[int, int]:
    """Check one signal file, and give its number of frames and of samples in each."""
    signal = header.signals[start]
    if signal.format not in _BYTES_PER_SAMPLE and signal.format not in _COMPRESSED:
        raise RecordingError(SkipReason.UNSUPPORTED, f"signal format {signal.format} is unknown")
    with open_signal_file(f"{folder}/{header.file_names[start]}", root) as file:
        size = file.size
    per_frame = sum(spec.samples_per_frame for spec in header.signals[start:stop])
    if signal.format in _COMPRESSED:
        if header.n_samples is None:
            raise RecordingError(
                SkipReason.BAD_HEADER, "no number of samples, which a FLAC signal file needs"
            )
        n_frames, needed = header.n_samples, 1
        n_bytes = 2 * n_frames * per_frame
        if n_bytes > max(MAX_UNPACKED_BYTES, MAX_RATIO * size):
            raise RecordingError(
                SkipReason.TOO_LARGE, f"{n_bytes} bytes of samples out of {size} in the file"
            )
    else:
        frame_bytes = _BYTES_PER_SAMPLE[signal.format] * per_frame
        n_frames = header.n_samples or int(max(0, size - signal.byte_offset) / frame_bytes)
        needed = signal.byte_offset + math.ceil(max(1, n_frames) * frame_bytes)
    _require_at_most(most_samples, n_frames * per_frame, n_frames, per_frame)
    # The package appends as many samples as the largest skew, before it looks at it.
    skew = max(spec.skew for spec in header.signals[start:stop])
    if skew > n_frames:
        raise RecordingError(
            SkipReason.BAD_HEADER, f"a skew of {skew} frames in a record of {n_frames}"
        )
    if size < needed:
        raise RecordingError(SkipReason.TRUNCATED, f"{size} bytes, expected {needed} by the header")
    return n_frames, per_frame


def _require_agreement(header: Header, record: object) -> None:
    ours = {
        "n_sig": header.n_signals,
        "file_name": list(header.file_names),
        "fmt": [str(signal.format) for signal in header.signals],
        "samps_per_frame": [signal.samples_per_frame for signal in header.signals],
        "skew": [signal.skew for signal in header.signals],
        "byte_offset": [signal.byte_offset for signal in header.signals],
        "adc_gain": [signal.gain for signal in header.signals],
        "baseline": [signal.baseline for signal in header.signals],
    }
    for field, expected in ours.items():
        found = getattr(record, field)
        if isinstance(found, list):
            found = [0 if value is None else value for value in found]
        if found != expected:
            raise RecordingError(
                SkipReason.BAD_HEADER, f"the wfdb package reads another {field} than we do"
            )
