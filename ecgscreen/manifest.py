"""The manifest of a run store: which files count, and what they were made with."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ecgscreen.errors import StoreError
from ecgscreen.publish import JsonValue, publish_json
from engines.regular_file import read_regular

FORMAT = "ecgscreen run store"
FORMAT_VERSION = 2

MAX_MANIFEST_BYTES = 1 << 28
"""Of a manifest: a million shards have fewer."""

REMEDY = "Restore the folder from a backup, or scan everything anew with --fresh."

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class FileEntry:
    """What the manifest knows of a file of the store.

    Attributes
    ----------
    name
        In the store's folder.
    sha256
        Of the whole file, in hexadecimal.
    size
        In bytes.
    """

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class ShardEntry(FileEntry):
    """What the manifest knows of a shard.

    Attributes
    ----------
    n_records
        Rows in it, those included that a later row replaces.
    """

    n_records: int


@dataclass(frozen=True)
class Manifest:
    """Which files count, and what they were made with.

    Attributes
    ----------
    shards
        In the order in which they were written: of two rows of a path the later one counts.
    provenance
        What the results depend on and the reports are made with. `ecgscreen.screening` says
        what a scan writes; the store only keeps it.
    runs
        The runs that made the rows, oldest first; each has its ``number``.
    attachments
        Files that belong to the results, by what they are.
    """

    shards: tuple[ShardEntry, ...] = ()
    provenance: Mapping[str, JsonValue] = field(default_factory=dict)
    runs: tuple[Mapping[str, JsonValue], ...] = ()
    attachments: Mapping[str, FileEntry] = field(default_factory=dict)

    @property
    def n_records(self) -> int:
        """Rows in all shards, those included that a later one replaces."""
        return sum(shard.n_records for shard in self.shards)

    def with_shard(self, shard: ShardEntry) -> Manifest:
        """Return a manifest that names one shard more."""
        return replace(self, shards=(*self.shards, shard))

    @property
    def names(self) -> frozenset[str]:
        """The files that count."""
        return frozenset(entry.name for entry in (*self.shards, *self.attachments.values()))

    def write(self, path: Path) -> None:
        """Publish the manifest as JSON."""
        known = {
            **vars(self),
            "shards": [vars(entry) for entry in self.shards],
            "attachments": {what: vars(entry) for what, entry in self.attachments.items()},
        }
        publish_json(path, {"format": FORMAT, "format_version": FORMAT_VERSION, **known})


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises
    ------
    StoreError
        If it is missing, no manifest, or of another format version.
    """
    try:
        content = read_regular(path, MAX_MANIFEST_BYTES + 1)
        if len(content) > MAX_MANIFEST_BYTES:
            raise ValueError(f"more than {MAX_MANIFEST_BYTES:,} bytes")
        document = json.loads(content)
        found = (document["format"], document["format_version"])
        if found != (FORMAT, FORMAT_VERSION):
            raise StoreError(
                f"{path}: {found[0]!r} version {found[1]!r}; {FORMAT!r} version "
                f"{FORMAT_VERSION} is expected",
                "Scan everything anew with --fresh, or into another folder.",
            )
        manifest = Manifest(
            shards=tuple(_checked(ShardEntry(**entry)) for entry in document["shards"]),
            provenance=_mapping(document["provenance"]),
            runs=tuple(_run(run) for run in document["runs"]),
            attachments={
                name: _checked(FileEntry(**entry))
                for name, entry in _mapping(document["attachments"]).items()
            },
        )
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}", REMEDY) from error
    except (AttributeError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path}: is no manifest of a run store ({error})", REMEDY) from error
    return manifest


def number_of(run: Mapping[str, JsonValue]) -> int:
    """Return the number of a run of `Manifest.runs`.

    Raises
    ------
    StoreError
        If it is no whole number.
    """
    number = run["number"]
    if not isinstance(number, int):
        raise StoreError(f"a run of number {number!r}, expected a whole number")
    return number


def entry_of(what: str, content: bytes) -> FileEntry:
    """Return the entry of a file with this content.

    Parameters
    ----------
    what
        Begins its name; the hash that ends it keeps a new run from overwriting a file of the
        last one.
    content
        The whole file.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    return FileEntry(f"{what}-{sha256[:12]}.npz", sha256, len(content))


def read_checked(folder: Path, entry: FileEntry) -> bytes:
    """Read a file of the store and check it against the manifest.

    Raises
    ------
    StoreError
        Naming the file, if it is missing, or of another size or hash.
    """
    path = folder / entry.name
    try:
        content = read_regular(path, entry.size + 1)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}", REMEDY) from error
    if len(content) != entry.size:
        has = f"{len(content):,} bytes" if len(content) < entry.size else "more bytes"
        raise StoreError(f"{path}: has {has}, the manifest says {entry.size:,}", REMEDY)
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise StoreError(
            f"{path}: has SHA-256 {found[:12]}…, the manifest says {entry.sha256[:12]}…", REMEDY
        )
    return content


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__}, expected an object")
    return value


_Entry = TypeVar("_Entry", bound=FileEntry)


def _checked(entry: _Entry) -> _Entry:
    if not isinstance(entry.name, str) or not _NAME.fullmatch(entry.name):
        raise ValueError(f"names a file outside its folder: {entry.name!r}")
    numbers = (entry.size, entry.n_records if isinstance(entry, ShardEntry) else 0)
    if not isinstance(entry.sha256, str) or not all(isinstance(each, int) for each in numbers):
        raise TypeError(f"size or hash of {entry.name}, expected a number and a text")
    return entry


def _run(value: object) -> dict[str, JsonValue]:
    run = _mapping(value)
    if not isinstance(run["number"], int):
        raise TypeError(f"a run of number {run['number']!r}, expected a whole number")
    return run
