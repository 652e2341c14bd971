"""Multi-segment WFDB records that are too long to be read at once: a piece of them at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.base import MAX_LONG_SAMPLES
from ecgscreen.readers.lead_choice import LeadChoice
from ecgscreen.readers.wfdb_header import Header
from ecgscreen.readers.wfdb_library import can_be_cut, check_signal_files, read_with_library
from ecgscreen.readers.wfdb_segments import (
    GAP,
    check_length,
    check_recorded,
    joined_leads,
    segment_header,
)
from ecgscreen.readers.wfdb_signal import is_plain, read_plain
from ecgscreen.readers.wfdb_single import leads_of
from ecgscreen.recording import Recording, RecordingError, SkipReason

_Part = tuple[Header, Path, LeadChoice]


def in_pieces(header: Header) -> bool:
    """Tell whether a part of a single-segment record can be read without all before it."""
    return (is_plain(header) or can_be_cut(header)) and not is_skewed(header)


def is_skewed(header: Header) -> bool:
    """Tell whether a signal begins in another frame of its file than the others."""
    return any(signal.skew for signal in header.signals)


def read_frames(
    header: Header, path: Path, root: Path, leads: LeadChoice, start: int, stop: int
) -> NDArray[np.float32]:
    """Read the samples of a record for which `in_pieces` holds from a first one up to another.

    Raises
    ------
    RecordingError, OSError
        As `read_plain` and `read_with_library`.
    """
    read = read_plain if is_plain(header) else read_with_library
    return read(header, path, root, leads.indices, leads.factors, slice(start, stop))


def open_segments(
    header: Header, path: Path, root: Path
) -> tuple[Recording, int, Callable[[int, int], NDArray[np.float32]]] | None:
    """Open a multi-segment record to be read in pieces.

    Parameters
    ----------
    header
        The record's own, with segments.
    path, root
        As for `ecgscreen.readers.wfdb_segments.read_segments`.

    Returns
    -------
    The recording without samples, how many it has, and what reads them from a first one up to
    another, NaN where nothing was recorded. None if a segment cannot be read in pieces.

    Raises
    ------
    RecordingError, OSError
        As `read_segments`.
    """
    n_samples = check_length(header, MAX_LONG_SAMPLES)
    parts: dict[str, _Part | None] = {}
    headers: dict[str, Header] = {}
    for segment in header.segments:
        if segment.record_name == GAP or not segment.n_samples:
            continue
        own, own_path = segment_header(segment, header, path, root, headers)
        if segment.record_name not in parts:
            if not in_pieces(own):
                return None
            check_signal_files(own, own_path, root, MAX_LONG_SAMPLES)
            parts[segment.record_name] = _part(own, own_path)
    names, amplitude_known, notes = joined_leads(
        [part[2] for part in parts.values() if part is not None]
    )
    # Of one that occurs again, what is read of it counts once.
    read_once = {segment: parts.get(segment.record_name) for segment in header.segments}
    n_read = sum(
        segment.n_samples * len(part[2].names)
        for segment, part in read_once.items()
        if part is not None
    )
    check_recorded(len(names), n_samples, n_read)
    ends = list(accumulate(segment.n_samples for segment in header.segments))

    def read(start: int, stop: int) -> NDArray[np.float32]:
        signal = np.full((len(names), stop - start), np.nan, np.float32)
        for place in range(bisect_right(ends, start), len(ends)):
            segment = header.segments[place]
            begin = ends[place] - segment.n_samples
            if begin >= stop:
                break
            part = parts.get(segment.record_name)
            first, last = max(start, begin), min(stop, ends[place])
            if part is None or first >= last:
                continue
            own, own_path, leads = part
            rows = [names.index(name) for name in leads.names]
            signal[rows, first - start : last - start] = read_frames(
                replace(own, n_samples=own.n_samples or segment.n_samples),
                *(own_path, root, leads, first - begin, last - begin),
            )
        return signal

    whole = Recording(
        path,
        np.empty((len(names), 0), np.float32),
        header.sampling_rate,
        names,
        amplitude_known,
        tuple(dict.fromkeys((*notes, *header.notes))),
        header.acquired,
    )
    return whole, n_samples, read


def _part(own: Header, own_path: Path) -> _Part | None:
    """What of a segment is read; None if it has no known lead (pressures only, say)."""
    try:
        return own, own_path, leads_of(own.signals)
    except RecordingError as error:
        if error.reason is SkipReason.NO_KNOWN_LEAD:
            return None
        raise
