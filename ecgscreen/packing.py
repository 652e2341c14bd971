"""Recordings and rows on their way from one process to another: few objects in place of many.

Python turns every dataclass into bytes field by field, and Dask sends every array as a message of
its own: two small ones a row cost more than all else that a cluster does for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgscreen.found import Found
from ecgscreen.results import RecordResult

_NAMES = [field.name for field in fields(RecordResult)]
_FIRST_ARRAY = _NAMES.index("window_starts_s")
_before = attrgetter(*_NAMES[:_FIRST_ARRAY])
_behind = attrgetter(*_NAMES[_FIRST_ARRAY + 2 :])
_found = attrgetter(*(field.name for field in fields(Found)))

PackedFound: TypeAlias = tuple[tuple[Any, ...], ...]
"""Some recordings, each as its fields."""


def pack_found(found: Iterable[Found]) -> PackedFound:
    """Pack recordings, for `unpack_found`."""
    return tuple(map(_found, found))


def unpack_found(packed: PackedFound) -> list[Found]:
    """Return the recordings, in their order."""
    return [Found(*each) for each in packed]


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
