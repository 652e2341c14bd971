"""Recordings and rows on their way from one process to another: few objects in place of many.

Python turns every dataclass into bytes field by field, and Dask sends every array as a message of
its own: two small ones a row cost more than all else that a cluster does for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import chain, islice, pairwise, starmap
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgscreen.found import Found
from ecgscreen.results import RecordResult
from ecgscreen.stamp import FileStamp

_NAMES = [field.name for field in fields(RecordResult)]
_FIRST_ARRAY = _NAMES.index("window_starts_s")
_before = attrgetter(*_NAMES[:_FIRST_ARRAY])
_behind = attrgetter(*_NAMES[_NAMES.index("files") + 1 :])
_PLAIN_PATH = type(Path())

PackedFound: TypeAlias = tuple[tuple[Any, ...] | RecordResult, ...]
"""Some recordings, each as its fields, these as plain texts and numbers; rows as they are."""


def pack_found(found: Iterable[Found | RecordResult]) -> PackedFound:
    """Pack recordings, and rows that are finished already, for `unpack_found`."""
    return tuple(each if isinstance(each, RecordResult) else _fields(each) for each in found)


def unpack_found(packed: PackedFound) -> list[Found | RecordResult]:
    """Return the recordings and the rows, in their order."""
    return [each if isinstance(each, RecordResult) else _from_fields(*each) for each in packed]


def _fields(found: Found) -> tuple[Any, ...]:
    path = found.path
    return (
        str(path) if type(path) is _PLAIN_PATH else path,
        found.root,
        found.name,
        found.problem,
        tuple(map(tuple, found.files)),
        found.objects,
    )


def _from_fields(path: Path | str, root: Path, name: str, *others: Any) -> Found:
    problem, files, objects = others
    path = Path(path) if isinstance(path, str) else path
    return Found(path, root, name, problem, tuple(starmap(FileStamp, files)), objects)


@dataclass(frozen=True, slots=True, eq=False)
class PackedRows:
    """Some n rows; made by `pack_rows`, read by `unpack_rows`.

    Attributes
    ----------
    before, behind
        Of each field of `RecordResult` before its arrays, and behind `files`, its n values.
    n_windows
        int64, shape (n,).
    window_starts_s
        float32, shape (sum of n_windows,): a row's behind those of the row before it.
    embeddings
        float16, shape (sum of n_windows, D), likewise.
    n_files
        How many each row has.
    files
        Of each field of `FileStamp` its values, in the order of the rows.
    """

    before: tuple[tuple[Any, ...], ...]
    behind: tuple[tuple[Any, ...], ...]
    n_windows: NDArray[np.int64]
    window_starts_s: NDArray[np.float32]
    embeddings: NDArray[np.float16]
    n_files: list[int]
    files: tuple[tuple[Any, ...], ...]


def pack_rows(rows: Iterable[RecordResult]) -> PackedRows:
    """Pack rows of one model: all that have embeddings have them of one size."""
    rows = tuple(rows)
    with_windows = [row for row in rows if row.n_windows]
    return PackedRows(
        before=_columns(map(_before, rows)),
        behind=_columns(map(_behind, rows)),
        n_windows=np.array([row.n_windows for row in rows], np.int64),
        window_starts_s=np.concatenate(
            [np.empty(0, np.float32), *(row.window_starts_s for row in with_windows)]
        ),
        embeddings=np.concatenate([row.embeddings for row in with_windows])
        if with_windows
        else np.empty((0, 0), np.float16),
        n_files=[len(row.files) for row in rows],
        files=_columns(chain.from_iterable([row.files for row in rows])),
    )


def unpack_rows(packed: PackedRows) -> Iterator[RecordResult]:
    """Yield the rows, in their order. Their arrays are parts of the packed ones."""
    windows = list(pairwise([0, *np.cumsum(packed.n_windows).tolist()]))
    stamps = starmap(FileStamp, zip(*packed.files, strict=True))
    columns: tuple[Iterable[Any], ...] = (
        *packed.before,
        [packed.window_starts_s[first:end] for first, end in windows],
        [packed.embeddings[first:end] for first, end in windows],
        [tuple(islice(stamps, n)) for n in packed.n_files],
        *packed.behind,
    )
    return starmap(RecordResult, zip(*columns, strict=True))


def _columns(rows: Iterable[tuple[Any, ...]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(zip(*rows, strict=True))
