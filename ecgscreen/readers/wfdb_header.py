"""The WFDB header: its grammar, read strictly and with caps.

The grammar is that of header(5) in the WFDB Applications Guide (Moody, Pollard, Moody). The base
time is read as the time of acquisition; comments are dropped: they may identify a patient. Only an
age under 18 becomes a note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from ecgscreen.acquired import from_wfdb
from ecgscreen.readers.age import age_notes, header_age
from ecgscreen.readers.base import (
    MAX_SAMPLING_RATE,
    MAX_SIGNALS,
    MIN_SAMPLING_RATE,
    safe_token,
)
from ecgscreen.readers.files import InsideFile
from ecgscreen.readers.wfdb_mould import mould_of
from ecgscreen.readers.wfdb_signal_line import (
    MAX_LINE_BYTES,
    SignalSpec,
    parse_signal_lines,
    plain_file_name,
)
from ecgscreen.recording import RecordingError, SkipReason

MAX_HEADER_BYTES = 256 * 1024
MAX_SEGMENTS = 4096

_ALIKE = 32
"""So many headers have to be alike, one behind the other, before a mould is made of them, which
takes as long as parsing 200."""

_DEFAULT_SAMPLING_RATE = 250.0

_BEHIND_THE_NAME = re.compile(
    rb"""(?:/(?P<n_segments>\d{1,9}))?
         \s+ (?P<n_signals>\d{1,9})
         (?: \s+ (?P<rate>[^\s/]+) (?:/\S*)?
             (?: \s+ (?P<n_samples>\d{1,15}) (?P<base_time>\s.*)? )? )?""",
    re.VERBOSE,
)
_RATE = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_SEGMENT_LINE = re.compile(rb"(\S+)\s+(\d{1,15})(?:\s.*)?")


@dataclass(frozen=True, slots=True)
class SegmentSpec:
    """One segment line of a multi-segment record.

    Attributes
    ----------
    record_name
        Its header is the file of this name and ``.hea``; ``~`` stands for a gap.
    n_samples
        Frames; 0 marks the first segment as the layout of all others.
    """

    record_name: str
    n_samples: int


@dataclass(frozen=True, slots=True)
class Header:
    """A WFDB header.

    Attributes
    ----------
    n_signals
        At least 1.
    sampling_rate
        Frames per second, in Hz.
    n_samples
        Frames, or None where the header leaves it open.
    file_names
        One a signal, of its signal file in the header's folder; empty in a multi-segment
        header.
    signals
        One a signal; empty in a multi-segment header.
    segments
        One a segment; empty in a single-segment header.
    acquired
        Base time and date, where the record line has both.
    notes
        In our own words, never the file's.
    """

    n_signals: int
    sampling_rate: float
    n_samples: int | None
    file_names: tuple[str, ...]
    signals: tuple[SignalSpec, ...]
    segments: tuple[SegmentSpec, ...]
    acquired: datetime | None = None
    notes: tuple[str, ...] = ()


def read_header(path: Path, root: Path) -> Header:
    """Read and parse a WFDB header file.

    Parameters
    ----------
    path
        The header.
    root
        The folder given to the scan; nothing outside it is read.

    Raises
    ------
    RecordingError
        As `parse_header`; also NOT_A_FILE, OUTSIDE_FOLDER, TOO_LARGE.
    OSError
        If the file cannot be opened or read.
    """
    with InsideFile(str(path), root) as file:
        if file.size > MAX_HEADER_BYTES:
            raise RecordingError(
                SkipReason.TOO_LARGE,
                f"a header of {file.size} bytes, the limit is {MAX_HEADER_BYTES}",
            )
        content = file.read(file.size)
    return parse_header(content)


def content_lines(content: bytes) -> list[bytes]:
    """Give the lines of a header that are neither blank nor comments, stripped."""
    lines = filter(None, map(bytes.strip, content.splitlines()))
    if b"#" not in content:
        return list(lines)
    return [line for line in lines if not line.startswith(b"#")]


def parse_header(content: bytes) -> Header:
    """Parse a WFDB header.

    Parameters
    ----------
    content
        The file. Any line ends, blank lines, tabs; bytes beyond ASCII are Latin-1.

    Returns
    -------
    The header, in which every number is finite and in range and every file name is a plain
    name.

    Raises
    ------
    RecordingError
        BAD_HEADER, NO_SIGNALS, BAD_SAMPLING_RATE, BAD_GAIN, TOO_LARGE or OUTSIDE_FOLDER.
    """
    if (header := _alike.read(content)) is not None:
        return header
    lines = content_lines(content)
    if not lines:
        raise RecordingError(SkipReason.BAD_HEADER, "it has no record line")
    name, *more = lines[0][:MAX_LINE_BYTES].split(None, 1)
    name, slash, segment_count = name.partition(b"/")
    if not name or not more:
        raise _bad_record_line()
    record = _record_line(b"%b%b %b" % (slash, segment_count, more[0]))
    n_signals, sampling_rate, n_samples, acquired, n_segments = record
    notes = age_notes(header_age(content))
    if n_segments is not None:
        segments = _segments(lines[1:], n_segments)
        return Header(n_signals, sampling_rate, n_samples, (), (), segments, acquired, notes)
    file_names, signals = parse_signal_lines(lines[1:], n_signals)
    header = Header(n_signals, sampling_rate, n_samples, file_names, signals, (), acquired, notes)
    _alike.add(record, lines, header)
    return header


class _Alike:
    """The headers that were read last, as long as they are alike: those of a folder mostly are."""

    def __init__(self) -> None:
        self._last: tuple[object, object] = (None, None)
        self._n_alike = 0
        self._mould: tuple[re.Pattern[bytes], Header] | None = None

    def read(self, content: bytes) -> Header | None:
        """Parse a header that is like those before, in a third of the time; None for another."""
        if self._mould is None:
            return None
        pattern, header = self._mould
        match = pattern.fullmatch(content)
        if match is None:
            return None
        return Header(
            header.n_signals,
            header.sampling_rate,
            header.n_samples,
            (plain_file_name(match[1]),) * header.n_signals,
            header.signals,
            (),
            header.acquired,
            age_notes(header_age(content)),
        )

    def add(self, record: object, lines: list[bytes], header: Header) -> None:
        """Note a header that had to be parsed; `record` is what its record line says."""
        last, self._last = self._last, (record, header.signals)
        # Both come from caches: they are the same objects as long as the headers are alike.
        is_alike = last[0] is record and last[1] is header.signals
        self._n_alike = self._n_alike + 1 if is_alike else 1
        if self._n_alike == _ALIKE and (pattern := mould_of(lines)) is not None:
            self._mould = pattern, header


_alike = _Alike()


@lru_cache(maxsize=64)
def _record_line(
    behind_the_name: bytes,
) -> tuple[int, float, int | None, datetime | None, int | None]:
    """Signals, rate, samples, base time and segments of a record line; many records share them."""
    match = _BEHIND_THE_NAME.fullmatch(behind_the_name)
    if match is None:
        raise _bad_record_line()
    segment_count, signal_count, rate, sample_count, base_time = match.groups()
    n_signals = int(signal_count)
    if n_signals == 0:
        raise RecordingError(SkipReason.NO_SIGNALS, "0 signals in the record line")
    if n_signals > MAX_SIGNALS:
        raise RecordingError(
            SkipReason.TOO_LARGE, f"{n_signals} signals, the limit is {MAX_SIGNALS}"
        )
    return (
        n_signals,
        _DEFAULT_SAMPLING_RATE if rate is None else _sampling_rate(rate),
        # header(5): a length of zero means the same as none.
        int(sample_count or 0) or None,
        None if base_time is None else from_wfdb(base_time),
        None if segment_count is None else int(segment_count),
    )


def _bad_record_line() -> RecordingError:
    return RecordingError(
        SkipReason.BAD_HEADER, "the record line is not 'name signals rate samples'"
    )


def _sampling_rate(text: bytes) -> float:
    match = _RATE.fullmatch(text)
    rate = float(match.group()) if match else float("nan")
    if not MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE:
        raise RecordingError(
            SkipReason.BAD_SAMPLING_RATE,
            f"{safe_token(text)} Hz, expected {MIN_SAMPLING_RATE:g} to {MAX_SAMPLING_RATE:g} Hz",
        )
    return rate


def _segments(lines: list[bytes], n_segments: int) -> tuple[SegmentSpec, ...]:
    if not 0 < n_segments <= MAX_SEGMENTS:
        raise RecordingError(
            SkipReason.TOO_LARGE if n_segments else SkipReason.BAD_HEADER,
            f"{n_segments} segments, expected 1 to {MAX_SEGMENTS}",
        )
    if len(lines) != n_segments:
        raise RecordingError(
            SkipReason.BAD_HEADER,
            f"{len(lines)} segment lines, expected {n_segments} by the record line",
        )
    segments = []
    for line in lines:
        match = _SEGMENT_LINE.fullmatch(line[:MAX_LINE_BYTES])
        if match is None:
            raise RecordingError(SkipReason.BAD_HEADER, "a segment line is not 'name samples'")
        segments.append(SegmentSpec(plain_file_name(match[1]), int(match[2])))
    return tuple(segments)
