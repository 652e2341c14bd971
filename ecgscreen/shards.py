"""A shard: about a thousand rows of the run store in a file; `ecgscreen.stored_shard` reads it.

It is an uncompressed NPZ archive (numpy's own format, loaded without pickle) of

- ``text``: uint8, a line of JSON a row: path, record id, status, reason, detail, quality, leads,
  notes, (of a long recording the quality of its windows, each phrase with the number of windows
  that have it one after another), time of acquisition, SHA-256 and, of every file, name, size, time
  in ns and whether the walk lists it; in ASCII, so that bytes of file names which are no UTF-8
  survive;
- ``key`` and ``stamp``: uint8, (n_rows, 16): `path_key` and `stamp_digest` of the row, the latter
  zeros where the fault is `ecgscreen.recording.PASSING`;
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
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import PASSING
from ecgscreen.results import RecordResult, Status
from ecgscreen.stamp import DIGEST_BYTES, FileStamp, path_key, stamp_digest

STATES = tuple(Status)
REMOVED = 255
"""The state of a row that takes its path out of the store."""


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


def columns_of(rows: Sequence[StoredRow]) -> RowColumns:
    """Return what is kept in memory of rows that are written."""
    results = [row.result for row in rows]
    unlisted = [number for number, result in enumerate(results) if _n_unlisted(result)]
    names = [unlisted_names(results[number].files) for number in unlisted]
    return RowColumns(
        key=_digests([path_key(result.path) for result in results]),
        stamp=_digests([_stamp_of(result) for result in results]),
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
    n_unlisted = np.zeros(len(rows), np.int32)
    n_unlisted[columns.unlisted_rows] = [_n_unlisted(results[n]) for n in columns.unlisted_rows]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        text=np.frombuffer(b"\n".join(map(_text_line, results)), np.uint8),
        key=columns.key,
        stamp=columns.stamp,
        state=columns.state,
        n_unlisted=n_unlisted,
        run=columns.run,
        made_s=np.array([row.made_s for row in rows], np.float64),
        sampling_rate=np.array([result.sampling_rate for result in results], np.float64),
        duration_s=np.array([result.duration_s for result in results], np.float64),
        n_windows=np.array([result.n_windows for result in results], np.int64),
        window_starts_s=np.concatenate(starts),
        embeddings=embeddings,
    )
    return buffer.getvalue()


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
        *([_runs(result.window_quality)] if result.window_quality else []),
        result.acquired,
        result.sha256,
        result.files,
    )
    return json.dumps(columns).encode("ascii")


def _runs(phrases: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(phrase, len(list(run))) for phrase, run in groupby(phrases)]


def _n_unlisted(result: RecordResult) -> int:
    return sum([not file.listed for file in result.files])


def unlisted_names(files: Iterable[Iterable[Any]]) -> str:
    """Return the names of those of a row's files that reading told, as JSON."""
    stamps = (FileStamp(*file) for file in files)
    return json.dumps([stamp.name for stamp in stamps if not stamp.listed])


def _stamp_of(result: RecordResult) -> bytes:
    """What the next run compares the files with; of a passing fault, what no files have."""
    return bytes(DIGEST_BYTES) if result.reason in PASSING else stamp_digest(result.files)


def _digests(digests: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
