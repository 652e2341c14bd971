"""The run store: results that survive a crash, and that the reports are made from.

The folder ``store`` of a screening holds

- ``shard-NNNNNN-HASH.npz``: rows, in the order in which they were made (`ecgscreen.shards`);
- ``NAME-HASH.npz``: attachments, such as what the rows are scored with;
- ``manifest.json``: which of these count for the last finished run, what they were made with and
  by which runs (`ecgscreen.manifest`);
- ``manifest.next.json``: the same of a run in progress, or of one that was interrupted.

A file is written, synced and renamed into place, then the manifest that names it is, and only
what a manifest names counts. A row replaces earlier ones of the same path. `RunStore.finish` puts
the second manifest in the first one's place; until then the last run's results stay whole, and
an interrupted run is gone on with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ecgscreen.compaction import rewritten
from ecgscreen.errors import StoreError
from ecgscreen.manifest import Manifest, ShardEntry, entry_of, number_of, read_manifest
from ecgscreen.next_shard import NextShard
from ecgscreen.publish import (
    JsonValue,
    make_private_folder,
    publish_bytes,
    remove_leftovers,
    storing,
    sync,
)
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.shards import RowColumns, StoredRow, columns_of, encode_shard
from ecgscreen.stored_rows import StoredRows

MANIFEST = "manifest.json"
NEXT_MANIFEST = "manifest.next.json"

RUNS_KEPT = 30
"""Runs that the manifest remembers even if no row is of theirs."""


class RunStore(StoredRows):
    """Results of the runs on a screening, read again in bounded memory.

    Made by `create` or `anew` (without the rows of earlier runs), `open` or `open_unfinished` (to
    read; `begin` goes on from there).

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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(folder, manifest)
        self._run: int | None = None  # the number of the one in progress
        self._pending = NextShard(clock)
        self._embedding_size = 0

    @classmethod
    def create(
        cls,
        folder: Path,
        provenance: Mapping[str, JsonValue],
        run: Mapping[str, JsonValue] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> RunStore:
        """Begin anew in `folder`: when the run is finished, nothing of earlier ones is left.

        Parameters
        ----------
        folder
            The store's own folder.
        provenance, run
            As `begin` has them.
        clock
            Seconds, for the age of a shard.

        Raises
        ------
        StoreError
            If the folder cannot be written.
        """
        store = cls(folder, Manifest(), clock=clock)
        store.begin(provenance, run, {})
        return store

    @classmethod
    def anew(cls, folder: Path) -> RunStore:
        """An empty store in `folder`, whatever is there; `begin` begins its first run."""
        return cls(folder, Manifest())

    @classmethod
    def open(cls, folder: Path) -> RunStore:
        """Open the store as the last finished run left it.

        Raises
        ------
        StoreError
            If there is none, or its manifest is not understood.
        """
        return cls(folder, read_manifest(folder / MANIFEST))

    @classmethod
    def open_unfinished(cls, folder: Path) -> RunStore | None:
        """Open the store as a run left it that was interrupted, or is in progress; else None.

        Raises
        ------
        StoreError
            If its manifest is not understood.
        """
        path = folder / NEXT_MANIFEST
        return cls(folder, read_manifest(path)) if path.exists() else None

    def begin(
        self,
        provenance: Mapping[str, JsonValue],
        run: Mapping[str, JsonValue] | None = None,
        attachments: Mapping[str, bytes] | None = None,
        *,
        earlier: Sequence[Mapping[str, JsonValue]] = (),
    ) -> None:
        """Begin a run that goes on from here.

        Parameters
        ----------
        provenance
            What the results depend on; kept in the manifest.
        run
            What the run is to be known by; it gets the next ``number``.
        attachments
            The files that belong to the results now, by what they are; None leaves them as
            they are.
        earlier
            Runs of other stores, with their numbers, whose rows are added here.

        Raises
        ------
        StoreError
            If the folder cannot be written, or is a link: whose files those are, nobody said.
        """
        if self.folder.is_symlink():
            raise StoreError(
                f"{self.folder}: is a symbolic link, and nothing is written through it",
                "Remove the link; if room is short, let the whole screening lie elsewhere.",
            )
        runs = (*self.runs, *earlier)
        number = 1 + max((number_of(each) for each in runs), default=0)
        entries = {} if attachments is not None else dict(self._manifest.attachments)
        with storing(self.folder):
            make_private_folder(self.folder)
            remove_leftovers(self.folder)
            for what, content in (attachments or {}).items():
                entry = entry_of(what, content)
                publish_bytes(self.folder / entry.name, content)
                entries[what] = entry
            self._manifest = replace(
                self._manifest,
                provenance=provenance,
                runs=(*runs, {**(run or {}), "number": number}),
                attachments=entries,
            )
            self._manifest.write(self.folder / NEXT_MANIFEST)
        self._run = number

    def update_run(self, **known: JsonValue) -> None:
        """Say more of the run in progress; written with the next shard, or at the end."""
        *others, run = self.runs
        self._manifest = replace(self._manifest, runs=(*others, {**run, **known}))

    def revise_runs(
        self, revise: Callable[[Mapping[str, JsonValue]], Mapping[str, JsonValue]]
    ) -> None:
        """Say something else of the runs before; written when the next one begins."""
        self._manifest = replace(self._manifest, runs=tuple(map(revise, self.runs)))

    def append(
        self, result: RecordResult, *, run: int | None = None, made_s: float | None = None
    ) -> None:
        """Add a record; it is on disk at the latest with the shard's last one.

        A shard ends with its 1,000th record, with 16,384 windows, or with the first record
        that comes 60 s after its first.

        Parameters
        ----------
        result
            Replaces what the store has of the same path.
        run, made_s
            As `StoredRow` has them; by default this run, and now.

        Raises
        ------
        StoreError
            If the shard cannot be written, or the embedding's size is not that of the others.
        """
        if result.n_windows:
            size = result.embeddings.shape[1]
            if size != (self._embedding_size or size):
                raise StoreError(
                    f"{self.folder}: an embedding of size {size} among those of size "
                    f"{self._embedding_size}"
                )
            self._embedding_size = size
        if self._pending.add(self._row(result, run, made_s)):
            self.flush()

    def remove(self, path: str) -> None:
        """Take a path out of the store; `finish` removes what the shards hold of it.

        Raises
        ------
        StoreError
            As `append`.
        """
        row = self._row(not_scored(path, Status.VANISHED, ""), None, None)
        if self._pending.add(replace(row, removed=True)):
            self.flush()

    def flush(self) -> None:
        """Write what was added since the last shard as a shard of its own.

        Raises
        ------
        StoreError
            If it cannot be written; what was added stays pending.
        """
        rows = self._pending.rows
        if not rows:
            return
        columns = columns_of(rows)
        entry = self._write_shard(rows, columns, len(self._manifest.shards))
        manifest = self._manifest.with_shard(entry)
        with storing(self.folder / NEXT_MANIFEST):
            manifest.write(self.folder / NEXT_MANIFEST)
        if len(self._columns) == len(self._manifest.shards):
            self._columns.append(columns)
        self._manifest = manifest
        self._index = None
        self._pending.clear()

    def finish(self) -> None:
        """End the run: its results take the place of the last run's, whose files are removed.

        Raises
        ------
        StoreError
            If the folder cannot be written.
        """
        self.flush()
        self._run = None
        self._compact()
        with storing(self.folder):
            self._manifest.write(self.folder / MANIFEST)
            (self.folder / NEXT_MANIFEST).unlink(missing_ok=True)
            sync(self.folder)  # a manifest that came back would name files that are gone
            for file in self.folder.glob("*.npz"):
                if file.name not in self._manifest.names:
                    file.unlink()
            sync(self.folder)  # after a power cut, what was to go would be there again

    def _row(self, result: RecordResult, run: int | None, made_s: float | None) -> StoredRow:
        if self._run is None:
            raise StoreError(f"{self.folder}: the run is finished, nothing can be added")
        return StoredRow(
            result,
            self._run if run is None else run,
            time.time() if made_s is None else made_s,
        )

    def _write_shard(self, rows: list[StoredRow], columns: RowColumns, number: int) -> ShardEntry:
        content = encode_shard(rows, columns)
        entry = entry_of(f"shard-{number:06d}", content)
        with storing(self.folder / entry.name):
            publish_bytes(self.folder / entry.name, content)
        return ShardEntry(entry.name, entry.sha256, entry.size, len(rows))

    def _compact(self) -> None:
        """Write again what is worth it; the shards that it is taken from stay where they are."""
        before = self._manifest.shards
        shards = rewritten(self, before, self._write_shard)
        self._manifest = replace(self._manifest, shards=shards, runs=self._runs_kept())
        if shards != before:
            self._columns.clear()
            self._index = None

    def _runs_kept(self) -> tuple[Mapping[str, JsonValue], ...]:
        with_rows = set(np.unique(self.index.runs[self.index.live]).tolist())
        last = self.runs[-RUNS_KEPT:]
        return tuple(run for run in self.runs if number_of(run) in with_rows or run in last)
