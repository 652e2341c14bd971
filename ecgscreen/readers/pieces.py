"""Long recordings, read a piece at a time: a day of twelve leads does not fit the memory at once.

WFDB records, EDF and ISHNE are read from their files piece by piece. All others are read whole,
within `ecgscreen.readers.base.MAX_SAMPLES`, and handed out in pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.objects.address import is_object
from ecgscreen.objects.held import HeldObjects, holding
from ecgscreen.readers import READERS, read_recording
from ecgscreen.readers.archives import archived
from ecgscreen.readers.base import MAX_LONG_SAMPLES, reason_of
from ecgscreen.readers.by_content import length_announced, open_by_content
from ecgscreen.readers.wfdb_differences import RunningSum, are_differences
from ecgscreen.readers.wfdb_header import Header, read_header
from ecgscreen.readers.wfdb_library import check_signal_files
from ecgscreen.readers.wfdb_long_segments import (
    in_pieces,
    is_skewed,
    open_segments,
    read_frames,
)
from ecgscreen.readers.wfdb_signal import is_plain, n_frames
from ecgscreen.readers.wfdb_single import leads_of
from ecgscreen.recording import Recording, RecordingError, SkippedRecording, SkipReason
from ecgscreen.scoring import LONG_S

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
    if not is_object(path):
        return _open(path, root)
    held = holding() or HeldObjects(root)
    with held:
        opened = _open(path, root)
    return opened if isinstance(opened, SkippedRecording) else _reading_within(held, opened)


def _reading_within(held: HeldObjects, opened: Pieces) -> Pieces:
    """Have each piece read from what was fetched for those before it."""

    def read(start: int, stop: int) -> NDArray[np.float32]:
        with held:
            return opened.read(start, stop)

    return replace(opened, read=read)


def _open(path: Path, root: Path) -> Pieces | SkippedRecording:
    try:
        if _is_file_of_wfdb(path):
            if (opened := _from_wfdb(read_header(path, root), path, root)) is not None:
                return opened
        elif _is_long_by_content(path, root):
            return _from_parser(path, root)
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
    """Say how long a recording is by its header, in seconds.

    0 for a file of a format that is not read in pieces, and where the header does not say or
    cannot be read: reading it tells.
    """
    if not _is_file_of_wfdb(path):
        return 0.0 if _is_other(path) else length_announced(path, root)
    try:
        header = read_header(path, root)
    except (RecordingError, OSError):
        return 0.0
    return _n_announced(header) / header.sampling_rate


def _is_file_of_wfdb(path: Path) -> bool:
    return path.suffix.casefold() == _WFDB and archived(path) is None


def _is_other(path: Path) -> bool:
    """Whether it is told by its name to be of a format that is read whole."""
    return path.suffix.casefold() in READERS or archived(path) is not None


def _is_long_by_content(path: Path, root: Path) -> bool:
    return not _is_other(path) and length_announced(path, root) > LONG_S


def _n_announced(header: Header) -> int:
    return header.n_samples or sum(segment.n_samples for segment in header.segments)


def _from_wfdb(header: Header, path: Path, root: Path) -> Pieces | None:
    """Open a WFDB record whose samples have their places in its files; None for another."""
    if in_pieces(header) or (are_differences(header) and not is_skewed(header)):
        return _from_file(header, path, root)
    if header.segments and _n_announced(header) > LONG_S * header.sampling_rate:
        opened = open_segments(header, path, root)
        return None if opened is None else Pieces(*opened)
    return None


def _from_file(header: Header, path: Path, root: Path) -> Pieces:
    if is_plain(header):
        n_samples = n_frames(header, path, root)
    else:
        n_samples = header.n_samples or 0
        check_signal_files(header, path, root, MAX_LONG_SAMPLES)
    _check_length(header.n_signals, n_samples)
    leads = leads_of(header.signals)
    if are_differences(header):
        read = RunningSum(header, path, root, leads).read
    else:
        read = partial(read_frames, header, path, root, leads)
    nothing = np.empty((len(leads.names), 0), np.float32)
    whole = Recording(
        path,
        nothing,
        header.sampling_rate,
        leads.names,
        leads.amplitude_known,
        leads.notes + header.notes,
        header.acquired,
    )
    return Pieces(whole, n_samples, read)


def _from_parser(path: Path, root: Path) -> Pieces:
    opened, read = open_by_content(path, root)
    _check_length(len(opened.whole.lead_names), opened.n_samples)
    return Pieces(_without_signal(opened.whole), opened.n_samples, read)


def _check_length(n_signals: int, n_samples: int) -> None:
    if n_signals * n_samples > MAX_LONG_SAMPLES:
        raise RecordingError(
            SkipReason.TOO_LARGE,
            f"{n_signals} x {n_samples} samples, the limit is {MAX_LONG_SAMPLES}",
        )


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
