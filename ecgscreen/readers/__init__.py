"""Readers: one explicit table from suffix to reader, one file per format family."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ecgscreen.readers.base import Reader, reason_of
from ecgscreen.readers.wfdb_record import read_wfdb
from ecgscreen.recording import Recording, RecordingError, SkippedRecording, SkipReason

READERS: Mapping[str, Reader] = MappingProxyType({".hea": read_wfdb})
"""Suffix of the file that names a recording -> its reader."""


def read_recording(path: Path, root: Path | None = None) -> Recording | SkippedRecording:
    """Read one recording, or say why it cannot be read.

    Parameters
    ----------
    path
        The file that names the recording: a WFDB header.
    root
        The folder given to the scan; nothing outside it is read, and symbolic links that
        leave it are refused. Default: the file's own folder.

    Returns
    -------
    The recording (signal float32, shape (n_leads, n_samples), mV), or the reason why there is
    none. No content of a file raises an exception.
    """
    reader = READERS.get(path.suffix.casefold())
    if reader is None:
        return SkippedRecording(
            path, SkipReason.UNSUPPORTED, f"expected a file ending in {', '.join(READERS)}"
        )
    try:
        return reader(path, path.parent if root is None else root)
    except RecordingError as error:
        return SkippedRecording(path, error.reason, error.detail)
    except OSError as error:
        return SkippedRecording(path, *reason_of(error))
    except MemoryError:
        return SkippedRecording(
            path, SkipReason.TOO_LARGE, "this machine has not enough memory for it"
        )
