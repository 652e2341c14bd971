"""Recordings and rows on their way from one process to another: few objects in place of many.

Python turns every dataclass into bytes field by field, and Dask sends every array as a message of
its own: two small ones a row cost more than all else that a cluster does for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
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
_behind = attrgetter(*_NAMES[_FIRST_ARRAY + 2 :])
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
    return Found(path, root, name, problem, tuple(map(FileStamp._make, files)), objects)


@dataclass(frozen=True, slots=True, eq=False)
class PackedRows:
    """Some n rows; made by `pack_rows`, read by `unpack_rows`.

    Attributes
    ----------
    before, behind
        Of each row, the fields of `RecordResult` before and behind its arrays.
    n_windows
        int64, shape (n,).
    window_starts_s
        float32, shape (sum of n_windows,): a row's behind those of the row before it.
    embeddings
        float16, shape (sum of n_windows, D), likewise.
    """

    before: tuple[tuple[Any, ...], ...]
    behind: tuple[tuple[Any, ...], ...]
    n_windows: NDArray[np.int64]
    window_starts_s: NDArray[np.float32]
    embeddings: NDArray[np.float16]


def pack_rows(rows: Iterable[RecordResult]) -> PackedRows:
    """Pack rows of one model: all that have embeddings have them of one size."""
    rows = tuple(rows)
    with_windows = [row for row in rows if row.n_windows]
    return PackedRows(
        before=tuple(map(_before, rows)),
        behind=tuple(map(_behind, rows)),
        n_windows=np.array([row.n_windows for row in rows], np.int64),
        window_starts_s=np.concatenate(
            [np.empty(0, np.float32), *(row.window_starts_s for row in with_windows)]
        ),
        embeddings=np.concatenate([row.embeddings for row in with_windows])
        if with_windows
        else np.empty((0, 0), np.float16),
    )


def unpack_rows(packed: PackedRows) -> Iterator[RecordResult]:
    """Yield the rows, in their order. Their arrays are parts of the packed ones."""
    ends: list[int] = np.cumsum(packed.n_windows).tolist()
    each = zip(packed.before, packed.behind, pairwise([0, *ends]), strict=True)
    for before, behind, (first, end) in each:
        starts_s, embeddings = packed.window_starts_s[first:end], packed.embeddings[first:end]
        row: tuple[Any, ...] = (*before, starts_s, embeddings, *behind)
        yield RecordResult(*row)
