"""A shard: about a thousand rows of the run store in a file.

It is an uncompressed NPZ archive (numpy's own format, loaded without pickle) of

- ``text``: uint8, a line of JSON a row: path, record id, status, reason, detail, quality, leads,
  notes, time of acquisition, SHA-256 and, of every file, name, size, time in ns and whether the
  walk lists it; in ASCII, so that bytes of file names which are no UTF-8 survive;
- ``key`` and ``stamp``: uint8, (n_rows, 16): `path_key` and `stamp_digest` of the row;
- ``state``: uint8, (n_rows,): the status, its place in `Status`; `REMOVED` for a row that only
  says that its path is no longer one of the store;
- ``n_unlisted``: int32, (n_rows,): how many of the row's files reading told;
- ``run``: int32, (n_rows,): the number of the run that made the row, and ``made_s``: float64,
  when, in seconds since 1970 (UTC);
- ``sampling_rate`` and ``duration_s``: float64, (n_rows,);
- ``n_windows``: int64, (n_rows,);
- ``window_starts_s``: float32, (sum of n_windows,), and ``embeddings``: float16,
  (sum of n_windows, D), a row's windows behind those of the row before it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import StoreError
from ecgscreen.manifest import REMEDY, ShardEntry, read_checked
from ecgscreen.results import RecordResult, Status
from ecgscreen.shard_arrays import expect_shape, shard_arrays
from ecgscreen.stamp import DIGEST_BYTES, FileStamp, path_key, stamp_digest

STATES = tuple(Status)
REMOVED = 255
"""The state of a row that takes its path out of the store."""

_NOT_UNDERSTOOD = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What an altered shard, or a line of it, raises."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredRow:
    """A row and where it comes from.

    Attributes
    ----------
    result
        The recording's.
    run
        The number of the run that made it.
    made_s
        When, in seconds since 1970 (UTC).
    removed
        Whether it only says that its path is no longer one of the store.
    """

    result: RecordResult
    run: int
    made_s: float
    removed: bool = False


@dataclass(frozen=True, eq=False)
class RowColumns:
    """What is kept in memory of a shard's n rows; see the shard's arrays of these names.

    Attributes
    ----------
    key, stamp
        uint8, shape (n, 16).
    state
        uint8, shape (n,).
    run
        int32, shape (n,).
    unlisted_rows, unlisted
        int64 and text, shape (m,): the rows with files that reading told, ascending, and the
        names of these as JSON. Most rows have none.
    """

    key: NDArray[np.uint8]
    stamp: NDArray[np.uint8]
    state: NDArray[np.uint8]
    run: NDArray[np.int32]
    unlisted_rows: NDArray[np.int64]
    unlisted: NDArray[Any]


class Shard:
    """A shard that was read; rows are made from it one at a time, when asked for."""

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
        names = [_unlisted_names(json.loads(self._lines[row])[-1]) for row in unlisted]
        self.columns = RowColumns(
            key=arrays["key"],
            stamp=arrays["stamp"],
            state=arrays["state"],
            run=arrays["run"],
            unlisted_rows=unlisted,
            unlisted=np.array(names, np.dtypes.StringDType()),
        )
        self._ends = np.cumsum(self.n_windows)
        self._lead_tuples: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._check()

    def __len__(self) -> int:
        return len(self._lines)

    def row(self, row: int) -> StoredRow:
        """Return a row with where it comes from; see `rows`.

        Raises
        ------
        StoreError
            If the row is not understood.
        """
        return self.rows(np.array([row]))[0]

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
        lines = [self._lines[row] for row in rows.tolist()]
        # In one go: two thirds of the time that the lines take one by one.
        columns: list[list[Any]] = json.loads(f"[{','.join(lines)}]")
        counts = self.n_windows[rows]
        ends = np.cumsum(counts)
        firsts = ends - counts
        windows = np.arange(counts.sum()) + np.repeat(self._ends[rows] - ends, counts)
        starts_s, embeddings = self._window_starts_s[windows], self._embeddings[windows]
        known = zip(
            columns,
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
                self._result(texts, rate, duration_s, starts_s[first:end], embeddings[first:end]),
                run,
                made_s,
                removed,
            )
            for texts, rate, duration_s, first, end, run, made_s, removed in known
        ]

    def _result(
        self,
        columns: list[Any],
        sampling_rate: float,
        duration_s: float,
        window_starts_s: NDArray[np.float32],
        embeddings: NDArray[np.float16],
    ) -> RecordResult:
        path, record_id, status, reason, detail, quality, leads, notes = columns[:-3]
        acquired, sha256, files = columns[-3:]
        "".join((path, record_id, reason, detail, quality, acquired, sha256, *notes))  # all texts
        # Nearly all records have the same twelve leads: one tuple serves them all.
        names = tuple(leads)
        if names not in self._lead_tuples:
            "".join(names)
        return RecordResult(
            path,
            record_id,
            Status(status),
            reason,
            detail,
            quality,
            sampling_rate,
            duration_s,
            self._lead_tuples.setdefault(names, names),
            tuple(notes),
            window_starts_s,
            embeddings,
            tuple(starmap(FileStamp, files)),
            sha256,
            acquired,
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


def columns_of(rows: Sequence[StoredRow]) -> RowColumns:
    """Return what is kept in memory of rows that are written."""
    results = [row.result for row in rows]
    unlisted = [number for number, result in enumerate(results) if _n_unlisted(result)]
    names = [_unlisted_names(results[number].files) for number in unlisted]
    return RowColumns(
        key=_digests([path_key(result.path) for result in results]),
        stamp=_digests([stamp_digest(result.files) for result in results]),
        state=np.array(
            [REMOVED if row.removed else STATES.index(row.result.status) for row in rows], np.uint8
        ),
        run=np.array([row.run for row in rows], np.int32),
        unlisted_rows=np.array(unlisted, np.int64),
        unlisted=np.array(names, np.dtypes.StringDType()),
    )


def encode_shard(rows: Sequence[StoredRow], columns: RowColumns) -> bytes:
    """Return the content of the shard file of these rows; the columns are those of them."""
    results = [row.result for row in rows]
    with_windows = [result for result in results if result.n_windows]
    embeddings = (
        np.concatenate([result.embeddings for result in with_windows])
        if with_windows
        else np.empty((0, 0), np.float16)
    )
    starts = [np.empty(0, np.float32), *(result.window_starts_s for result in with_windows)]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        text=np.frombuffer(b"\n".join(map(_text_line, results)), np.uint8),
        key=columns.key,
        stamp=columns.stamp,
        state=columns.state,
        n_unlisted=np.array([_n_unlisted(result) for result in results], np.int32),
        run=columns.run,
        made_s=np.array([row.made_s for row in rows], np.float64),
        sampling_rate=np.array([result.sampling_rate for result in results], np.float64),
        duration_s=np.array([result.duration_s for result in results], np.float64),
        n_windows=np.array([result.n_windows for result in results], np.int64),
        window_starts_s=np.concatenate(starts),
        embeddings=embeddings,
    )
    return buffer.getvalue()


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


def _text_line(result: RecordResult) -> bytes:
    columns = (
        result.path,
        result.record_id,
        result.status,
        result.reason,
        result.detail,
        result.quality,
        result.leads,
        result.notes,
        result.acquired,
        result.sha256,
        result.files,
    )
    return json.dumps(columns).encode("ascii")


def _first_two(line: str) -> tuple[str, str]:
    """What a text line begins with; the rest, which takes ten times as long, is not decoded."""
    first, end = _DECODER.raw_decode(line, 1)
    second, _ = _DECODER.raw_decode(line, end + len(", "))
    return str(first), str(second)


_DECODER = json.JSONDecoder()


def _n_unlisted(result: RecordResult) -> int:
    return sum(not file.listed for file in result.files)


def _unlisted_names(files: Iterable[Iterable[Any]]) -> str:
    stamps = (FileStamp(*file) for file in files)
    return json.dumps([stamp.name for stamp in stamps if not stamp.listed])


def _digests(digests: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
