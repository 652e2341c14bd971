"""Long recordings, read a piece at a time: a day of twelve leads does not fit the memory at once.

WFDB records of format 16 in one segment are read from their files piece by piece. All others are
read whole, within `ecgscreen.readers.base.MAX_SAMPLES`, and handed out in pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers import read_recording
from ecgscreen.readers.archives import archived
from ecgscreen.readers.base import reason_of
from ecgscreen.readers.wfdb_header import Header, read_header
from ecgscreen.readers.wfdb_signal import is_plain, n_frames, read_plain
from ecgscreen.readers.wfdb_single import leads_of
from ecgscreen.recording import Recording, RecordingError, SkippedRecording, SkipReason

MAX_LONG_SAMPLES = 1 << 32
"""Samples of a record that is read in pieces, all signals together: eight days of twelve leads at
500 Hz, a file of 8 GiB."""

_WFDB = ".hea"


@dataclass(frozen=True)
class Pieces:
    """A recording whose signal is read when it is asked for.

    Attributes
    ----------
    whole
        Everything but the signal, which has no samples here.
    n_samples
        Of each lead.
    read
        Reads the samples from a first one up to another: float32, shape (n_leads, n), as a
        `Recording` has them. Raises RecordingError or OSError.
    """

    whole: Recording
    n_samples: int
    read: Callable[[int, int], NDArray[np.float32]]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.whole.sampling_rate


def open_pieces(path: Path, root: Path) -> Pieces | SkippedRecording:
    """Open a recording to be read in pieces, or say why it cannot be read.

    Parameters
    ----------
    path, root
        As for `ecgscreen.readers.read_recording`.
    """
    try:
        if _is_file_of_wfdb(path) and _in_pieces(header := read_header(path, root)):
            return _from_file(header, path, root)
    except RecordingError as error:
        return SkippedRecording(path, error.reason, error.detail)
    except OSError as error:
        return SkippedRecording(path, *reason_of(error))
    recording = read_recording(path, root)
    return recording if isinstance(recording, SkippedRecording) else in_memory(recording)


def in_memory(recording: Recording) -> Pieces:
    """Give the pieces of a recording that was read whole."""
    signal = recording.signal
    return Pieces(
        _without_signal(recording), signal.shape[1], lambda start, stop: signal[:, start:stop]
    )


def announced_duration_s(path: Path, root: Path) -> float:
    """Say how long a WFDB record is by its header, in seconds.

    0 for a file of another format, and where the header does not say or cannot be read: reading
    it tells.
    """
    if not _is_file_of_wfdb(path):
        return 0.0
    try:
        header = read_header(path, root)
    except (RecordingError, OSError):
        return 0.0
    return (header.n_samples or 0) / header.sampling_rate


def _is_file_of_wfdb(path: Path) -> bool:
    return path.suffix.casefold() == _WFDB and archived(path) is None


def _in_pieces(header: Header) -> bool:
    # A skewed signal begins in another frame of the file than the others.
    return is_plain(header) and not any(signal.skew for signal in header.signals)


def _from_file(header: Header, path: Path, root: Path) -> Pieces:
    n_samples = n_frames(header, path, root)
    if n_samples * header.n_signals > MAX_LONG_SAMPLES:
        raise RecordingError(
            SkipReason.TOO_LARGE,
            f"{header.n_signals} x {n_samples} samples, the limit is {MAX_LONG_SAMPLES}",
        )
    leads = leads_of(header.signals)

    def read(start: int, stop: int) -> NDArray[np.float32]:
        frames = slice(start, stop)
        return read_plain(header, path, root, leads.indices, leads.factors, frames)

    nothing = np.empty((len(leads.names), 0), np.float32)
    whole = Recording(
        path,
        nothing,
        header.sampling_rate,
        leads.names,
        leads.amplitude_known,
        leads.notes,
        header.acquired,
    )
    return Pieces(whole, n_samples, read)


def _without_signal(recording: Recording) -> Recording:
    nothing = np.empty((len(recording.lead_names), 0), np.float32)
    return Recording(
        recording.path,
        nothing,
        recording.sampling_rate,
        recording.lead_names,
        recording.amplitude_known,
        recording.notes,
        recording.acquired,
    )
