"""Taking back the room of a run store's rows that do not count, and joining small shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ecgscreen.manifest import ShardEntry
from ecgscreen.row_index import RowIndex
from ecgscreen.shards import StoredRow

MOST_SMALL_SHARDS = 32
"""More of them are joined: a year of quiet nights is not hundreds of files."""
SMALL_BYTES = 1 << 18
"""A quarter of what a full shard of short recordings takes, a tenth of one of long ones."""
DEAD_SHARE = 0.2
"""Rows that do not count, as a share of all: from here on all of their room is taken back."""


def worth_rewriting(index: RowIndex, shards: Sequence[ShardEntry]) -> frozenset[int]:
    """Say which shards are to be written again, with nothing but the rows that count.

    A shard of which no row counts always is. If a path was taken out, every shard with a row that
    does not count is: nothing is to be left of it.

    Parameters
    ----------
    index
        Of all rows.
    shards
        As the index has them.

    Returns
    -------
    Their places in `shards`.
    """
    n_live = np.diff(np.searchsorted(index.live, index.first_rows))
    n_dead = np.diff(index.first_rows) - n_live
    worth = n_live == 0
    if index.n_removals or n_dead.sum() > DEAD_SHARE * index.n_rows:
        worth |= n_dead > 0
    small = np.array([entry.size < SMALL_BYTES for entry in shards], np.bool_)
    if np.count_nonzero(small) > MOST_SMALL_SHARDS:
        worth |= small
    return frozenset(np.flatnonzero(worth).tolist())


def in_shards(
    rows: Iterable[StoredRow], most_records: int, most_windows: int
) -> Iterator[list[StoredRow]]:
    """Cut rows into what goes into a shard."""
    shard: list[StoredRow] = []
    n_windows = 0
    for row in rows:
        shard.append(row)
        n_windows += row.result.n_windows
        if len(shard) >= most_records or n_windows >= most_windows:
            yield shard
            shard, n_windows = [], 0
    if shard:
        yield shard
