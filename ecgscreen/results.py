"""What a scan knows of one recording: the row that the store keeps and the reports show."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ecgscreen.stamp import FileStamp


class Status(StrEnum):
    """What became of a recording. The text is what the report shows."""

    SCORED = "scored"
    UNUSABLE = "unusable"
    """Read, but its signal carries no result. Never to be taken for "negative"."""
    ERROR = "error"
    """Not a recording that could be read."""
    VANISHED = "vanished"
    """Gone when it was to be read, or no longer in the folder in which an earlier run saw it."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordResult:
    """One recording's row, before any diagnosis is looked at.

    Scores are not part of it: they are computed from `embeddings`, so that another list of
    diagnoses needs no recording to be read again.

    Attributes
    ----------
    path
        The recording's name in the reports: relative to the folder that was scanned. Bytes
        that are no UTF-8 stand as surrogate escapes, as `os.fsdecode` leaves them.
    record_id
        `record_id_of` of the path.
    status
        What became of it.
    reason
        The class of fault, in the words of `SkipReason`; empty when scored.
    detail
        The value found and the value expected; no identifiers.
    quality
        For example ``good`` or ``usable: V3 flat``; empty where the file was not read.
    sampling_rate
        Of the file, in Hz; NaN where unknown.
    duration_s
        Of the file, in seconds; NaN where unknown.
    leads
        The leads that the score rests on, in standard order.
    notes
        What a reader of the report should know, such as an unknown unit.
    window_starts_s
        float32, shape (n_windows,): where each window begins, in seconds.
    embeddings
        float16, shape (n_windows, D): unit vectors. ``n_windows`` is 0 unless scored.
    files
        The files that it consists of, as the scan saw them before it read them: those that
        the walk lists, then those that reading told.
    sha256
        Of what was read, see `ecgscreen.readers.opened`; empty where it could not be read.
    acquired
        When it was recorded, see `ecgscreen.acquired.acquired_text`; empty where unknown.
    window_quality
        Of a long recording, whose windows are judged one by one, a phrase as `quality` for each;
        empty for others, and where it was scored before this was kept.
    """

    path: str
    record_id: str
    status: Status
    reason: str
    detail: str
    quality: str
    sampling_rate: float
    duration_s: float
    leads: tuple[str, ...]
    notes: tuple[str, ...]
    window_starts_s: NDArray[np.float32]
    embeddings: NDArray[np.float16]
    files: tuple[FileStamp, ...] = ()
    sha256: str = ""
    acquired: str = ""
    window_quality: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.window_starts_s.dtype != np.float32 or self.embeddings.dtype != np.float16:
            raise TypeError(
                f"{self.path!r}: window starts are {self.window_starts_s.dtype}, embeddings "
                f"{self.embeddings.dtype}; float32 and float16 are expected"
            )
        if self.embeddings.ndim != 2 or self.window_starts_s.shape != self.embeddings.shape[:1]:
            raise ValueError(
                f"{self.path!r}: window starts of shape {self.window_starts_s.shape} do not go "
                f"with embeddings of shape {self.embeddings.shape}"
            )
        if self.window_quality and len(self.window_quality) != self.n_windows:
            raise ValueError(
                f"{self.path!r}: quality of {len(self.window_quality)} windows, there are "
                f"{self.n_windows}"
            )
        if (self.status is Status.SCORED) != (self.n_windows > 0):
            raise ValueError(f"{self.path!r}: status {self.status} with {self.n_windows} windows")

    @property
    def n_windows(self) -> int:
        """Number of windows that were embedded."""
        return len(self.embeddings)


def not_scored(
    path: str,
    status: Status,
    reason: str,
    detail: str = "",
    files: tuple[FileStamp, ...] = (),
) -> RecordResult:
    """Return the row of a recording of which nothing but the fault is known.

    Parameters
    ----------
    path
        The recording's name in the reports.
    status
        Anything but `Status.SCORED`.
    reason, detail
        The class of fault; the value found and the value expected.
    files
        As `RecordResult` has them.
    """
    return RecordResult(
        path=path,
        record_id=record_id_of(path),
        status=status,
        reason=reason,
        detail=detail,
        quality="",
        sampling_rate=float("nan"),
        duration_s=float("nan"),
        leads=(),
        notes=(),
        window_starts_s=np.empty(0, np.float32),
        embeddings=np.empty((0, 0), np.float16),
        files=files,
    )


def record_id_of(path: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the path's bytes (UTF-8).

    The same path gives the same id in every run; it says nothing of the content.
    """
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:16]


_UNSTORABLE = re.compile("[\ud800-\udfff\0]")


def report_text(text: str) -> str:
    r"""Return `text` as every report can hold it: valid UTF-8 without NUL.

    A byte of a file name that is no UTF-8 becomes ``\xff`` (its value in hexadecimal), NUL
    becomes ``\x00``: HDF5 strings end at NUL, and JSON and CSV readers refuse lone
    surrogates. Everything else, line breaks included, stays as it is.
    """
    # Asking whether it is ASCII takes a tenth of the time of a search.
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub(_spell_out, text)


def printable(text: str) -> str:
    r"""Return `text` on one line, with what could steer a terminal spelled out (``\x1b``)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in report_text(text)
    )


def _spell_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # what os.fsdecode makes of the bytes 0x80 to 0xFF
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
