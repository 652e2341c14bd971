"""The grammar of WFDB headers: like the wfdb package where both accept, and never an exception."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecgscreen.readers.base import MAX_SAMPLES, MAX_SAMPLING_RATE, MAX_SIGNALS, MIN_SAMPLING_RATE
from ecgscreen.readers.wfdb_header import Header, parse_header
from ecgscreen.recording import RecordingError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pandas, about what the package does when imported
    import wfdb

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword in:DeprecationWarning")

DETERMINISTIC = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
NAMES = st.text(LETTERS + "-", min_size=1, max_size=12)
SPACES = st.sampled_from([" ", "  ", "\t", " \t "])
INTEGERS = st.integers(-(1 << 20), 1 << 20)
GAINS = st.sampled_from(["200", "1000.0", "-3", ".5", "2.", "1e3", "2.5e-1", "+7"])
"""With a capital E the package takes what stands before it; we take the number, as strtod does."""


@dataclass(frozen=True)
class Written:
    """A header as a text, and what it says.

    Attributes
    ----------
    text
        With comments, blank lines and any line ends.
    sampling_rate, n_samples
        As the record line has them, or their defaults.
    signals
        Of each: file, format, samples a frame, skew, byte offset, gain, baseline, unit,
        description.
    """

    text: str
    sampling_rate: float
    n_samples: int | None
    signals: tuple[tuple[Any, ...], ...]


@st.composite
def headers(draw: st.DrawFn) -> Written:
    """All that header(5) allows in a header of one segment, fields left out among it."""
    space = draw(SPACES)
    signals = draw(st.lists(signal_lines(space), min_size=1, max_size=4))
    fields = ["rec", str(len(signals))]
    rate, n_samples = 250.0, None
    if draw(st.booleans()):
        rate = draw(st.sampled_from([100.0, 360.0, 257.5, 1e3, 20.0, 99_999.5]))
        counter = draw(st.sampled_from(["", "/720", "/360(5)", "/1.5(-2.5)"]))
        fields.append(f"{rate:g}{counter}")
        if draw(st.booleans()):
            n_samples = draw(st.integers(1, 1_000_000))
            fields.append(str(n_samples))
            fields += draw(st.sampled_from([[], ["12:30:00"], ["0:0:0", "01/02/2003"]]))
    lines = [space.join(fields), *(line for line, _ in signals)]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    comments = st.sampled_from(["", "# a comment", "#Dx: 1,2", "   ", "\t# rec 3 100"])
    text = "".join(
        (draw(comments) + end if draw(st.booleans()) else "") + line + end for line in lines
    )
    return Written(text, rate, n_samples, tuple(said for _, said in signals))


@st.composite
def signal_lines(draw: st.DrawFn, space: str) -> tuple[str, tuple[Any, ...]]:
    """A signal line and what it says; what follows a field that is left out is left out too."""
    file_name = f"{draw(NAMES)}.dat"
    form = draw(st.sampled_from([8, 16, 24, 32, 61, 80, 160, 212, 310, 311]))
    per_frame, skew, offset = draw(
        st.tuples(st.integers(1, 9), st.sampled_from([0, 0, 7]), st.sampled_from([0, 0, 24]))
    )
    token = f"{form}" + (f"x{per_frame}" if per_frame > 1 else "")
    token += (f":{skew}" if skew else "") + (f"+{offset}" if offset else "")
    fields = [file_name, token]
    n_kept = draw(st.integers(0, 6))
    gain, baseline, unit, zero = "200", None, "", None
    if n_kept:
        gain, baseline = draw(GAINS), draw(st.none() | INTEGERS)
        unit = draw(st.sampled_from(["", "mV", "uV", "NU", "mm/s"]))
        fields.append(
            gain + ("" if baseline is None else f"({baseline})") + (f"/{unit}" if unit else "")
        )
    if n_kept > 2:
        zero = draw(INTEGERS)
    numbers = ["16", str(zero), str(draw(INTEGERS)), str(draw(INTEGERS)), "0"]
    fields += numbers[: max(0, n_kept - 1)]
    description = draw(st.sampled_from(["", "II", "aVR", "ECG lead V5", "I-II (x)", "- a"]))
    if description and n_kept == 6:
        fields.append(description)
    said = (
        *(file_name, form, per_frame, skew, offset, float(gain)),
        *(baseline if baseline is not None else zero or 0, unit or "mV"),
        description if n_kept == 6 else "",
    )
    return space.join(fields), said


def said_by(header: Header) -> tuple[tuple[Any, ...], ...]:
    return tuple(
        (
            *(name, signal.format, signal.samples_per_frame, signal.skew, signal.byte_offset),
            *(signal.gain, signal.baseline, signal.unit, signal.description),
        )
        for name, signal in zip(header.file_names, header.signals, strict=True)
    )


@settings(DETERMINISTIC, max_examples=80)
@given(written=headers())
def test_a_header_says_what_was_written_and_what_wfdb_reads(
    tmp_path: Path, written: Written
) -> None:
    header = parse_header(written.text.encode())
    assert header.sampling_rate == written.sampling_rate
    assert header.n_samples == written.n_samples
    assert header.n_signals == len(written.signals)
    assert header.segments == ()
    assert said_by(header) == written.signals

    (tmp_path / "rec.hea").write_text(written.text, newline="")
    theirs = wfdb.rdheader(str(tmp_path / "rec"))
    assert theirs.n_sig == header.n_signals
    assert theirs.fs == header.sampling_rate
    assert theirs.sig_len == header.n_samples
    assert tuple(theirs.file_name) == header.file_names
    for ours, index in zip(header.signals, range(theirs.n_sig), strict=True):
        assert theirs.fmt[index] == str(ours.format)
        assert theirs.samps_per_frame[index] == ours.samples_per_frame
        assert (theirs.skew[index] or 0) == ours.skew
        assert (theirs.byte_offset[index] or 0) == ours.byte_offset
        assert theirs.adc_gain[index] == ours.gain
        assert theirs.baseline[index] == ours.baseline
        assert theirs.units[index] == ours.unit
        assert (theirs.sig_name[index] or "") == ours.description


def assert_within_limits(header: Header) -> None:
    """Whatever is accepted is finite, in range, and names plain files."""
    assert 1 <= header.n_signals <= MAX_SIGNALS
    assert MIN_SAMPLING_RATE <= header.sampling_rate <= MAX_SAMPLING_RATE
    assert header.n_samples is None or 1 <= header.n_samples * header.n_signals <= MAX_SAMPLES
    assert len(header.signals) == len(header.file_names) == header.n_signals or header.segments
    names = [*header.file_names, *(segment.record_name for segment in header.segments)]
    assert not any("/" in name or "\\" in name or name in {"", ".", ".."} for name in names)
    for signal in header.signals:
        assert signal.samples_per_frame >= 1
        assert math.isfinite(signal.gain)
        assert signal.gain != 0


def assert_understood_or_refused(content: bytes) -> None:
    try:
        found: Header | RecordingError = parse_header(content)
    except RecordingError as error:
        found = error
    if isinstance(found, Header):
        assert_within_limits(found)
    else:
        assert found.detail
        assert found.detail.isascii()
        assert found.detail.isprintable()


@settings(DETERMINISTIC, max_examples=200)
@given(content=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
def test_anything_is_understood_or_refused(content: bytes) -> None:
    assert_understood_or_refused(content)


TOKENS = st.sampled_from(
    [
        *("rec", "rec/2", "~", "../x", "/etc/passwd", "a.dat", "-", "0", "1", "2", "16", "212"),
        *("16x2:3+4", "200(3)/mV", "nan", "inf/mV", "1e400", "1e-9", "-1", "99999999999", "II"),
        *("100", "360/360(0)", "12:00:00", "#", "\t", "", "\xe9", "9" * 40, "250.5", "+1"),
    ]
)


@settings(DETERMINISTIC, max_examples=250)
@given(lines=st.lists(st.lists(TOKENS, max_size=10), max_size=5), first=st.integers(0, 4))
def test_any_tokens_are_understood_or_refused(lines: list[list[str]], first: int) -> None:
    text = "\n".join([f"rec {first} 100 500", *(" ".join(tokens) for tokens in lines)])
    assert_understood_or_refused(text.encode("latin-1"))


@settings(DETERMINISTIC, max_examples=100)
@given(written=headers(), data=st.data())
def test_a_header_with_a_piece_replaced_is_understood_or_refused(
    written: Written, data: st.DataObject
) -> None:
    content = written.text.encode()
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, min(len(content), start + 12)))
    assert_understood_or_refused(
        content[:start] + data.draw(st.binary(max_size=8)) + content[stop:]
    )
