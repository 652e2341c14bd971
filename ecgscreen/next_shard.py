"""The rows that go into one shard of a run store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from ecgscreen.shards import StoredRow

SHARD_RECORDS = 1_000
SHARD_SECONDS = 60.0
SHARD_WINDOWS = 16_384
"""Bounds a shard of long recordings: 4 MB of embeddings with D = 128."""


class NextShard:
    """Rows until they are a shard: 1,000 of them, or 16,384 windows, or 60 s after the first.

    Parameters
    ----------
    clock
        Seconds.

    Attributes
    ----------
    rows
        What was added since the last `clear`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.rows: list[StoredRow] = []
        self._n_windows = 0
        self._since = 0.0
        self._clock = clock

    def add(self, row: StoredRow) -> bool:
        """Take a row, and say whether that makes the shard a full one."""
        now = self._clock()
        if not self.rows:
            self._since = now
        self.rows.append(row)
        self._n_windows += row.result.n_windows
        return (
            len(self.rows) >= SHARD_RECORDS
            or self._n_windows >= SHARD_WINDOWS
            or now - self._since >= SHARD_SECONDS
        )

    def clear(self) -> None:
        """Begin the next one."""
        self.rows = []
        self._n_windows = 0


def in_shards(rows: Iterable[StoredRow]) -> Iterator[list[StoredRow]]:
    """Cut rows into what goes into a shard, however long it takes."""
    shard = NextShard(clock=lambda: 0.0)
    for row in rows:
        if shard.add(row):
            yield shard.rows
            shard.clear()
    if shard.rows:
        yield shard.rows
