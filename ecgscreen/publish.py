"""Files that are whole or not there: written beside their place, synced, then renamed."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
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

    The file lies in `path`'s folder, so that the rename is atomic, and only its owner may
    read it (mode 0600). Whoever opens `path` sees the old content or the new, never a part;
    if the body raises, the old file stays and the unfinished one is removed.

    Parameters
    ----------
    path
        The file to replace or to make. Its folder exists.

    Yields
    ------
    The name to write to. It is closed by the body.
    """
    descriptor, name = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=PART_SUFFIX, dir=path.parent
    )
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
        _sync(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync(path.parent)  # a rename is durable only when its folder is


def publish_bytes(path: Path, content: bytes) -> None:
    """Write a whole file (see `publishing`)."""
    with publishing(path) as part:
        part.write_bytes(content)


def publish_json(path: Path, document: Mapping[str, JsonValue]) -> None:
    """Write strict JSON: UTF-8, a number that is not finite as null (see `publishing`)."""
    text = json.dumps(_strict(document), ensure_ascii=False, allow_nan=False, indent=2)
    publish_bytes(path, f"{text}\n".encode())


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


def check_file_can_be(path: Path) -> None:
    """Refuse a file that could not be written, before the work that fills it.

    Raises
    ------
    UsageError
        If `path` is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder, expected a file", "name a file in it")
    if not path.parent.is_dir():
        raise UsageError(
            f"{path}: there is no folder {path.parent}", "make it first, or name another"
        )


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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
