"""A recording as every later step sees it, and why one may be skipped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The twelve standard leads in the order of the encoder's input (IEC 60601-2-25 names)."""


class SkipReason(StrEnum):
    """Why a recording has no score. The text is what the report shows."""

    NOT_A_FILE = "not a regular file"
    OUTSIDE_FOLDER = "points outside the folder"
    NO_PERMISSION = "no permission to read"
    READ_ERROR = "could not be read"
    VANISHED = "vanished during the run"
    GONE = "no longer in the folder"
    NO_HEADER = "signal file without header"
    NO_SIGNAL_FILE = "signal file missing"
    BAD_HEADER = "header not understood"
    NO_SIGNALS = "header without signals"
    TRUNCATED = "signal file truncated"
    TOO_LARGE = "larger than the limits"
    BAD_SAMPLING_RATE = "sampling rate not usable"
    BAD_GAIN = "gain not usable"
    BAD_AMPLITUDE = "amplitude not physiological"
    BAD_CONTENT = "content not understood"
    UNSUPPORTED = "format not supported"
    MISSING_PACKAGE = "a package is not installed"
    TOOK_TOO_LONG = "took too long to read"
    NO_KNOWN_LEAD = "no known lead"
    TOO_SHORT = "too short"
    NO_USABLE_LEAD = "no usable lead"
    NO_EMBEDDING = "the encoder gave no finite result"
    WORKER_DIED = "the process that read it died"


PASSING = frozenset({SkipReason.NO_PERMISSION, SkipReason.READ_ERROR, SkipReason.MISSING_PACKAGE})
"""What lies with the machine, not with the recording: the next run tries these again, since
nothing that could be seen of the files changes when it has passed."""


@dataclass(frozen=True)
class Recording:
    """One ECG recording, whatever file it came from.

    Attributes
    ----------
    path
        The file that names the recording (a WFDB header, for one).
    signal
        float32, shape (n_leads, n_samples), in mV; NaN where the file marks samples as
        invalid. Where `amplitude_known` is false the scale is arbitrary.
    sampling_rate
        In Hz, the same for all leads.
    lead_names
        One name a row of `signal`, from `LEADS`, no name twice, in the order of the file.
    amplitude_known
        False if the file's unit is no voltage (unit ``NU`` or an unknown one): voltage
        criteria mean nothing then.
    notes
        What a reader of the report should know: leads left out, unit unknown.
        Never header comments: they may identify a patient.
    acquired
        When the recording began, by the clock of the device, as far as the format has a field for
        that; with an offset only where the file has one. Never any other date.
    """

    path: Path
    signal: NDArray[np.float32]
    sampling_rate: float
    lead_names: tuple[str, ...]
    amplitude_known: bool = True
    notes: tuple[str, ...] = ()
    acquired: datetime | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return int(self.signal.shape[1]) / self.sampling_rate


def signal_fingerprint(recording: Recording) -> str:
    """32 hexadecimal digits that tell a signal, and nothing else of its file.

    The first half of the SHA-256 of the leads in standard order, the rate and the samples.
    Neither a name nor a date goes in, so that a copy under another name has the same; who does not
    have the recording cannot tell it from these digits.
    """
    digest = hashlib.sha256(f"{recording.sampling_rate!r}".encode())
    for lead in LEADS:
        if lead in recording.lead_names:
            samples = recording.signal[recording.lead_names.index(lead)]
            digest.update(lead.encode())
            digest.update(np.ascontiguousarray(samples, dtype="<f4").tobytes())
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class SkippedRecording:
    """A recording that could not be read; a row of the report, never a crash.

    Attributes
    ----------
    path
        The file that names the recording.
    reason
        The class of fault.
    detail
        The value found and the value expected; no identifiers, no header comments.
    """

    path: Path
    reason: SkipReason
    detail: str


class RecordingError(Exception):
    """Raised inside readers; `read_recording` turns it into a `SkippedRecording`."""

    def __init__(self, reason: SkipReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
