"""The run store: results that survive a crash, and that the reports are made from.

A folder with shards (see `ecgscreen.shards`) and a manifest. A shard is written, synced and
renamed into place, then the manifest is, and only what the manifest names counts. A run in
progress keeps its own manifest, ``manifest.next.json``, beside that of the last finished run;
`RunStore.finish` puts the one in the other's place. Until then the last run's results stay whole.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import StoreError
from ecgscreen.publish import (
    JsonValue,
    make_private_folder,
    publish_bytes,
    remove_leftovers,
    storing,
)
from ecgscreen.results import RecordResult, report_text
from ecgscreen.shards import (
    Manifest,
    Shard,
    ShardEntry,
    encode_shard,
    read_manifest,
    read_shard,
)

MANIFEST = "manifest.json"
NEXT_MANIFEST = "manifest.next.json"

SHARD_RECORDS = 1_000
SHARD_SECONDS = 60.0
SHARD_WINDOWS = 16_384
"""Bounds a shard of long recordings: 4 MB of embeddings with D = 128."""

BLOCK_RECORDS = 4_096
BLOCK_WINDOWS = 16_384
"""Bounds a block of `RunStore.iter_sorted`: 4 MB of embeddings with D = 128."""


class RunStore:
    """Results of a run on disk, written in any order and read again in bounded memory.

    Made by `create` (to write) or `open` (to read a finished run).

    Attributes
    ----------
    folder
        Where the store lies.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        *,
        writable: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._manifest = manifest
        self._writable = writable
        self._clock = clock
        self._pending: list[RecordResult] = []
        self._pending_windows = 0
        self._pending_since = 0.0
        self._embedding_size = 0

    @classmethod
    def create(
        cls,
        folder: Path,
        provenance: Mapping[str, JsonValue],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> RunStore:
        """Begin a run in `folder`, which is made where missing and private to its owner.

        Parameters
        ----------
        folder
            The store's own folder.
        provenance
            What the results are made with; kept in the manifest.
        clock
            Seconds, for the age of a shard.

        Raises
        ------
        StoreError
            If the folder cannot be written.
        """
        store = cls(folder, Manifest((), provenance), writable=True, clock=clock)
        with storing(folder):
            make_private_folder(folder)
            remove_leftovers(folder)
            store._manifest.write(folder / NEXT_MANIFEST)
        return store

    @classmethod
    def open(cls, folder: Path) -> RunStore:
        """Open the store of a finished run, to read it.

        Raises
        ------
        StoreError
            If there is none, or its manifest is not understood.
        """
        return cls(folder, read_manifest(folder / MANIFEST))

    @property
    def provenance(self) -> Mapping[str, JsonValue]:
        """What the results were made with."""
        return self._manifest.provenance

    @property
    def n_records(self) -> int:
        """Number of records that the manifest accounts for."""
        return self._manifest.n_records

    def append(self, result: RecordResult) -> None:
        """Add a record; it is on disk at the latest with the shard's last one.

        A shard ends with its 1,000th record, with 16,384 windows, or with the first record
        that comes 60 s after its first.

        Raises
        ------
        StoreError
            If the shard cannot be written, or the embedding's size is not that of the others.
        """
        if not self._writable:
            raise StoreError(f"{self.folder}: the run is finished, nothing can be added")
        if result.n_windows:
            size = result.embeddings.shape[1]
            if size != (self._embedding_size or size):
                raise StoreError(
                    f"{self.folder}: an embedding of size {size} among those of size "
                    f"{self._embedding_size}"
                )
            self._embedding_size = size
        now = self._clock()
        if not self._pending:
            self._pending_since = now
        self._pending.append(result)
        self._pending_windows += result.n_windows
        if (
            len(self._pending) >= SHARD_RECORDS
            or self._pending_windows >= SHARD_WINDOWS
            or now - self._pending_since >= SHARD_SECONDS
        ):
            self.flush()

    def flush(self) -> None:
        """Write what was added since the last shard as a shard of its own.

        Raises
        ------
        StoreError
            If it cannot be written; what was added stays pending.
        """
        if not self._pending:
            return
        content = encode_shard(self._pending)
        sha256 = hashlib.sha256(content).hexdigest()
        # The hash in the name keeps a new run from overwriting a shard of the last one.
        name = f"shard-{len(self._manifest.shards):06d}-{sha256[:12]}.npz"
        entry = ShardEntry(name, sha256, len(content), len(self._pending))
        manifest = self._manifest.with_shard(entry)
        with storing(self.folder / name):
            publish_bytes(self.folder / name, content)
            manifest.write(self.folder / NEXT_MANIFEST)
        self._manifest = manifest
        self._pending.clear()
        self._pending_windows = 0

    def finish(self) -> None:
        """End the run: its results take the place of the last run's, whose shards are removed.

        Raises
        ------
        StoreError
            If the folder cannot be written.
        """
        self.flush()
        self._writable = False
        with storing(self.folder):
            self._manifest.write(self.folder / MANIFEST)
            (self.folder / NEXT_MANIFEST).unlink()
            named = {shard.name for shard in self._manifest.shards}
            for shard in self.folder.glob("shard-*.npz"):
                if shard.name not in named:
                    shard.unlink()

    def iter_results(self) -> Iterator[RecordResult]:
        """Yield every record that the manifest accounts for, in the order it was added.

        Memory holds one shard at a time.

        Raises
        ------
        StoreError
            Naming a shard that is missing or altered.
        """
        for shard in self._shards():
            yield from shard

    def iter_sorted(self) -> Iterator[list[RecordResult]]:
        """Yield all records in blocks, sorted by path as the reports spell it (code points).

        Memory holds one block (`BLOCK_RECORDS`, `BLOCK_WINDOWS`), one shard, and for every
        record its path and 60 bytes. Shards that arrived nearly in order, as a scan writes
        them, are read about once more; in the worst case every block reads every shard, but
        makes records only of the rows it wants.

        Raises
        ------
        StoreError
            Naming a shard that is missing or altered.
        """
        order, n_windows = self._sorted_rows()
        first_rows = np.cumsum([0, *(entry.n_records for entry in self._manifest.shards)])
        windows_until = np.cumsum(n_windows[order])
        begin = 0
        while begin < len(order):
            done = windows_until[begin - 1] if begin else 0
            full = int(np.searchsorted(windows_until, done + BLOCK_WINDOWS, "right"))
            end = min(max(full, begin + 1), begin + BLOCK_RECORDS)
            yield self._records(order[begin:end], first_rows)
            begin = end

    def _sorted_rows(self) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return the rows in sorted order, and every row's number of windows as added."""
        # StringDType packs the paths as UTF-8, in a third of what str objects take.
        keys = np.empty(self.n_records, np.dtypes.StringDType())
        n_windows = np.empty(self.n_records, np.int64)
        row = 0
        for shard in self._shards():
            rows = slice(row, row + len(shard))
            keys[rows] = [_sort_key(path, record_id) for path, record_id in shard.names()]
            n_windows[rows] = shard.n_windows
            row = rows.stop
        return keys.argsort(kind="stable"), n_windows

    def _records(self, rows: NDArray[np.intp], first_rows: NDArray[np.int64]) -> list[RecordResult]:
        shard_of = np.searchsorted(first_rows, rows, "right") - 1
        by_place: dict[int, RecordResult] = {}
        for index in np.unique(shard_of):
            shard = read_shard(self.folder, self._manifest.shards[index])
            for place in np.flatnonzero(shard_of == index):
                by_place[int(place)] = shard[int(rows[place] - first_rows[index])]
        return [by_place[place] for place in range(len(rows))]

    def _shards(self) -> Iterator[Shard]:
        for entry in self._manifest.shards:
            yield read_shard(self.folder, entry)


def _sort_key(path: str, record_id: str) -> str:
    """Return the path as the reports spell it; where that is another path's too, the id decides.

    The two are parted by U+0001, since numpy compares strings up to the first NUL.
    """
    shown = report_text(path)
    return shown if shown == path else f"{shown}\1{record_id}"
