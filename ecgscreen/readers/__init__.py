"""Readers: WFDB and tables by their suffix, all else by content; a file a format family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from ecgscreen.objects.address import is_object
from ecgscreen.objects.held import HeldObjects, holding
from ecgscreen.readers.archives import archived, unpacked
from ecgscreen.readers.base import NO_MEMORY, Reader, reason_of
from ecgscreen.readers.by_content import read_by_content
from ecgscreen.readers.tables import TABLE_SUFFIXES, read_table
from ecgscreen.readers.wfdb_record import read_wfdb
from ecgscreen.recording import Recording, RecordingError, SkippedRecording, SkipReason

READERS: Mapping[str, Reader] = MappingProxyType(
    {".hea": read_wfdb, **dict.fromkeys(TABLE_SUFFIXES, read_table)}
)
"""Suffix of the file that names a recording -> its reader; all others are told by content."""


def read_recording(path: Path, root: Path | None = None) -> Recording | SkippedRecording:
    """Read one recording, or say why it cannot be read.

    Parameters
    ----------
    path
        The file that names the recording: a WFDB header, a table with a side-car, or a file of
        any other format (see `ecgscreen.readers.formats`); ``file/member`` for one of several
        that a file holds.
    root
        The folder given to the scan; nothing outside it is read, and symbolic links that
        leave it are refused. Default: the file's own folder.

    Returns
    -------
    The recording (signal float32, shape (n_leads, n_samples), mV), or the reason why there is
    none. No content of a file raises an exception.
    """
    if is_object(path) and holding() is None:
        with HeldObjects(path.parent if root is None else root):
            return read_recording(path, root)
    reader = READERS.get(path.suffix.casefold(), read_by_content)
    try:
        if (place := archived(path)) is not None:
            return _read_archived(path, *place, root)
        return reader(path, _folder_of(path) if root is None else root)
    except RecordingError as error:
        return SkippedRecording(path, error.reason, error.detail)
    except OSError as error:
        return SkippedRecording(path, *reason_of(error))
    except MemoryError:
        return SkippedRecording(path, SkipReason.TOO_LARGE, NO_MEMORY)


def _folder_of(path: Path) -> Path:
    text = str(path)
    return _folder(text[: text.rfind("/") + 1])


@lru_cache(maxsize=64)
def _folder(text: str) -> Path:
    """Cached: of `Path.parent` the text would be made anew for every recording."""
    return Path(text)


def _read_archived(
    path: Path, archive: Path, name: str, root: Path | None
) -> Recording | SkippedRecording:
    outside = root is None or root.is_relative_to(archive)
    with unpacked(archive, name, archive.parent if outside or root is None else root) as inside:
        return replace(read_recording(*inside), path=path)
