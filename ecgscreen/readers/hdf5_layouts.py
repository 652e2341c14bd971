"""HDF5 as two public data sets lay it out: a file a recording (SPH), or thousands (CODE-15 %).

SPH: Liu et al., Scientific Data 9:272, 2022; a data set ``ecg`` of 12 rows in mV at 500 Hz.
CODE-15 %: Ribeiro et al., doi 10.5281/zenodo.4916206; ``tracings`` of (exams, 4096, 12) at
400 Hz, filled up with zeros on both sides, and ``exam_id``. Neither says rate, leads or unit in the
file: they are the data sets' descriptions. Runs behind `ecgscreen.readers.limited`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ecgscreen.readers.base import MAX_RATIO, MAX_UNPACKED_BYTES, check_size
from ecgscreen.readers.signals import Signals, without_fillers
from ecgscreen.recording import LEADS, RecordingError, SkipReason

if TYPE_CHECKING:
    import h5py

_SPH, _SPH_RATE = "ecg", 500.0
_CODE, _CODE_IDS, _CODE_RATE = "tracings", "exam_id", 400.0

MAX_MEMBERS = 1_000_000
MAX_CHUNK_BYTES = 1 << 28

_FILTERS = frozenset({1, 2, 3, 6, 32000})
"""Deflate, shuffle, Fletcher's checksum, scale-offset, LZF: what h5py itself brings along."""


def members(path: str) -> list[str]:
    """Name the recordings of a file: an empty name for the only one in the layout of SPH.

    Those in the layout of CODE-15 % are named by their exam_id, or by their row from 0 where the
    ids do not tell them apart. A file of any other layout, a report of ours for one, has none.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    RecordingError
        TOO_LARGE, UNSUPPORTED.
    """
    with _opened(path) as file:
        if _CODE not in file:
            return [""] if _SPH in file else []
        return [str(number) for number in _names(file, _dataset(file, _CODE, 3).shape[0])]


def read(path: str, member: str = "") -> Signals:
    """Read the recording of a file, or one of its members.

    Parameters
    ----------
    path
        The file.
    member
        One of `members`; empty for a file of one recording.

    Raises
    ------
    RecordingError
        UNSUPPORTED for another layout or what leads to other files; TOO_LARGE; VANISHED if there
        is no such member any more.
    """
    with _opened(path) as file:
        if member:
            return _read_code(file, member)
        if _SPH not in file:
            if _CODE in file:  # whose members could not be named, which says why
                _names(file, _dataset(file, _CODE, 3).shape[0])
            raise RecordingError(
                SkipReason.UNSUPPORTED,
                f"HDF5 of an unknown layout, expected a data set '{_SPH}' (SPH) or '{_CODE}' "
                "(CODE-15 %)",
            )
        dataset = _dataset(file, _SPH, 2)
        if dataset.shape[0] != len(LEADS):
            raise RecordingError(
                SkipReason.UNSUPPORTED,
                f"'{_SPH}' has {dataset.shape[0]} rows, expected {len(LEADS)} leads",
            )
        check_size(*dataset.shape)
        return Signals(
            LEADS,
            ("mV",) * len(LEADS),
            _SPH_RATE,
            dataset[:],
            (f"layout of SPH: {_SPH_RATE:g} Hz, mV and the order of the leads are assumed",),
        )


@contextmanager
def _opened(path: str) -> Iterator[h5py.File]:
    import h5py

    # HDF5 looks for the name behind a link, and what was fetched of object storage has none.
    with (
        nullcontext(path) if Path(path).resolve().exists() else Path(path).open("rb") as source,
        h5py.File(source, "r") as file,
    ):
        yield file


def _read_code(file: h5py.File, member: str) -> Signals:
    tracings = _dataset(file, _CODE, 3)
    n_exams, n_samples, n_leads = tracings.shape
    if n_leads != len(LEADS):
        raise RecordingError(
            SkipReason.UNSUPPORTED, f"'{_CODE}' has {n_leads} leads, expected {len(LEADS)}"
        )
    check_size(n_leads, n_samples)
    rows = [row for row, name in enumerate(_names(file, n_exams)) if str(name) == member]
    if not rows:
        raise RecordingError(SkipReason.VANISHED, "the file holds no such recording any more")
    values = np.ascontiguousarray(tracings[rows[0]].T, dtype=np.float64)
    values, _, _ = without_fillers(values, _CODE_RATE)
    return Signals(
        LEADS,
        ("",) * len(LEADS),
        _CODE_RATE,
        values,
        (f"layout of CODE-15 %: {_CODE_RATE:g} Hz and the order of the leads are assumed",),
    )


def _names(file: h5py.File, n_exams: int) -> list[int]:
    if n_exams > MAX_MEMBERS:
        raise RecordingError(
            SkipReason.TOO_LARGE, f"{n_exams} recordings, the limit is {MAX_MEMBERS} a file"
        )
    if _CODE_IDS in file:
        ids = _dataset(file, _CODE_IDS, 1)
        if ids.dtype.kind in "iu" and ids.shape == (n_exams,):
            names: list[int] = ids[:].tolist()
            if len(set(names)) == n_exams:
                return names
    return list(range(n_exams))


def _dataset(file: h5py.File, name: str, n_dimensions: int) -> h5py.Dataset:
    """Give a data set of numbers that lies in this file, and is as small as it says."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise _refused(f"'{name}' is a link, expected a data set in this file")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise _refused(f"'{name}' is no data set")
    if dataset.is_virtual or dataset.external is not None:
        raise _refused(f"'{name}' keeps its samples in other files")
    if dataset.dtype.kind not in "iuf" or dataset.ndim != n_dimensions:
        raise _refused(
            f"'{name}' is of type {dataset.dtype.kind} and {dataset.ndim} dimensions, expected "
            f"numbers in {n_dimensions}"
        )
    chunk_bytes = math.prod(dataset.chunks or (1,)) * dataset.dtype.itemsize
    if chunk_bytes > MAX_CHUNK_BYTES:
        raise RecordingError(
            SkipReason.TOO_LARGE, f"chunks of {chunk_bytes} bytes, the limit is {MAX_CHUNK_BYTES}"
        )
    stored = max(dataset.id.get_storage_size(), 1)
    if dataset.nbytes > max(MAX_UNPACKED_BYTES, MAX_RATIO * stored):
        raise RecordingError(
            SkipReason.TOO_LARGE, f"{dataset.nbytes} bytes out of {stored} in the file"
        )
    creation = dataset.id.get_create_plist()
    filters = {creation.get_filter(index)[0] for index in range(creation.get_nfilters())}
    if filters - _FILTERS:
        raise _refused(f"'{name}' is compressed with a filter that is not read")
    return dataset


def _refused(detail: str) -> RecordingError:
    return RecordingError(SkipReason.UNSUPPORTED, detail)
