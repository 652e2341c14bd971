"""Taking back the room of a run store's rows that do not count, and joining small shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ecgscreen.manifest import ShardEntry
from ecgscreen.next_shard import in_shards
from ecgscreen.row_index import RowIndex
from ecgscreen.shards import RowColumns, StoredRow, columns_of
from ecgscreen.stored_rows import StoredRows

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


def rewritten(
    stored: StoredRows,
    shards: tuple[ShardEntry, ...],
    write_shard: Callable[[list[StoredRow], RowColumns, int], ShardEntry],
) -> tuple[ShardEntry, ...]:
    """Write again what is worth it; the shards that it is taken from stay where they are.

    Parameters
    ----------
    stored
        All rows.
    shards
        That hold them.
    write_shard
        Writes one of some rows, given its number.

    Returns
    -------
    The shards that count from now on: `shards` themselves if nothing is worth it.
    """
    worth = worth_rewriting(stored.index, shards)
    if not worth:
        return shards
    kept = [entry for number, entry in enumerate(shards) if number not in worth]
    first_rows, live = stored.index.first_rows, stored.index.live
    shard_of = np.searchsorted(first_rows, live, "right") - 1
    rows = stored.iter_rows(live[np.isin(shard_of, list(worth))])
    # Rows that count have no later ones of their path: behind the others, they still count.
    written = [
        write_shard(part, columns_of(part), len(shards) + number)
        for number, part in enumerate(in_shards(rows))
    ]
    return (*kept, *written)
