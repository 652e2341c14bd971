"""The files of the run store: a shard of results, and the manifest that names the shards.

A shard is an uncompressed NPZ archive (numpy's own format, loaded without pickle) of

- ``text``: uint8, a line of JSON a record: path, record id, status, reason, detail, quality,
  leads, notes; in ASCII, so that bytes of file names which are no UTF-8 survive;
- ``sampling_rate`` and ``duration_s``: float64, (n_records,);
- ``n_windows``: int64, (n_records,);
- ``window_starts_s``: float32, (sum of n_windows,), and ``embeddings``: float16,
  (sum of n_windows, D), a record's windows behind those of the record before it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import StoreError
from ecgscreen.publish import JsonValue, publish_json
from ecgscreen.results import RecordResult, Status

FORMAT = "ecgscreen run store"
FORMAT_VERSION = 1

_REMEDY = "Restore the folder from a backup, or scan into a new one."


@dataclass(frozen=True)
class ShardEntry:
    """What the manifest knows of a shard.

    Attributes
    ----------
    name
        The file's name in the store's folder.
    sha256
        Of the whole file, in hexadecimal.
    size
        In bytes.
    n_records
        Records in it.
    """

    name: str
    sha256: str
    size: int
    n_records: int


@dataclass(frozen=True)
class Manifest:
    """Which shards count, and what they were made with.

    Attributes
    ----------
    shards
        In the order in which they were written.
    provenance
        What a later run compares before it adds to the store: hashes of the bundle and of the
        list, the preprocessing.
    """

    shards: tuple[ShardEntry, ...]
    provenance: Mapping[str, JsonValue]

    @property
    def n_records(self) -> int:
        """Records in all shards."""
        return sum(shard.n_records for shard in self.shards)

    def with_shard(self, shard: ShardEntry) -> Manifest:
        """Return a manifest that names one shard more."""
        return replace(self, shards=(*self.shards, shard))

    def write(self, path: Path) -> None:
        """Publish the manifest as JSON."""
        document = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}
        publish_json(path, document)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises
    ------
    StoreError
        If it is missing, no manifest, or of another format version.
    """
    try:
        document = json.loads(path.read_bytes())
        found = (document["format"], document["format_version"])
        if found != (FORMAT, FORMAT_VERSION):
            raise StoreError(
                f"{path}: {found[0]!r} version {found[1]!r}; {FORMAT!r} version "
                f"{FORMAT_VERSION} is expected",
                "Scan into another folder.",
            )
        shards = tuple(ShardEntry(**entry) for entry in document["shards"])
        if any(Path(shard.name).name != shard.name for shard in shards):
            raise StoreError(f"{path}: names a shard outside its folder", _REMEDY)
        return Manifest(shards, document["provenance"])
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}", _REMEDY) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: is no manifest of a run store ({error})", _REMEDY) from error


class Shard:
    """A shard that was read; records are made from it one at a time, when asked for."""

    def __init__(self, content: bytes) -> None:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            self._lines = arrays["text"].tobytes().decode("ascii").split("\n")
            self._sampling_rate = arrays["sampling_rate"]
            self._duration_s = arrays["duration_s"]
            self.n_windows: NDArray[np.int64] = arrays["n_windows"]
            self._window_starts_s = arrays["window_starts_s"]
            self._embeddings = arrays["embeddings"]
        self._ends = np.cumsum(self.n_windows)
        self._lead_tuples: dict[tuple[str, ...], tuple[str, ...]] = {}
        lengths = {len(self._lines), len(self._sampling_rate), len(self._duration_s)}
        if lengths != {len(self.n_windows)}:
            raise ValueError("its columns differ in length")

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, row: int) -> RecordResult:
        """Return a record. Its arrays are copies: they do not keep the shard in memory."""
        path, record_id, status, reason, detail, quality, leads, notes = json.loads(
            self._lines[row]
        )
        end = int(self._ends[row])
        windows = slice(end - int(self.n_windows[row]), end)
        return RecordResult(
            path=path,
            record_id=record_id,
            status=Status(status),
            reason=reason,
            detail=detail,
            quality=quality,
            sampling_rate=float(self._sampling_rate[row]),
            duration_s=float(self._duration_s[row]),
            # Nearly all records have the same twelve leads: one tuple serves them all.
            leads=self._lead_tuples.setdefault(tuple(leads), tuple(leads)),
            notes=tuple(notes),
            window_starts_s=self._window_starts_s[windows].copy(),
            embeddings=self._embeddings[windows].copy(),
        )

    def __iter__(self) -> Iterator[RecordResult]:
        return (self[row] for row in range(len(self)))

    def names(self) -> list[tuple[str, str]]:
        """Return the path and the record id of every record."""
        return [tuple(json.loads(line)[:2]) for line in self._lines]


def encode_shard(results: Sequence[RecordResult]) -> bytes:
    """Return the content of the shard file of these results."""
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
    path = folder / entry.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}", _REMEDY) from error
    if len(content) != entry.size:
        raise StoreError(
            f"{path}: has {len(content):,} bytes, the manifest says {entry.size:,}", _REMEDY
        )
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise StoreError(
            f"{path}: has SHA-256 {found[:12]}…, the manifest says {entry.sha256[:12]}…", _REMEDY
        )
    try:
        shard = Shard(content)
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path}: is no shard of a run store ({error})", _REMEDY) from error
    if len(shard) != entry.n_records:
        raise StoreError(
            f"{path}: has {len(shard)} records, the manifest says {entry.n_records}", _REMEDY
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
    )
    return json.dumps(columns).encode("ascii")
