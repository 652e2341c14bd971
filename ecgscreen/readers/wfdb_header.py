"""The WFDB header: its grammar, read strictly and with caps.

The grammar is that of header(5) in the WFDB Applications Guide (Moody, Pollard, Moody). Times
and dates are not read, comments are dropped unread: both may identify a patient.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ecgscreen.readers.base import (
    MAX_SAMPLES,
    MAX_SAMPLING_RATE,
    MAX_SIGNALS,
    MIN_SAMPLING_RATE,
    safe_token,
)
from ecgscreen.readers.files import open_inside, read_exactly
from ecgscreen.recording import RecordingError, SkipReason

MAX_HEADER_BYTES = 256 * 1024
MAX_SEGMENTS = 4096

_MAX_LINE_BYTES = 1024
_DEFAULT_SAMPLING_RATE = 250.0
_DEFAULT_GAIN = 200.0
_SMALLEST_GAIN, _LARGEST_GAIN = 1e-6, 1e12

_RECORD_LINE = re.compile(
    rb"""(?P<name>[^\s/]+) (?:/(?P<n_segments>\d{1,9}))?
         \s+ (?P<n_signals>\d{1,9})
         (?: \s+ (?P<rate>[^\s/]+) (?:/\S*)?
             (?: \s+ (?P<n_samples>\d{1,15}) (?:\s.*)? )? )?""",
    re.VERBOSE,
)
_RATE = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_SIGNAL_LINE = re.compile(
    rb"""(\S+) \s+ (\S+)                                      # file name, format
         (?: \s+ ([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?  # gain
                  (?:\(-?\d{1,10}\))? (?:/\S*)?)              # (baseline)/unit
         (?: \s+ \d{1,10}                                     # ADC resolution
         (?: \s+ (-?\d{1,10})                                 # ADC zero
         (?: \s+ -?\d{1,10}                                   # initial value
         (?: \s+ -?\d{1,10}                                   # checksum
         (?: \s+ -?\d{1,10} )?)?)?)?)?)?                      # block size
         (?: \s+ (\S[^\t]*) (?:\t.*)? )?                      # description
    """,
    re.VERBOSE,
)
_FORMAT = re.compile(rb"(\d{1,4})(?:x(\d{1,5}))?(?::(\d{1,10}))?(?:\+(\d{1,12}))?")
_GAIN = re.compile(rb"([^(/]+)(?:\((-?\d+)\))?(?:/(\S*))?")
_RESEMBLES_GAIN = re.compile(rb"[-+.]?\d|[-+]?(?:nan|inf)|\S*[(/]", re.IGNORECASE)
_SEGMENT_LINE = re.compile(rb"(\S+)\s+(\d{1,15})(?:\s.*)?")


class SignalSpec(NamedTuple):
    """One signal line. A tuple, not a dataclass: a header has twelve, and these are fast.

    Attributes
    ----------
    file_name
        Of the signal file, in the header's folder.
    format
        The WFDB signal format (16, 212...).
    samples_per_frame
        At least 1.
    skew
        Samples (frames) by which the signal lies late in the file.
    byte_offset
        Where the samples begin in the file.
    gain
        Digital units per physical unit, never 0.
    baseline
        The digital value of 0 physical units.
    unit
        As written; ``mV`` where nothing is written.
    description
        As written (Latin-1); the lead's name in ECG records.
    """

    file_name: str
    format: int
    samples_per_frame: int
    skew: int
    byte_offset: int
    gain: float
    baseline: int
    unit: str
    description: str


class SegmentSpec(NamedTuple):
    """One segment line of a multi-segment record; the name ``~`` stands for a gap."""

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
    signals
        One a signal; empty in a multi-segment header.
    segments
        One a segment; empty in a single-segment header.
    """

    n_signals: int
    sampling_rate: float
    n_samples: int | None
    signals: tuple[SignalSpec, ...]
    segments: tuple[SegmentSpec, ...]


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
    with open_inside(path, root) as (descriptor, size):
        if size > MAX_HEADER_BYTES:
            raise RecordingError(
                SkipReason.TOO_LARGE,
                f"a header of {size} bytes, the limit is {MAX_HEADER_BYTES}",
            )
        content = read_exactly(descriptor, size, 0)
    return parse_header(content)


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
    lines = [
        line
        for line in map(bytes.strip, content.splitlines())
        if line and not line.startswith(b"#")
    ]
    if not lines:
        raise RecordingError(SkipReason.BAD_HEADER, "it has no record line")
    match = _RECORD_LINE.fullmatch(lines[0][:_MAX_LINE_BYTES])
    if match is None:
        raise RecordingError(
            SkipReason.BAD_HEADER,
            "the record line is not 'name signals rate samples'",
        )
    _, segment_count, signal_count, rate, sample_count = match.groups()
    n_signals = int(signal_count)
    if n_signals == 0:
        raise RecordingError(SkipReason.NO_SIGNALS, "0 signals in the record line")
    if n_signals > MAX_SIGNALS:
        raise RecordingError(
            SkipReason.TOO_LARGE, f"{n_signals} signals, the limit is {MAX_SIGNALS}"
        )
    sampling_rate = _DEFAULT_SAMPLING_RATE if rate is None else _sampling_rate(rate)
    # header(5): a length of zero means the same as none.
    n_samples = int(sample_count or 0) or None
    if n_samples is not None and n_samples * n_signals > MAX_SAMPLES:
        raise RecordingError(
            SkipReason.TOO_LARGE,
            f"{n_signals} x {n_samples} samples, the limit is {MAX_SAMPLES}",
        )
    if segment_count is not None:
        segments = _segments(lines[1:], int(segment_count))
        return Header(n_signals, sampling_rate, n_samples, (), segments)
    if len(lines) - 1 != n_signals:
        reason = SkipReason.NO_SIGNALS if len(lines) == 1 else SkipReason.BAD_HEADER
        raise RecordingError(
            reason, f"{len(lines) - 1} signal lines, expected {n_signals} by the record line"
        )
    signals = tuple(map(_signal, lines[1:]))
    return Header(n_signals, sampling_rate, n_samples, signals, ())


def _sampling_rate(text: bytes) -> float:
    match = _RATE.fullmatch(text[:_MAX_LINE_BYTES])
    rate = float(match.group()) if match else float("nan")
    if not MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE:
        raise RecordingError(
            SkipReason.BAD_SAMPLING_RATE,
            f"{safe_token(text)} Hz, expected {MIN_SAMPLING_RATE:g} to {MAX_SAMPLING_RATE:g} Hz",
        )
    return rate


def _signal(line: bytes) -> SignalSpec:
    match = _SIGNAL_LINE.fullmatch(line) if len(line) <= _MAX_LINE_BYTES else None
    if match is None:
        raise RecordingError(SkipReason.BAD_HEADER, "a signal line is not 'file format ...'")
    file_name, form, gain, adc_zero, description = match.groups()
    if gain is None and description and _RESEMBLES_GAIN.match(description):
        raise RecordingError(
            SkipReason.BAD_GAIN,
            f"{safe_token(description.split(maxsplit=1)[0])}, expected 'gain(baseline)/unit'",
        )
    gain_value, baseline, unit = _gain(gain)
    if baseline is None:
        baseline = int(adc_zero or 0)
    return SignalSpec(
        _file_name(file_name),
        *_format(form),
        gain_value,
        baseline,
        unit,
        (description or b"").decode("latin-1"),
    )


# Twelve leads share the tokens below, and so do most records of a folder. Every token is
# shorter than a line may be, which bounds the caches.


@lru_cache(maxsize=1024)
def _format(token: bytes) -> tuple[int, int, int, int]:
    match = _FORMAT.fullmatch(token)
    if match is None or match[2] is not None and int(match[2]) == 0:
        raise RecordingError(
            SkipReason.BAD_HEADER,
            f"format {safe_token(token)}, expected for example 16, 16x1 or 16+24",
        )
    form, per_frame, skew, offset = match.groups()
    return int(form), int(per_frame or 1), int(skew or 0), int(offset or 0)


@lru_cache(maxsize=4096)
def _gain(token: bytes | None) -> tuple[float, int | None, str]:
    if token is None:
        return _DEFAULT_GAIN, None, "mV"
    match = _GAIN.fullmatch(token)
    value = float(match[1]) if match else 0.0
    if match is None or not _SMALLEST_GAIN <= abs(value) <= _LARGEST_GAIN:
        # header(5) reads an explicit 0 as "uncalibrated, take 200"; a voltage invented so
        # would be scored as if it had been measured.
        raise RecordingError(
            SkipReason.BAD_GAIN, f"gain {safe_token(token)}, expected units per mV other than 0"
        )
    return value, None if match[2] is None else int(match[2]), (match[3] or b"mV").decode("latin-1")


@lru_cache(maxsize=64)
def _file_name(token: bytes) -> str:
    """Take the name of a file in the header's own folder, and nothing else."""
    if b"/" in token or b"\\" in token or b"\0" in token or token in {b".", b"..", b"-"}:
        raise RecordingError(
            SkipReason.OUTSIDE_FOLDER,
            "a signal line names a path, a URL or standard input, expected a plain file name",
        )
    if len(token) > 255:
        raise RecordingError(SkipReason.BAD_HEADER, "a file name is longer than 255 bytes")
    return os.fsdecode(token)


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
        match = _SEGMENT_LINE.fullmatch(line[:_MAX_LINE_BYTES])
        if match is None:
            raise RecordingError(SkipReason.BAD_HEADER, "a segment line is not 'name samples'")
        segments.append(SegmentSpec(_file_name(match[1]), int(match[2])))
    return tuple(segments)
