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

from ecgscreen.readers.base import (
    MAX_SAMPLES,
    MAX_SAMPLING_RATE,
    MAX_SIGNALS,
    MIN_SAMPLING_RATE,
    safe_token,
)
from ecgscreen.readers.files import InsideFile
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
    rb"""(\S+) \s+ (\S+)                       # file name, format
         (?: \s+ ([-+]?\.?\d\S*)               # gain(baseline)/unit
         (?: \s+ \d{1,10}                      # ADC resolution
         (?: \s+ (-?\d{1,10})                  # ADC zero
         (?: \s+ -?\d{1,10}                    # initial value
         (?: \s+ -?\d{1,10}                    # checksum
         (?: \s+ -?\d{1,10} )?)?)?)?)?)?       # block size
         (?: \s+ (\S.*) )?                     # description
    """,
    re.VERBOSE,
)
_FORMAT = re.compile(rb"(\d{1,4})(?:x0*(\d{1,5}))?(?::(\d{1,10}))?(?:\+(\d{1,12}))?")
_GAIN = re.compile(
    rb"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)(?:\((-?\d{1,10})\))?(?:/(\S*))?"
)
_RESEMBLES_GAIN = re.compile(rb"[-+]?(?:nan|inf)|\S*[(/]", re.IGNORECASE)
_INTEGER = re.compile(rb"-?\d{1,10}")
_Column = tuple[bytes, ...]
_Columns = tuple[_Column, _Column, _Column, _Column, _Column]
_SEGMENT_LINE = re.compile(rb"(\S+)\s+(\d{1,15})(?:\s.*)?")


@dataclass(frozen=True, slots=True, eq=False)
class SignalSpec:
    """What a signal line says of the signal itself; equal only to itself.

    Attributes
    ----------
    format
        The WFDB signal format (16, 212...).
    samples_per_frame
        At least 1.
    skew
        Frames by which the signal lies late in its file.
    byte_offset
        Where the samples begin in the file.
    gain
        Digital units per physical unit, never 0.
    baseline
        The digital value of 0 physical units.
    unit
        As written (Latin-1); ``mV`` where nothing is written.
    description
        As written (Latin-1); the lead's name in ECG records.
    """

    format: int
    samples_per_frame: int
    skew: int
    byte_offset: int
    gain: float
    baseline: int
    unit: str
    description: str


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
    """

    n_signals: int
    sampling_rate: float
    n_samples: int | None
    file_names: tuple[str, ...]
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
    return [
        line
        for line in map(bytes.strip, content.splitlines())
        if line and not line.startswith(b"#")
    ]


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
    lines = content_lines(content)
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
    sampling_rate = (
        _DEFAULT_SAMPLING_RATE if rate is None else _sampling_rate(rate[:_MAX_LINE_BYTES])
    )
    # header(5): a length of zero means the same as none.
    n_samples = int(sample_count or 0) or None
    if n_samples is not None and n_samples * n_signals > MAX_SAMPLES:
        raise RecordingError(
            SkipReason.TOO_LARGE,
            f"{n_signals} x {n_samples} samples, the limit is {MAX_SAMPLES}",
        )
    if segment_count is not None:
        segments = _segments(lines[1:], int(segment_count))
        return Header(n_signals, sampling_rate, n_samples, (), (), segments)
    file_names, signals = _signal_lines(lines[1:], n_signals)
    return Header(n_signals, sampling_rate, n_samples, file_names, signals, ())


@lru_cache(maxsize=64)
def _sampling_rate(text: bytes) -> float:
    match = _RATE.fullmatch(text)
    rate = float(match.group()) if match else float("nan")
    if not MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE:
        raise RecordingError(
            SkipReason.BAD_SAMPLING_RATE,
            f"{safe_token(text)} Hz, expected {MIN_SAMPLING_RATE:g} to {MAX_SAMPLING_RATE:g} Hz",
        )
    return rate


def _signal_lines(
    lines: list[bytes], n_signals: int
) -> tuple[tuple[str, ...], tuple[SignalSpec, ...]]:
    if len(lines) != n_signals:
        raise RecordingError(
            SkipReason.BAD_HEADER if lines else SkipReason.NO_SIGNALS,
            f"{len(lines)} signal lines, expected {n_signals} by the record line",
        )
    if max(map(len, lines)) > _MAX_LINE_BYTES:
        raise RecordingError(
            SkipReason.BAD_HEADER, f"a signal line is longer than {_MAX_LINE_BYTES} bytes"
        )
    names, formats, gains, adc_zeros, descriptions = _columns(lines)
    decoded = {name: _file_name(name) for name in set(names)}
    return (
        tuple([decoded[name] for name in names]),
        _signals(formats, gains, adc_zeros, descriptions),
    )


def _columns(lines: list[bytes]) -> _Columns:
    """Split signal lines into what matters: file, format, gain, ADC zero, description."""
    fields = [line.split(None, 8) for line in lines]
    if min(map(len, fields)) == 9:
        files, formats, gains, *numbers, descriptions = zip(*fields, strict=True)
        digits = b"".join(map(b"".join, numbers))
        if digits.replace(b"-", b"").isdigit():
            return files, formats, gains, numbers[1], descriptions
    # Rare, and slow by comparison: lines that leave out fields.
    rows = []
    for line in lines:
        match = _SIGNAL_LINE.fullmatch(line)
        if match is None:
            raise RecordingError(
                SkipReason.BAD_HEADER, "a signal line is not 'file format gain ...'"
            )
        rows.append(match.groups(default=b""))
    files, formats, gains, adc_zeros, descriptions = zip(*rows, strict=True)
    return files, formats, gains, adc_zeros, descriptions


@lru_cache(maxsize=64)
def _signals(
    formats: _Column, gains: _Column, adc_zeros: _Column, descriptions: _Column
) -> tuple[SignalSpec, ...]:
    """Interpret the columns of the signal lines; a field that is not there is empty.

    Cached, because the recordings of a folder mostly have the same. What is computed of the
    signals can be cached in turn: equal columns give the same objects.
    """
    return tuple(map(_signal, formats, gains, adc_zeros, descriptions))


def _signal(form: bytes, gain: bytes, adc_zero: bytes, description: bytes) -> SignalSpec:
    if not gain and _RESEMBLES_GAIN.match(description):
        raise _bad_gain(description.split(maxsplit=1)[0])
    gain_value, baseline, unit = _gain(gain)
    if baseline is None and adc_zero and not _INTEGER.fullmatch(adc_zero):
        raise RecordingError(
            SkipReason.BAD_HEADER, f"ADC zero {safe_token(adc_zero)}, expected a whole number"
        )
    return SignalSpec(
        *_format(form),
        gain_value,
        int(adc_zero or 0) if baseline is None else baseline,
        unit,
        description.partition(b"\t")[0].decode("latin-1"),
    )


def _format(token: bytes) -> tuple[int, int, int, int]:
    match = _FORMAT.fullmatch(token)
    if match is None or match[2] == b"0":
        raise RecordingError(
            SkipReason.BAD_HEADER,
            f"format {safe_token(token)}, expected for example 16, 16x1 or 16+24",
        )
    form, per_frame, skew, offset = match.groups()
    return int(form), int(per_frame or 1), int(skew or 0), int(offset or 0)


def _gain(token: bytes) -> tuple[float, int | None, str]:
    if not token:
        return _DEFAULT_GAIN, None, "mV"
    match = _GAIN.fullmatch(token)
    if match is None:
        raise _bad_gain(token)
    gain, baseline, unit = match.groups()
    # header(5) reads an explicit 0 as "uncalibrated, take 200"; a voltage invented so would
    # be scored as if it had been measured.
    if not _SMALLEST_GAIN <= abs(float(gain)) <= _LARGEST_GAIN:
        raise _bad_gain(token)
    return (
        float(gain),
        None if baseline is None else int(baseline),
        (unit or b"mV").decode("latin-1"),
    )


def _bad_gain(token: bytes) -> RecordingError:
    return RecordingError(
        SkipReason.BAD_GAIN,
        f"{safe_token(token)}, expected 'gain(baseline)/unit' with a gain other than 0",
    )


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
