"""Which rows of a run store count, and finding one by its path, without a path in memory.

Of 2,000,000 rows it holds about 50 bytes each: a dictionary of their paths would take 300.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ecgscreen.results import Status
from ecgscreen.shards import REMOVED, STATES, RowColumns
from ecgscreen.stamp import path_key

_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class IndexedRow:
    """What is known of a row without reading its shard.

    Attributes
    ----------
    number
        Among all rows of the store.
    stamp
        `ecgscreen.stamp.stamp_digest` of its files.
    status
        What became of it.
    unlisted
        Names of those of its files that the walk does not list.
    """

    number: int
    stamp: bytes
    status: Status
    unlisted: tuple[str, ...]


class RowIndex:
    """The rows of a store: the latest of each path counts, unless it is a removal.

    Parameters
    ----------
    shards
        Of all shards, in the order in which they were written.

    Attributes
    ----------
    first_rows
        int64, shape (n_shards + 1,): the number of each shard's first row, and of all rows.
    live
        intp, ascending: the rows that count.
    """

    def __init__(self, shards: Sequence[RowColumns]) -> None:
        self.first_rows = np.cumsum([0, *(len(shard.state) for shard in shards)])
        self._state = _joined([shard.state for shard in shards], np.empty(0, np.uint8))
        self._stamp = _joined([shard.stamp for shard in shards], np.empty((0, 16), np.uint8))
        self._run = _joined([shard.run for shard in shards], np.empty(0, np.int32))
        firsts = zip(self.first_rows, shards, strict=False)
        rows = [first + shard.unlisted_rows for first, shard in firsts]
        self._unlisted_rows = _joined(rows, np.empty(0, np.int64))
        names = np.empty(0, np.dtypes.StringDType())
        self._unlisted = np.concatenate([names, *(shard.unlisted for shard in shards)])
        keys = _joined([shard.key for shard in shards], np.empty((0, 16), np.uint8))
        halves = np.ascontiguousarray(keys).view(">u8")
        # Stable: rows of one path stay in the order in which they were written.
        order = np.lexsort((halves[:, 1], halves[:, 0]))
        ordered = halves[order]
        is_last = np.ones(len(order), np.bool_)
        is_last[:-1] = (ordered[1:] != ordered[:-1]).any(axis=1)
        is_last &= self._state[order] != REMOVED
        self._rows = order[is_last]
        self._first_half = ordered[is_last, 0].astype(np.uint64)
        self._second_half = ordered[is_last, 1].astype(np.uint64)
        self.live = np.sort(self._rows)

    def __len__(self) -> int:
        return len(self.live)

    @property
    def n_rows(self) -> int:
        """All rows, those included that do not count."""
        return int(self.first_rows[-1])

    @property
    def n_removals(self) -> int:
        """Rows that take a path out of the store."""
        return int(np.count_nonzero(self._state == REMOVED))

    def find(self, path: str) -> IndexedRow | None:
        """Find the row that counts for a path."""
        if not len(self._rows):  # a first run asks for every recording
            return None
        key = path_key(path)
        first, second = np.frombuffer(key, ">u8").astype(np.uint64)
        place = int(np.searchsorted(self._first_half, first))
        while place < len(self._rows) and self._first_half[place] == first:
            if self._second_half[place] == second:
                row = int(self._rows[place])
                return IndexedRow(
                    number=row,
                    stamp=self._stamp[row].tobytes(),
                    status=STATES[self._state[row]],
                    unlisted=self._names_unlisted(row),
                )
            place += 1
        return None

    def _names_unlisted(self, row: int) -> tuple[str, ...]:
        place = int(np.searchsorted(self._unlisted_rows, row))
        if place == len(self._unlisted_rows) or self._unlisted_rows[place] != row:
            return ()
        return tuple(json.loads(str(self._unlisted[place])))

    def status(self, status: Status) -> NDArray[np.bool_]:
        """Bool, shape (n_rows,): which rows have a status."""
        is_so: NDArray[np.bool_] = self._state == STATES.index(status)
        return is_so

    @property
    def runs(self) -> NDArray[np.int32]:
        """int32, shape (n_rows,): the number of the run that made each row."""
        return self._run


def _joined(parts: Sequence[NDArray[_T]], empty: NDArray[_T]) -> NDArray[_T]:
    return np.concatenate([empty, *parts])
