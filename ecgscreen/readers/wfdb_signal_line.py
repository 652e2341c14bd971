"""The signal lines of a WFDB header, as header(5) of the WFDB Applications Guide has them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache

from ecgscreen.readers.base import safe_token
from ecgscreen.recording import RecordingError, SkipReason

MAX_LINE_BYTES = 1024
"""Of any line but a comment."""

_DEFAULT_GAIN = 200.0
_SMALLEST_GAIN, _LARGEST_GAIN = 1e-6, 1e12

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

_JOINT = b"\n"
"""Between cells of the columns; a line has none."""


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


def parse_signal_lines(
    lines: list[bytes], n_signals: int
) -> tuple[tuple[str, ...], tuple[SignalSpec, ...]]:
    """Parse the signal lines of a header.

    Parameters
    ----------
    lines
        Stripped, without comments.
    n_signals
        How many the record line announces.

    Returns
    -------
    The names of the signal files and the signals, one each a line.

    Raises
    ------
    RecordingError
        NO_SIGNALS, BAD_HEADER, BAD_GAIN or OUTSIDE_FOLDER.
    """
    if len(lines) != n_signals:
        raise RecordingError(
            SkipReason.BAD_HEADER if lines else SkipReason.NO_SIGNALS,
            f"{len(lines)} signal lines, expected {n_signals} by the record line",
        )
    if max(map(len, lines)) > MAX_LINE_BYTES:
        raise RecordingError(
            SkipReason.BAD_HEADER, f"a signal line is longer than {MAX_LINE_BYTES} bytes"
        )
    names, others = _columns(lines)
    if names.count(names[0]) == len(names):
        file_names = (plain_file_name(names[0]),) * len(names)
    else:
        file_names = tuple(map(plain_file_name, names))
    return file_names, _signals(others)


def _columns(lines: list[bytes]) -> tuple[tuple[bytes, ...], bytes]:
    """Split signal lines into what matters: the file names, and all cells of `_signals`."""
    fields = [line.split(None, 8) for line in lines]
    try:
        files, formats, gains, bits, adc_zeros, first, sums, blocks, descriptions = zip(
            *fields, strict=True
        )
    except ValueError:
        pass
    else:
        numbers = b"".join([*bits, *adc_zeros, *first, *sums, *blocks])
        if numbers.replace(b"-", b"").isdigit():
            return files, _JOINT.join(formats + gains + adc_zeros + descriptions)
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
    return files, _JOINT.join(formats + gains + adc_zeros + descriptions)


@lru_cache(maxsize=64)
def _signals(cells: bytes) -> tuple[SignalSpec, ...]:
    """Interpret the formats, gains, ADC zeros and descriptions of the signal lines.

    One behind the other, joined; a field that is not there is empty. Cached, because the recordings
    of a folder mostly have the same, and joined, because many short texts take longer to look up.
    What is computed of the signals can be cached in turn: equal cells give the same objects.
    """
    split = cells.split(_JOINT)
    n = len(split) // 4
    return tuple(map(_signal, split[:n], split[n : 2 * n], split[2 * n : 3 * n], split[3 * n :]))


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


def plain_file_name(token: bytes) -> str:
    """Take the name of a file in the header's own folder, and nothing else.

    Raises
    ------
    RecordingError
        OUTSIDE_FOLDER for a path, a URL or ``-``; BAD_HEADER if it is too long for a name.
    """
    if b"/" in token or b"\\" in token or b"\0" in token or token in {b".", b"..", b"-"}:
        raise RecordingError(
            SkipReason.OUTSIDE_FOLDER,
            "a signal line names a path, a URL or standard input, expected a plain file name",
        )
    if len(token) > 255:
        raise RecordingError(SkipReason.BAD_HEADER, "a file name is longer than 255 bytes")
    return token.decode() if token.isascii() else os.fsdecode(token)
