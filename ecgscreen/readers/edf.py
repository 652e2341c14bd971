"""EDF and EDF+, through ``edfio``.

Kemp et al., Electroencephalography and Clinical Neurophysiology 82, 1992 (EDF); Kemp and
Olivan, Clinical Neurophysiology 114, 2003 (EDF+). Runs behind `ecgscreen.readers.limited`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.acquired import from_edf
from ecgscreen.leads import standard_lead_name
from ecgscreen.readers.base import MAX_SIGNALS
from ecgscreen.readers.signals import LongSignals, Signals, stack
from ecgscreen.recording import RecordingError, SkipReason

_FIXED_BYTES = 256
_SIGNAL_BYTES = 256
_ANNOTATIONS = b"EDF Annotations"


def read(path: str, member: str = "") -> Signals:  # noqa: ARG001 - one recording a file
    """Read all of a file, as `open_long` does; `member` is not used."""
    return open_long(path).whole(path)


def open_long(path: str) -> LongSignals:
    """Read what signals are leads, of the sampling rate that most of them have.

    Of an interrupted recording (EDF+D) the longest piece without a gap is read, and a note says
    so. Annotations and the patient's field are not read.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    RecordingError
        BAD_HEADER, NO_SIGNALS or TRUNCATED.
    """
    from edfio import read_edf

    layout = _layout(Path(path))
    piece, notes = _longest_piece(layout, Path(path))
    edf = read_edf(path, lazy_load_data=True, header_encoding="latin-1")
    rates = Counter(
        signal.sampling_frequency for signal in edf.signals if standard_lead_name(signal.label)
    )
    if not rates:
        labels = tuple(signal.label for signal in edf.signals)
        return LongSignals(labels, ("",) * len(labels), 100.0, 1, _nothing(len(labels)))
    rate = rates.most_common(1)[0][0]
    chosen = [
        index for index, signal in enumerate(edf.signals) if signal.sampling_frequency == rate
    ]
    if len(rates) > 1:
        notes += ("leads of another sampling rate than most are left out",)
    per_record = edf.signals[chosen[0]].samples_per_data_record
    first = piece.start * per_record

    def read_piece(path: str, start: int, stop: int) -> NDArray[np.float64]:
        # Opened anew: the library keeps what it has read.
        signals = read_edf(path, lazy_load_data=True, header_encoding="latin-1").signals
        seconds = ((first + start) / rate, (first + stop) / rate)
        return stack([signals[index].get_data_slice(*seconds) for index in chosen])

    return LongSignals(
        labels=tuple(edf.signals[index].label for index in chosen),
        units=tuple(edf.signals[index].physical_dimension for index in chosen),
        sampling_rate=float(rate),
        n_samples=(piece.stop - piece.start) * per_record,
        read=read_piece,
        notes=notes,
        acquired=layout.acquired,
    )


def _nothing(n_signals: int) -> Callable[[str, int, int], NDArray[np.float64]]:
    return lambda _path, start, stop: np.zeros((n_signals, stop - start))


@dataclass(frozen=True)
class _Layout:
    """How the data records lie in the file.

    Attributes
    ----------
    header_bytes
        Before the first data record.
    record_samples
        Of one data record, one number a signal, each sample two bytes.
    n_records
        Whole data records.
    record_s
        Length of a data record in seconds.
    timekeeping
        Index of the first annotation signal if the recording may be interrupted, else None.
    acquired
        When the recording began.
    """

    header_bytes: int
    record_samples: tuple[int, ...]
    n_records: int
    record_s: float
    timekeeping: int | None
    acquired: datetime | None


def _layout(path: Path) -> _Layout:
    """Read what the library forgives: a size that is not the header's."""
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(_FIXED_BYTES)
        n_signals = _whole(fixed[252:256], "number of signals")
        if not 0 < n_signals <= MAX_SIGNALS:
            raise RecordingError(
                SkipReason.NO_SIGNALS if n_signals == 0 else SkipReason.TOO_LARGE,
                f"{n_signals} signals, expected 1 to {MAX_SIGNALS}",
            )
        signals = file.read(_SIGNAL_BYTES * n_signals)
    labels = [signals[16 * index :][:16].strip() for index in range(n_signals)]
    counts = signals[216 * n_signals : 224 * n_signals]
    record_samples = tuple(
        _whole(counts[8 * index :][:8], "samples of a data record") for index in range(n_signals)
    )
    header_bytes = _FIXED_BYTES + _SIGNAL_BYTES * n_signals
    if min(record_samples) < 0 or sum(record_samples) == 0:
        raise RecordingError(SkipReason.BAD_HEADER, "data records without samples")
    claimed = _whole(fixed[236:244], "number of data records")
    there = max(0, size - header_bytes) // (2 * sum(record_samples))
    if claimed > there or there == 0:
        raise RecordingError(
            SkipReason.TRUNCATED, f"{there} data records, expected {claimed} by the header"
        )
    try:
        record_s = float(fixed[244:252])
    except ValueError:
        record_s = 0.0
    interrupted = fixed[192:197] == b"EDF+D" and _ANNOTATIONS in labels
    return _Layout(
        header_bytes,
        record_samples,
        # A device that lost power leaves -1; surplus bytes are no data record of the header's.
        there if claimed < 0 else claimed,
        record_s,
        labels.index(_ANNOTATIONS) if interrupted else None,
        from_edf(fixed[168:176], fixed[176:184]),
    )


def _whole(field: bytes, what: str) -> int:
    try:
        return int(field)
    except ValueError as error:
        raise RecordingError(SkipReason.BAD_HEADER, f"the {what} is no whole number") from error


def _longest_piece(layout: _Layout, path: Path) -> tuple[slice, tuple[str, ...]]:
    """Find the longest run of data records without a gap, and say if it is not all of them."""
    if layout.timekeeping is None:
        return slice(0, layout.n_records), ()
    starts = _starts(layout, path)
    gaps = np.flatnonzero(np.abs(np.diff(starts) - layout.record_s) > 0.01 * layout.record_s) + 1
    if not len(gaps):
        return slice(0, layout.n_records), ()
    edges = [0, *gaps.tolist(), layout.n_records]
    lengths = np.diff(edges)
    longest = int(lengths.argmax())
    found = "1 gap" if len(gaps) == 1 else f"{len(gaps)} gaps"
    note = (
        f"{found}: the longest piece is read, {lengths[longest] * layout.record_s:.6g} s "
        f"from second {starts[edges[longest]]:.6g} on"
    )
    return slice(edges[longest], edges[longest + 1]), (note,)


def _starts(layout: _Layout, path: Path) -> NDArray[np.float64]:
    """Give the onset of every data record in seconds: its first time-stamped annotation."""
    record_bytes = 2 * sum(layout.record_samples)
    index = layout.timekeeping or 0
    first = 2 * sum(layout.record_samples[:index])
    starts = np.empty(layout.n_records)
    with path.open("rb") as file:
        for number in range(layout.n_records):
            file.seek(layout.header_bytes + number * record_bytes + first)
            onset = file.read(min(32, 2 * layout.record_samples[index])).partition(b"\x14")[0]
            try:
                starts[number] = float(onset.partition(b"\x15")[0])
            except ValueError as error:
                raise RecordingError(
                    SkipReason.BAD_CONTENT, f"data record {number} does not say when it begins"
                ) from error
    return starts
