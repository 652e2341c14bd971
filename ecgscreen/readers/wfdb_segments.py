"""Multi-segment WFDB records: records strung together by a header of their own.

header(5): in a fixed layout every segment has the same signals; in a variable layout the first
segment has no samples and lists all signals, and a segment holds some of them. ``~`` stands
for a gap. What is not recorded is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.base import MAX_SAMPLES, check_size
from ecgscreen.readers.lead_choice import LeadChoice
from ecgscreen.readers.wfdb_header import Header, SegmentSpec, read_header
from ecgscreen.readers.wfdb_library import check_signal_files
from ecgscreen.readers.wfdb_single import leads_of, read_signals
from ecgscreen.recording import LEADS, Recording, RecordingError, SkipReason

GAP = "~"
"""Stands for a segment in which nothing was recorded."""

_MAX_UNRECORDED, _MAX_RATIO = 1 << 24, 32
"""More samples than the first are laid out only if they are at most so many times as many as were
read: a header of one line can ask for a gap of days."""

_Segment = tuple[LeadChoice, NDArray[np.float32]]


def read_segments(header: Header, path: Path, root: Path) -> Recording:
    """Read a multi-segment record as one recording.

    Parameters
    ----------
    header
        The record's own, with segments.
    path
        Its file. The segments' headers lie beside it.
    root
        The folder given to the scan.

    Returns
    -------
    The recording; its leads are those that any segment has.

    Raises
    ------
    RecordingError
        BAD_HEADER if the segments do not fit the header or each other, NO_SIGNAL_FILE if one
        is not there, TOO_LARGE; and whatever reading a segment raises.
    OSError
        If a file cannot be opened or read.
    """
    n_samples = check_length(header)
    headers: dict[str, Header] = {}
    # header(5) has an example of a record that occurs again; it is read once.
    read: dict[SegmentSpec, _Segment | None] = {}
    parts: list[tuple[int, LeadChoice, NDArray[np.float32]]] = []
    start = 0
    for segment in header.segments:
        if segment.record_name != GAP and segment.n_samples:
            if segment not in read:
                read[segment] = _read_segment(segment, header, path, root, headers)
            part = read[segment]
            if part is not None:
                parts.append((start, *part))
        start += segment.n_samples
    n_read = sum(part[1].size for part in read.values() if part is not None)
    return _joined(header, path, n_samples, parts, n_read)


def whole_segments(header: Header, path: Path, root: Path) -> set[str]:
    """Name the records that a multi-segment record wholly contains, for the walk over a folder.

    What cannot be read as a part of it must not be left out as its part: a header may name
    anybody's recordings.

    Parameters
    ----------
    header
        The record's own, with segments.
    path
        Its file.
    root
        The folder given to the scan.

    Returns
    -------
    Names of records. One of which the segment is a part only is not among them.

    Raises
    ------
    RecordingError, OSError
        As `read_segments`, as far as that shows without reading samples.
    """
    check_length(header)
    whole, checked = set(), set()
    headers: dict[str, Header] = {}
    for index, segment in enumerate(header.segments):
        if segment.record_name == GAP:
            continue
        if segment.n_samples:
            own, own_path = segment_header(segment, header, path, root, headers)
            if segment.record_name not in checked:
                check_signal_files(own, own_path, root, MAX_SAMPLES)
                checked.add(segment.record_name)
            if segment.n_samples == own.n_samples:
                whole.add(segment.record_name)
        elif index == 0 and set(_layout_files(segment, path, root)) == {GAP}:
            whole.add(segment.record_name)
    return whole


def _layout_files(segment: SegmentSpec, path: Path, root: Path) -> tuple[str, ...]:
    return read_header(path.parent / f"{segment.record_name}.hea", root).file_names


def check_length(header: Header, most_samples: int = MAX_SAMPLES) -> int:
    """Give the length of a multi-segment record, all of twelve leads counted against the limit.

    Raises
    ------
    RecordingError
        BAD_HEADER if the record line says another one, TOO_LARGE.
    """
    n_samples = sum(segment.n_samples for segment in header.segments)
    if n_samples == 0 or (header.n_samples or n_samples) != n_samples:
        raise RecordingError(
            SkipReason.BAD_HEADER,
            f"segments of {n_samples} samples in all, {header.n_samples} by the record line",
        )
    if n_samples * len(LEADS) > most_samples:
        raise RecordingError(
            SkipReason.TOO_LARGE,
            f"{n_samples} samples, the limit is {most_samples // len(LEADS)}",
        )
    return n_samples


def _read_segment(
    segment: SegmentSpec, header: Header, path: Path, root: Path, headers: dict[str, Header]
) -> _Segment | None:
    """Read one segment; None if it has no known lead (pressures only, say)."""
    own, own_path = segment_header(segment, header, path, root, headers)
    try:
        leads = leads_of(own.signals)
    except RecordingError as error:
        if error.reason is SkipReason.NO_KNOWN_LEAD:
            return None
        raise
    # No more than the segment: thousands of them may name one long record.
    wanted = replace(own, n_samples=segment.n_samples)
    check_size(own.n_signals, segment.n_samples)
    return leads, read_signals(wanted, own_path, root, leads)


def segment_header(
    segment: SegmentSpec, header: Header, path: Path, root: Path, headers: dict[str, Header]
) -> tuple[Header, Path]:
    """Read the header of a segment, and check that it fits.

    Parameters
    ----------
    segment
        One with samples, no gap.
    header, path
        Of the record that it is part of.
    root
        The folder given to the scan.
    headers
        Those that were read before, by the names of their records; it is added to.

    Returns
    -------
    The segment's own header, and its file.

    Raises
    ------
    RecordingError, OSError
        As `read_segments`.
    """
    if segment.record_name == path.stem:
        raise RecordingError(SkipReason.BAD_HEADER, "a segment is the record itself")
    own_path = path.parent / f"{segment.record_name}.hea"
    try:
        own = headers.get(segment.record_name) or read_header(own_path, root)
    except FileNotFoundError:
        # Without the error behind it: the name is the header's.
        raise RecordingError(
            SkipReason.NO_SIGNAL_FILE, "the header of a segment is not there"
        ) from None
    headers[segment.record_name] = own
    if own.segments:
        raise RecordingError(SkipReason.BAD_HEADER, "a segment has segments itself")
    if not math.isclose(own.sampling_rate, header.sampling_rate):
        raise RecordingError(
            SkipReason.BAD_HEADER,
            f"a segment at {own.sampling_rate:g} Hz, expected {header.sampling_rate:g} Hz",
        )
    if (own.n_samples or segment.n_samples) < segment.n_samples:
        raise RecordingError(
            SkipReason.TRUNCATED,
            f"a segment of {own.n_samples} samples, expected {segment.n_samples}",
        )
    return own, own_path


def _joined(
    header: Header,
    path: Path,
    n_samples: int,
    parts: list[tuple[int, LeadChoice, NDArray[np.float32]]],
    n_read: int,
) -> Recording:
    names, amplitude_known, notes = joined_leads([leads for _, leads, _ in parts])
    check_recorded(len(names), n_samples, n_read)
    signal = np.full((len(names), n_samples), np.nan, np.float32)
    for start, leads, part in parts:
        rows = [names.index(name) for name in leads.names]
        signal[rows, start : start + part.shape[1]] = part
    notes = tuple(dict.fromkeys((*notes, *header.notes)))
    return Recording(
        path, signal, header.sampling_rate, names, amplitude_known, notes, header.acquired
    )


def check_recorded(n_leads: int, n_samples: int, n_read: int) -> None:
    """Check that a record is not nearly all gaps, or repeated.

    Raises
    ------
    RecordingError
        TOO_LARGE.
    """
    if n_leads * n_samples > max(_MAX_UNRECORDED, _MAX_RATIO * n_read):
        raise RecordingError(
            SkipReason.TOO_LARGE,
            f"{n_leads} x {n_samples} samples, nearly all of them gaps or repeated",
        )


def joined_leads(choices: Sequence[LeadChoice]) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """What the segments have together: names of leads, whether in mV, and notes.

    Raises
    ------
    RecordingError
        NO_KNOWN_LEAD, or BAD_HEADER if only some are in mV.
    """
    if not choices:
        raise RecordingError(SkipReason.NO_KNOWN_LEAD, "no segment has one")
    units = {leads.amplitude_known for leads in choices}
    if len(units) > 1:
        raise RecordingError(
            SkipReason.BAD_HEADER, "the unit is a voltage in some segments and none in others"
        )
    return (
        tuple(dict.fromkeys(name for leads in choices for name in leads.names)),
        units.pop(),
        tuple(dict.fromkeys(note for leads in choices for note in leads.notes)),
    )
