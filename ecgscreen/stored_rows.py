"""Reading a run store: rows that count, one shard in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import StoreError
from ecgscreen.manifest import Manifest, read_checked
from ecgscreen.publish import JsonValue
from ecgscreen.results import RecordResult, report_text
from ecgscreen.row_index import RowIndex
from ecgscreen.shards import RowColumns, StoredRow
from ecgscreen.stored_shard import read_shard

BLOCK_RECORDS = 4_096
BLOCK_WINDOWS = 16_384
"""Bounds a block of `StoredRows.iter_sorted`: 4 MB of embeddings with D = 128."""


class StoredRows:
    """The rows that a manifest accounts for, read in bounded memory.

    Attributes
    ----------
    folder
        Where the store lies.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self._manifest = manifest
        self._columns: list[RowColumns] = []
        self._index: RowIndex | None = None

    @property
    def provenance(self) -> Mapping[str, JsonValue]:
        """What the results depend on, as the last run had it."""
        return self._manifest.provenance

    @property
    def runs(self) -> tuple[Mapping[str, JsonValue], ...]:
        """The runs, oldest first; each has its ``number``, the rest is as `begin` got it."""
        return self._manifest.runs

    @property
    def index(self) -> RowIndex:
        """The rows that the manifest accounts for, found by path; read when first asked for.

        Raises
        ------
        StoreError
            Naming a shard that is missing or altered.
        """
        if self._index is None:
            for entry in self._manifest.shards[len(self._columns) :]:
                self._columns.append(read_shard(self.folder, entry).columns)
            self._index = RowIndex(self._columns)
        return self._index

    @property
    def file_names(self) -> frozenset[str]:
        """The files that the manifest names."""
        return self._manifest.names

    @property
    def n_records(self) -> int:
        """Number of records that the manifest accounts for, each path once."""
        return len(self.index)

    def attachment(self, what: str) -> bytes:
        """Return the content of an attachment.

        Raises
        ------
        StoreError
            If there is none, or it is missing or altered.
        """
        entry = self._manifest.attachments.get(what)
        if entry is None:
            raise StoreError(f"{self.folder}: holds no {what}")
        return read_checked(self.folder, entry)

    def iter_results(self) -> Iterator[RecordResult]:
        """Yield every record that the manifest accounts for, in the order it was added.

        Memory holds one shard at a time.

        Raises
        ------
        StoreError
            Naming a shard that is missing or altered.
        """
        return (row.result for row in self.iter_rows())

    def iter_rows(self, wanted: NDArray[np.intp] | None = None) -> Iterator[StoredRow]:
        """Yield rows with the run that made them, in the order they were added.

        Parameters
        ----------
        wanted
            Their numbers, ascending; by default all that count.

        Raises
        ------
        StoreError
            Naming a shard that is missing or altered.
        """
        first_rows = self.index.first_rows
        rows = self.index.live if wanted is None else wanted
        for number, entry in enumerate(self._manifest.shards):
            begin, end = np.searchsorted(rows, first_rows[number : number + 2])
            if begin < end:
                shard = read_shard(self.folder, entry)
                yield from shard.rows(rows[begin:end] - first_rows[number])

    def iter_names(self) -> Iterator[tuple[str, str]]:
        """Yield the path and the record id of every record, in the order they were added.

        Raises
        ------
        StoreError
            Naming a shard that is missing or altered.
        """
        live, first_rows = self.index.live, self.index.first_rows
        for number, entry in enumerate(self._manifest.shards):
            begin, end = np.searchsorted(live, first_rows[number : number + 2])
            if begin < end:
                shard = read_shard(self.folder, entry)
                yield from shard.names(live[begin:end] - first_rows[number])

    def iter_sorted(
        self, key: Callable[[str, str], str] | None = None
    ) -> Iterator[list[StoredRow]]:
        """Yield all rows in blocks, sorted by path as the reports spell it (code points).

        Memory holds one block (`BLOCK_RECORDS`, `BLOCK_WINDOWS`), one shard, and for every
        record its path and about 110 bytes. Shards that arrived nearly in order, as a scan
        writes them, are read about once more; in the worst case every block reads every shard,
        but makes records only of the rows it wants.

        Parameters
        ----------
        key
            Of path and record id, to sort by that instead.

        Raises
        ------
        StoreError
            Naming a shard that is missing or altered.
        """
        order, n_windows = self._sorted_rows(key or _sort_key)
        windows_until = np.cumsum(n_windows)
        begin = 0
        while begin < len(order):
            done = windows_until[begin - 1] if begin else 0
            full = int(np.searchsorted(windows_until, done + BLOCK_WINDOWS, "right"))
            end = min(max(full, begin + 1), begin + BLOCK_RECORDS)
            yield self._rows(order[begin:end])
            begin = end

    def _sorted_rows(
        self, key: Callable[[str, str], str]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return the rows that count in sorted order, and each one's number of windows."""
        live, first_rows = self.index.live, self.index.first_rows
        # StringDType packs the paths as UTF-8, in a third of what str objects take.
        keys = np.empty(len(live), np.dtypes.StringDType())
        n_windows = np.empty(len(live), np.int64)
        for number, entry in enumerate(self._manifest.shards):
            begin, end = np.searchsorted(live, first_rows[number : number + 2])
            if begin < end:
                shard = read_shard(self.folder, entry)
                rows = live[begin:end] - first_rows[number]
                keys[begin:end] = [key(*names) for names in shard.names(rows)]
                n_windows[begin:end] = shard.n_windows[rows]
        order = keys.argsort(kind="stable")
        return live[order], n_windows[order]

    def _rows(self, rows: NDArray[np.intp]) -> list[StoredRow]:
        first_rows = self.index.first_rows
        shard_of = np.searchsorted(first_rows, rows, "right") - 1
        by_place: dict[int, StoredRow] = {}
        for index in np.unique(shard_of):
            shard = read_shard(self.folder, self._manifest.shards[index])
            places = np.flatnonzero(shard_of == index)
            by_place.update(
                zip(places.tolist(), shard.rows(rows[places] - first_rows[index]), strict=True)
            )
        return [by_place[place] for place in range(len(rows))]


def _sort_key(path: str, record_id: str) -> str:
    """Return the path as the reports spell it; where that is another path's too, the id decides.

    The two are parted by U+0001, since numpy compares strings up to the first NUL.
    """
    shown = report_text(path)
    return shown if shown == path else f"{shown}\1{record_id}"
