"""Rows out of a shard's file, whose format `ecgscreen.shards` explains."""

from __future__ import annotations

import json
from itertools import chain, islice, repeat, starmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import StoreError
from ecgscreen.manifest import REMEDY, ShardEntry, read_checked
from ecgscreen.results import RecordResult, Status
from ecgscreen.shard_arrays import expect_shape, shard_arrays
from ecgscreen.shards import REMOVED, STATES, RowColumns, StoredRow, unlisted_names
from ecgscreen.stamp import DIGEST_BYTES, FileStamp

_NOT_UNDERSTOOD = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What an altered shard, or a line of it, raises."""


class Shard:
    """A shard that was read; rows are made from it when asked for."""

    def __init__(self, content: bytes, path: Path) -> None:
        self._path = path
        arrays = shard_arrays(content)
        self._lines = arrays["text"].tobytes().decode("ascii").split("\n")
        self._made_s = arrays["made_s"]
        self._sampling_rate = arrays["sampling_rate"]
        self._duration_s = arrays["duration_s"]
        self.n_windows: NDArray[np.int64] = arrays["n_windows"]
        self._window_starts_s = arrays["window_starts_s"]
        self._embeddings = arrays["embeddings"]
        unlisted = np.flatnonzero(arrays["n_unlisted"])
        names = [unlisted_names(json.loads(self._lines[row])[-1]) for row in unlisted]
        self.columns = RowColumns(
            key=arrays["key"],
            stamp=arrays["stamp"],
            state=arrays["state"],
            run=arrays["run"],
            unlisted_rows=unlisted,
            unlisted=np.array(names, np.dtypes.StringDType()),
        )
        self._ends = np.cumsum(self.n_windows)
        self._last_leads: list[str] = []
        self._lead_names: tuple[str, ...] = ()
        self._check()

    def __len__(self) -> int:
        return len(self._lines)

    def rows(self, rows: NDArray[np.intp]) -> list[StoredRow]:
        """Return some rows. Their arrays are of a copy: they do not keep the shard in memory.

        Raises
        ------
        StoreError
            If one of them is not understood.
        """
        try:
            return self._stored_rows(rows)
        except _NOT_UNDERSTOOD as error:
            raise self._error(error) from error

    def _stored_rows(self, rows: NDArray[np.intp]) -> list[StoredRow]:
        counts = self.n_windows[rows]
        ends = np.cumsum(counts)
        firsts = ends - counts
        windows = np.arange(counts.sum()) + np.repeat(self._ends[rows] - ends, counts)
        starts_s, embeddings = self._window_starts_s[windows], self._embeddings[windows]
        known = zip(
            rows.tolist(),
            self._sampling_rate[rows].tolist(),
            self._duration_s[rows].tolist(),
            firsts.tolist(),
            ends.tolist(),
            self.columns.run[rows].tolist(),
            self._made_s[rows].tolist(),
            (self.columns.state[rows] == REMOVED).tolist(),
            strict=True,
        )
        return [
            StoredRow(
                self._result(row, rate, duration_s, starts_s[first:end], embeddings[first:end]),
                run,
                made_s,
                removed,
            )
            for row, rate, duration_s, first, end, run, made_s, removed in known
        ]

    def _result(
        self,
        row: int,
        sampling_rate: float,
        duration_s: float,
        window_starts_s: NDArray[np.float32],
        embeddings: NDArray[np.float16],
    ) -> RecordResult:
        # One line at a time: what is decoded is still in the processor's cache when it is used.
        line = self._lines[row]
        columns, end = _DECODER.raw_decode(line)  # `decode` looks for blanks around it as well
        if end != len(line):
            raise ValueError("more than a row on its line")
        path, record_id, status, reason, detail, quality, leads, notes, *rest = columns
        *long, acquired, sha256, files = rest
        "".join((path, record_id, reason, detail, quality, acquired, sha256, *notes))  # all texts
        # Nearly all records have the same twelve leads: one tuple serves them all.
        if leads != self._last_leads:
            "".join(leads)
            self._last_leads, self._lead_names = leads, tuple(leads)
        return RecordResult(
            path,
            record_id,
            _STATUSES.get(status) or Status(status),  # the second says what is wrong
            reason,
            detail,
            quality,
            sampling_rate,
            duration_s,
            self._lead_names,
            tuple(notes),
            window_starts_s,
            embeddings,
            tuple(starmap(FileStamp, files)),
            sha256,
            acquired,
            _window_quality(long, len(embeddings)) if long else (),
        )

    def names(self, rows: NDArray[np.intp]) -> list[tuple[str, str]]:
        """Return the path and the record id of some rows."""
        try:
            return [_first_two(self._lines[row]) for row in rows]
        except _NOT_UNDERSTOOD as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> StoreError:
        return StoreError(f"{self._path}: is no shard of a run store ({error})", REMEDY)

    def _check(self) -> None:
        columns, n = self.columns, len(self._lines)
        for each in (self._made_s, self._sampling_rate, self._duration_s, self.n_windows):
            expect_shape(each, (n,))
        n_windows = int(self.n_windows.sum())
        if self.n_windows.min(initial=0) < 0 or not 0 <= n_windows < 1 << 40:
            raise ValueError("numbers of windows that cannot be")
        expect_shape(self._window_starts_s, (n_windows,))
        expect_shape(self._embeddings, (n_windows, *self._embeddings.shape[1:2]))
        expect_shape(columns.state, (n,))
        expect_shape(columns.run, (n,))
        expect_shape(columns.key, (n, DIGEST_BYTES))
        expect_shape(columns.stamp, (n, DIGEST_BYTES))
        if int(columns.state[columns.state != REMOVED].max(initial=0)) >= len(STATES):
            raise ValueError("a state that there is not")


def read_shard(folder: Path, entry: ShardEntry) -> Shard:
    """Read a shard and check it against the manifest.

    Raises
    ------
    StoreError
        Naming the file, if it is missing, of another size or hash, or not understood.
    """
    content = read_checked(folder, entry)
    path = folder / entry.name
    try:
        shard = Shard(content, path)
    except _NOT_UNDERSTOOD as error:
        raise StoreError(f"{path}: is no shard of a run store ({error})", REMEDY) from error
    if len(shard) != entry.n_records:
        raise StoreError(
            f"{path}: has {len(shard)} records, the manifest says {entry.n_records}", REMEDY
        )
    return shard


def _window_quality(columns: list[Any], n_windows: int) -> tuple[str, ...]:
    (runs,) = columns
    phrases = chain.from_iterable(starmap(repeat, runs))
    quality = tuple(islice(phrases, n_windows + 1))  # one too many is told by the row
    "".join(set(quality))  # all texts
    return quality


def _first_two(line: str) -> tuple[str, str]:
    """What a text line begins with; the rest, which takes ten times as long, is not decoded."""
    first, end = _DECODER.raw_decode(line, 1)
    second, _ = _DECODER.raw_decode(line, end + len(", "))
    return str(first), str(second)


_DECODER = json.JSONDecoder()
_STATUSES = {status.value: status for status in Status}
