"""DICOM waveforms: 12-lead, General and Ambulatory ECG, through ``pydicom``.

DICOM PS3.3, C.10.9 "Waveform Module". Of the data set only the waveform, the time of its
acquisition and, for a note, the age are parsed: names and other dates are never looked at. Runs
behind `ecgscreen.readers.limited`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.acquired import from_dicom
from ecgscreen.leads import standard_lead_name
from ecgscreen.readers.age import age_notes, dicom_age
from ecgscreen.readers.base import check_sampling_rate, check_size, safe_token
from ecgscreen.readers.signals import Signals
from ecgscreen.recording import RecordingError, SkipReason

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_ECG_STORAGE = "1.2.840.10008.5.1.4.1.1.9.1."
"""12-lead (1), General (2), Ambulatory (3), General 32-bit ECG (4) Waveform Storage."""

_TAGS = ["SOPClassUID", "WaveformSequence", "AcquisitionDateTime", "PatientAge"]

_SAMPLE_TYPES = {
    ("SB", 8): "i1",
    ("UB", 8): "u1",
    ("SS", 16): "i2",
    ("US", 16): "u2",
    ("SL", 32): "i4",
    ("UL", 32): "u4",
}
"""Sample interpretation, bits allocated -> numpy type; PS3.3, C.10.9.1.5."""

_LEAD_CODES = {
    "1": "I",
    "2": "II",
    "61": "III",
    "62": "aVR",
    "63": "aVL",
    "64": "aVF",
    **{str(code): f"V{code - 2}" for code in range(3, 9)},
}
"""Of SCP-ECG ("5.6.3-9-1", PS3.16, CID 3001) and of MDC ("2:1", ISO/IEEE 11073-10101)."""

_LEAD_CODE = re.compile(r"(?:5\.6\.3-9-|2:)(\d{1,5})")
_UID = re.compile(r"[0-9.]{1,64}")
_NOT_RHYTHM = re.compile(r"median|average|template|representative", re.IGNORECASE)


def read(path: str, member: str = "") -> Signals:  # noqa: ARG001 - one recording a file
    """Read the rhythm of a DICOM ECG, not its median beat.

    Parameters
    ----------
    path
        The file.
    member
        Not used.

    Raises
    ------
    RecordingError
        UNSUPPORTED for a data set that is no ECG, NO_SIGNALS, TRUNCATED, BAD_CONTENT, TOO_LARGE,
        BAD_SAMPLING_RATE.
    """
    from pydicom import dcmread
    from pydicom.errors import BytesLengthException, InvalidDicomError

    try:
        dataset = dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        storage = str(dataset.get("SOPClassUID", ""))
        if not storage.startswith(_ECG_STORAGE):
            raise RecordingError(
                SkipReason.UNSUPPORTED,
                f"a DICOM object of class {_class(storage)}, expected an ECG "
                f"({_ECG_STORAGE}1 to 4)",
            )
        groups = list(dataset.get("WaveformSequence") or ())
        group = _rhythm(groups)
        signals = _signals(group, little_endian=dataset.original_encoding[1] is not False)
        acquired = from_dicom(_text(dataset, "AcquisitionDateTime"))
    except (InvalidDicomError, BytesLengthException) as error:
        raise RecordingError(
            SkipReason.BAD_CONTENT, f"pydicom refused it ({type(error).__name__})"
        ) from error
    notes = age_notes(dicom_age(_text(dataset, "PatientAge")))
    return replace(signals, acquired=acquired, notes=notes)


def _class(storage: str) -> str:
    """A class is a number with dots (PS3.5, 9); what else stands there is not repeated."""
    return storage if _UID.fullmatch(storage) else "(none)"


def _rhythm(groups: list[Dataset]) -> Dataset:
    """Choose the multiplex group that holds the rhythm: the longest one as it was recorded."""
    usable = [group for group in groups if not _NOT_RHYTHM.search(_text(group, _LABEL))]
    if not usable:
        raise RecordingError(
            SkipReason.NO_SIGNALS,
            f"{len(groups)} waveform groups, expected one that is no median beat",
        )
    return max(usable, key=_preference)


_LABEL = "MultiplexGroupLabel"


def _preference(group: Dataset) -> tuple[bool, int, float]:
    known = {standard_lead_name(_lead_label(channel)) for channel in _channels(group)} - {None}
    rate = _number(group, "SamplingFrequency")
    duration_s = _number(group, "NumberOfWaveformSamples") / rate if rate > 0 else 0.0
    return _text(group, "WaveformOriginality") != "DERIVED", len(known), duration_s


def _signals(group: Dataset, *, little_endian: bool) -> Signals:
    channels = _channels(group)
    n_samples = int(_number(group, "NumberOfWaveformSamples"))
    if int(_number(group, "NumberOfWaveformChannels")) != len(channels):
        raise RecordingError(
            SkipReason.BAD_CONTENT, "the channels defined are not as many as those announced"
        )
    check_size(len(channels), n_samples)
    stored = _stored(group, len(channels), n_samples, little_endian=little_endian)
    values = stored.T.astype(np.float64)
    for row, channel in zip(values, channels, strict=True):
        _to_physical(row, channel)
    padding = group.get("WaveformPaddingValue")
    if isinstance(padding, bytes) and len(padding) >= stored.itemsize:
        invalid = np.frombuffer(padding, stored.dtype, 1)[0]
        values[np.equal(stored.T, invalid)] = np.nan
    return Signals(
        labels=tuple(_lead_label(channel) for channel in channels),
        units=tuple(_unit(channel) for channel in channels),
        sampling_rate=check_sampling_rate(_number(group, "SamplingFrequency")),
        values=values,
    )


def _stored(
    group: Dataset, n_channels: int, n_samples: int, *, little_endian: bool
) -> NDArray[np.integer[Any]]:
    """Give the samples as they are stored, shape (n_samples, n_channels)."""
    interpretation = _text(group, "WaveformSampleInterpretation")
    bits = int(_number(group, "WaveformBitsAllocated"))
    sample_type = _SAMPLE_TYPES.get((interpretation, bits))
    if sample_type is None:
        known = ", ".join(f"{kind} {size}" for kind, size in _SAMPLE_TYPES)
        raise RecordingError(
            SkipReason.UNSUPPORTED,
            f"samples of kind {safe_token(interpretation)} with {bits} bits, "
            f"expected one of {known}",
        )
    # pydicom swaps the bytes of the elements that it knows; waveforms stay as they are stored.
    dtype = np.dtype(("<" if little_endian else ">") + sample_type)
    content = group.get("WaveformData")
    expected = n_channels * n_samples * dtype.itemsize
    n_bytes = len(content) if isinstance(content, bytes) else 0
    if n_bytes < expected:
        raise RecordingError(
            SkipReason.TRUNCATED, f"{n_bytes} bytes of samples, expected {expected}"
        )
    stored = np.frombuffer(content, dtype, n_channels * n_samples)
    return stored.reshape(n_samples, n_channels)


def _to_physical(row: NDArray[np.float64], channel: Dataset) -> None:
    """Apply sensitivity, its correction factor and the baseline; PS3.3, C.10.9.1.4.1."""
    if "ChannelSensitivity" not in channel:
        return
    sensitivity = _number(channel, "ChannelSensitivity")
    factor = sensitivity * _number(channel, "ChannelSensitivityCorrectionFactor", 1.0)
    if not 0 < abs(factor) < np.inf:
        raise RecordingError(
            SkipReason.BAD_GAIN, f"a channel sensitivity of {factor:g}, expected another than 0"
        )
    row *= factor
    row += _number(channel, "ChannelBaseline", 0.0)


def _channels(group: Dataset) -> list[Dataset]:
    return list(group.get("ChannelDefinitionSequence") or ())


def _lead_label(channel: Dataset) -> str:
    """Name the lead by its code, else by the words beside it."""
    for source in channel.get("ChannelSourceSequence") or ():
        code = _LEAD_CODE.fullmatch(_text(source, "CodeValue"))
        if code is not None and code[1] in _LEAD_CODES:
            return _LEAD_CODES[code[1]]
        # Some devices add a name in brackets: Lead I (Einthoven).
        meaning = _text(source, "CodeMeaning").partition("(")[0].strip()
        if meaning:
            return meaning
    return _text(channel, "ChannelLabel")


def _unit(channel: Dataset) -> str:
    for unit in channel.get("ChannelSensitivityUnitsSequence") or ():
        return _text(unit, "CodeValue")
    return ""


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def _number(dataset: Dataset, keyword: str, default: float = float("nan")) -> float:
    value = dataset.get(keyword)
    try:
        number = default if value is None else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number):
        raise RecordingError(SkipReason.BAD_CONTENT, f"{keyword} is no number")
    return number
