"""Files that are whole or not there: written beside their place, synced, then renamed."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from ecgscreen.errors import StoreError, UsageError
from ecgscreen.results import report_text

JsonValue: TypeAlias = (
    "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)
"""What a JSON document may hold."""

PART_SUFFIX = ".part"
"""Ends the name of a file that is being written; one left behind is a crash's, and rubbish."""


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """Give the name of an empty file to write; at the end it takes `path`'s place.

    See `publishing_together`, of which this is the case of one file.
    """
    with publishing_together((path,)) as parts:
        yield parts[0]


@contextmanager
def publishing_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Give names of empty files to write; at the end they take the places of `paths`.

    The files lie in the folder of `paths`, so that a rename is atomic, and only their owner may
    read them (mode 0600). Whoever opens one of `paths` sees its old content or the new, never a
    part; if the body raises, or one file cannot be brought to the disk, all old files stay and
    the unfinished ones are removed. The renames come last, one behind the other: only a power
    cut between them leaves some files old.

    Parameters
    ----------
    paths
        The files to replace or to make, all in one folder, which exists.

    Yields
    ------
    The names to write to, in the same order. They are closed by the body.
    """
    parts: list[Path] = []
    try:
        for path in paths:
            descriptor, name = tempfile.mkstemp(
                prefix=f".{path.name}.", suffix=PART_SUFFIX, dir=path.parent
            )
            os.close(descriptor)
            parts.append(Path(name))
        yield parts
        for part in parts:
            sync(part)
        for part, path in zip(parts, paths, strict=True):
            part.replace(path)
    except BaseException:
        for part in parts:
            part.unlink(missing_ok=True)
        raise
    sync(paths[0].parent)  # a rename is durable only when its folder is


def publish_bytes(path: Path, content: bytes) -> None:
    """Write a whole file (see `publishing`)."""
    with publishing(path) as part:
        part.write_bytes(content)


def publish_json(path: Path, document: Mapping[str, JsonValue]) -> None:
    """Write strict JSON: UTF-8, a number that is not finite as null (see `publishing`)."""
    publish_bytes(path, json_bytes(document))


def json_bytes(document: Mapping[str, JsonValue]) -> bytes:
    """Return a document as strict JSON: UTF-8, a number that is not finite as null."""
    text = json.dumps(_strict(document), ensure_ascii=False, allow_nan=False, indent=2)
    return f"{text}\n".encode()


def json_line(document: Mapping[str, JsonValue]) -> str:
    """Return a document as strict JSON on one line, in ASCII: any terminal and pipe takes it."""
    return json.dumps(_strict(document), allow_nan=False)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, hexadecimal.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def storing(what: Path) -> Iterator[None]:
    """Turn a system's refusal to write into a sentence.

    Raises
    ------
    StoreError
        Naming `what`, where the body raised OSError.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{what}: cannot be written: {error.strerror or error}",
            "Look at the free space and the permissions of the folder, then start again.",
        ) from error


def check_file_can_be(path: Path, keys: Collection[str] | None = None) -> None:
    """Refuse a file that could not be written, before the work that fills it.

    Parameters
    ----------
    path
        The file to make.
    keys
        What it will have, if it is JSON. A file that is there is replaced only if it has them
        too: it is an older one of its kind, not a table or a list that was named by mistake.

    Raises
    ------
    UsageError
        If `path` is a folder or another file, or its folder does not exist.
    StoreError
        If the folder may not be written to.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder, expected a file", "Name a file in it.")
    if not path.parent.is_dir():
        raise UsageError(
            f"{path}: there is no folder {path.parent}", "Make it first, or name another."
        )
    if keys is not None and os.path.lexists(path) and not _has_keys(path, keys):
        raise UsageError(
            f"{path} exists, and this command has not made it", "Name another, or remove it first."
        )
    _check_writable(path.parent)


def check_folder_can_be(folder: Path) -> None:
    """Refuse a folder that could not be made or written to, before the work that fills it.

    Raises
    ------
    UsageError
        If it, or one that it would lie in, is a file.
    StoreError
        If it may not be written to.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise UsageError(
            f"{there} is no folder" + (f": {folder} cannot be made in it" * (there != folder)),
            "Name another.",
        )
    _check_writable(there)


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(
            f"{folder}: may not be written to", "Look at its permissions, or name another folder."
        )


def _has_keys(path: Path, keys: Collection[str]) -> bool:
    try:
        document = json.loads(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and set(keys) <= document.keys()


def make_private_folder(folder: Path) -> None:
    """Make `folder` and its parents where missing; the new one only for its owner (0700)."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files that a crash left in `folder`: they hold patients' paths."""
    for part in folder.glob(f".*{PART_SUFFIX}"):
        part.unlink(missing_ok=True)


def _strict(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return report_text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {report_text(key): _strict(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_strict(item) for item in value]
    return value


def sync(path: Path) -> None:
    """Bring a file's content to the disk, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
