"""What every reader promises, and the limits that all of them keep."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Protocol

from ecgscreen.objects.errors import ObjectStoreError
from ecgscreen.readers.words import without_strange_words
from ecgscreen.recording import Recording, RecordingError, SkipReason

MAX_SIGNALS = 512
"""Signals of one recording. A body-surface map has about 250."""

MAX_SAMPLES = 1 << 28
"""Samples of one recording, all signals together: 24 h of 12 leads at 250 Hz, 1 GiB."""

MAX_LONG_SAMPLES = 1 << 32
"""Samples of a recording that is read in pieces, all signals together: eight days of twelve leads
at 500 Hz, a file of 8 GiB."""

MAX_UNPACKED_BYTES, MAX_RATIO = 1 << 26, 200
"""Of a compressed file, more than the first is read only if it is at most so many times as large as
in the file."""

MIN_SAMPLING_RATE = 20.0
MAX_SAMPLING_RATE = 100_000.0
"""In Hz. Below the first no QRS complex can be seen, and resampling a "0.001 Hz" file
would multiply its length by 100,000; no recorder goes beyond the second."""

NO_MEMORY = "this machine has not enough memory for it"
"""Of a recording that keeps the limits, and is too large all the same."""

_TOKEN_LENGTH = 24
_TEXT_LENGTH = 300


class Reader(Protocol):
    """Reads the recordings of one family of formats."""

    def __call__(self, path: Path, root: Path) -> Recording:
        """Read one recording.

        Parameters
        ----------
        path
            The file that names the recording.
        root
            The folder given to the scan; nothing outside it is read.

        Returns
        -------
        The recording, with at least one known lead.

        Raises
        ------
        RecordingError
            With the reason, whatever the file holds.
        OSError
            If the file cannot be opened or read.
        """
        ...


def check_sampling_rate(rate: float) -> float:
    """Give the sampling rate back if an ECG can be read at it.

    Raises
    ------
    RecordingError
        BAD_SAMPLING_RATE if it lies outside the limits, or is no number.
    """
    if not MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE:
        raise RecordingError(
            SkipReason.BAD_SAMPLING_RATE,
            f"{rate:.6g} Hz, expected {MIN_SAMPLING_RATE:g} to {MAX_SAMPLING_RATE:g} Hz",
        )
    return rate


def check_size(n_signals: int, n_samples: int) -> None:
    """Check the size of a recording before anything of it is allocated.

    Raises
    ------
    RecordingError
        NO_SIGNALS if there is nothing, TOO_LARGE beyond `MAX_SIGNALS` or `MAX_SAMPLES`.
    """
    if n_signals < 1 or n_samples < 1:
        raise RecordingError(
            SkipReason.NO_SIGNALS, f"{n_signals} x {n_samples} samples, expected some"
        )
    if n_signals > MAX_SIGNALS or n_signals * n_samples > MAX_SAMPLES:
        raise RecordingError(
            SkipReason.TOO_LARGE,
            f"{n_signals} x {n_samples} samples, the limits are {MAX_SIGNALS} signals and "
            f"{MAX_SAMPLES} samples",
        )


def safe_token(text: str | bytes) -> str:
    """Make a token of a file fit for a report: short, printable ASCII, and of nobody.

    Parameters
    ----------
    text
        A number, a unit or a lead name as found; bytes are taken as Latin-1.

    Returns
    -------
    At most 24 characters of it, others than printable ASCII as backslash escapes; words that the
    field does not know as ``***`` (see `ecgscreen.readers.words`).
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    shown = without_strange_words(text[:_TOKEN_LENGTH]).encode("unicode_escape").decode("ascii")
    if len(text) > _TOKEN_LENGTH or len(shown) > _TOKEN_LENGTH:
        return shown[:_TOKEN_LENGTH] + "..."
    return shown


def safe_text(text: str) -> str:
    """Make a sentence from another process fit for a report: printable ASCII, 300 characters."""
    return text[:_TEXT_LENGTH].encode("unicode_escape").decode("ascii")[:_TEXT_LENGTH]


def reason_of(error: OSError) -> tuple[SkipReason, str]:
    """Give the reason and detail for what the operating system said.

    Parameters
    ----------
    error
        From opening or reading the file that names a recording, or a folder.
    """
    if isinstance(error, FileNotFoundError):
        return SkipReason.VANISHED, "it is not there any more"
    if isinstance(error, PermissionError):
        return SkipReason.NO_PERMISSION, "reading it is not permitted"
    if isinstance(error, ObjectStoreError):
        return SkipReason.READ_ERROR, str(error)
    if error.errno == errno.ELOOP:
        return SkipReason.NOT_A_FILE, "it is a loop of symbolic links"
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    return SkipReason.READ_ERROR, f"the operating system says {name}"
