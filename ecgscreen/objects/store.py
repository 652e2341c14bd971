"""The one door to object storage: fsspec's file systems, and what they raise.

Listing, stamps and ranges of objects, as futures where many are under way at once. fsspec runs
them in a thread of its own, which nothing waits for at the end of the program. What its file
systems and the vendors' packages raise becomes `FileNotFoundError`, `PermissionError` or
`ObjectStoreError`, without the texts of a server, which may repeat what was sent to it.

A stamp is made of a listing alone: the size, the second of the last writing, and in the place of
its fraction 30 bits of the ETag. A server tells fractions in one answer and not in another.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ecgscreen.errors import MissingExtraError, UsageError
from ecgscreen.objects.address import spelled
from ecgscreen.objects.errors import ObjectStoreError

CONNECTIONS = 32
"""To the store, of a process."""

_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "s3": {"config_kwargs": {"max_pool_connections": CONNECTIONS}},
    "memory": {},
}
_TIMES = ("LastModified", "created")
_NS = 10**9
_CODE = re.compile(r"[A-Za-z0-9.]{1,64}")
_CREDENTIALS = re.compile(r"credential|token|InvalidAccessKeyId|SignatureDoesNotMatch", re.I)


class Entry(NamedTuple):
    """What a listing says of an object, or of a folder of objects."""

    name: str
    """Without its folder's."""
    is_folder: bool
    size: int
    """In bytes."""
    mtime_ns: int
    """See the module."""


class Listing:
    """A listing under way.

    Parameters
    ----------
    folder
        The path that stands for it.
    """

    def __init__(self, folder: Path) -> None:
        system = file_system(_protocol(folder))
        self._future = _started(system, "ls", _key(folder), detail=True)

    def entries(self) -> Iterator[Entry]:
        """Wait for it; give what is in the folder, in no particular order.

        Raises
        ------
        FileNotFoundError, PermissionError, ObjectStoreError
            If it cannot be listed.
        """
        with _understood():
            found = self._future.result()
        # As the file system gives them they take a kilobyte each.
        self._future = Future()
        while found:
            entry = found.pop()
            if entry["name"].endswith("/") and entry["type"] != "directory":
                continue  # what some programs put in the place of a folder
            yield _entry(entry)


class Range:
    """A part of an object under way.

    Parameters
    ----------
    path
        The object.
    start, stop
        Of the bytes.
    """

    def __init__(self, path: Path | str, start: int, stop: int) -> None:
        self.start, self.stop = start, stop
        self._future: Future[bytes] | None = None
        if stop > start:
            system = file_system(_protocol(path))
            self._future = _started(system, "cat_file", _key(path), start=start, end=stop)

    def content(self) -> bytes:
        """Wait for it; fewer bytes than asked for if the object ends before.

        Raises
        ------
        FileNotFoundError, PermissionError, ObjectStoreError
            If it cannot be had.
        """
        if self._future is None:
            return b""
        with _understood():
            return self._future.result()

    def cancel(self) -> None:
        """Give it up."""
        if self._future is not None:
            self._future.cancel()


def look_at(path: Path | str) -> Entry:
    """Ask for one object.

    Raises
    ------
    FileNotFoundError, PermissionError, ObjectStoreError
        If it is not there, or nobody says.
    """
    system = file_system(_protocol(path))
    with _understood():
        return _entry(_started(system, "info", _key(path)).result())


def look_at_root(root: Path) -> Entry:
    """Ask for what a user named: first whether objects lie below it, which needs no other right.

    Raises
    ------
    FileNotFoundError, PermissionError, ObjectStoreError
        As `look_at`.
    """
    protocol = _protocol(root)
    if protocol == "s3":
        bucket, _, prefix = _key(root).partition("/")
        query = {"Bucket": bucket, "Prefix": f"{prefix}/" if prefix else "", "MaxKeys": 1}
        with _understood():
            found = _started(file_system(protocol), "call_s3", "list_objects_v2", **query).result()
        if found.get("KeyCount"):
            return Entry(root.name, True, 0, 0)
    return look_at(root)


def is_there(path: Path) -> bool:
    """Whether there is such an object, or one below a folder of this name.

    Raises
    ------
    PermissionError, ObjectStoreError
        If nobody says.
    """
    try:
        look_at(path)
    except FileNotFoundError:
        return False
    return True


def check_root(root: Path) -> None:
    """Look at what a user named, before anything else is done.

    Raises
    ------
    UsageError
        If it is not there, or cannot be looked at, with what to do about it.
    MissingExtraError
        If the packages are not installed.
    """
    address = spelled(root)
    try:
        look_at_root(root)
    except FileNotFoundError as error:
        raise UsageError(
            f"{address} does not exist", "Name a bucket, and a prefix that objects have."
        ) from error
    except PermissionError as error:
        raise UsageError(
            f"{address}: access is denied",
            "Its credentials have to permit listing and reading (see docs/scaling.md).",
        ) from error
    except ObjectStoreError as error:
        advice = "See that the store runs, and that AWS_ENDPOINT_URL names it unless it is AWS."
        if _CREDENTIALS.search(error.code):
            advice = "Give credentials by the environment, a profile or the machine's role."
        raise UsageError(f"{address}: {error}", advice) from error


def _protocol(path: Path | str) -> str:
    return str(path)[2:].partition(":/")[0]


def _key(path: Path | str) -> str:
    """As fsspec calls the object: ``bucket/key``."""
    return str(path)[2:].partition(":/")[2]


@cache
def file_system(protocol: str) -> Any:
    """Return the file system of fsspec, once a process, as the environment sets it up.

    Raises
    ------
    MissingExtraError
        If a package that it needs is not installed.
    """
    try:
        import fsspec

        options = {**_OPTIONS[protocol], **_configured(fsspec.config.conf.get(protocol))}
        system = fsspec.filesystem(
            protocol, skip_instance_cache=True, use_listings_cache=False, **options
        )
    except ImportError as error:
        raise MissingExtraError(
            f"{protocol}:// needs the packages fsspec and s3fs", "pip install 'ecgscreen[s3]'"
        ) from error
    # What is tried again, and what failed, is no news for the terminal.
    for name in ("fsspec", "s3fs", "botocore", "aiobotocore", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return system


def _configured(options: object) -> dict[str, Any]:
    """What the site has in fsspec's own configuration: ``FSSPEC_S3_ANON=true``."""
    return dict(options) if isinstance(options, Mapping) else {}


def _started(system: Any, call: str, *arguments: object, **options: object) -> Future[Any]:
    """Start a call; on a file system that has no thread of its own it is done at once."""
    if system.async_impl:
        import asyncio

        coroutine = getattr(system, f"_{call}")(*arguments, **options)
        return asyncio.run_coroutine_threadsafe(coroutine, system.loop)
    future: Future[Any] = Future()
    try:
        future.set_result(getattr(system, call)(*arguments, **options))
    except OSError as error:
        future.set_exception(error)
    return future


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        # Without the error behind it, which may quote the server; so below.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
    except PermissionError as error:
        code = _code(error)
        if code is not None and _CREDENTIALS.search(code):
            raise ObjectStoreError(code) from None
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
    except _raised() as error:
        raise ObjectStoreError(_code(error) or type(error).__name__) from None


@cache
def _raised() -> tuple[type[BaseException], ...]:
    """What comes out of fsspec's file systems."""
    always = (OSError, TimeoutError, CancelledError, ValueError)
    try:
        import aiohttp
        import botocore.exceptions
    except ImportError:
        return always
    of_s3 = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
    return (*always, *of_s3, aiohttp.ClientError)


def _code(error: BaseException | None) -> str | None:
    """The error's own code in S3's answer, or the name of the package's exception."""
    name = None
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, Mapping):
            code = str(response.get("Error", {}).get("Code", ""))
            if _CODE.fullmatch(code):
                return code
        if type(error).__module__.startswith("botocore"):
            name = type(error).__name__
        error = error.__cause__
    return name


def _entry(entry: Mapping[str, Any]) -> Entry:
    name = entry["name"].rpartition("/")[2]
    is_folder = entry["type"] == "directory"
    size = 0 if is_folder else int(entry["size"] or 0)
    return Entry(name, is_folder, size, 0 if is_folder else _mtime_ns(entry))


def _mtime_ns(entry: Mapping[str, Any]) -> int:
    time = next((entry[key] for key in _TIMES if entry.get(key)), 0.0)
    seconds = time.timestamp() if isinstance(time, datetime) else float(time)
    tag = str(entry.get("ETag") or seconds).strip('"')
    digest = hashlib.blake2b(tag.encode(), digest_size=8).digest()
    return int(seconds) * _NS + int.from_bytes(digest, "big") % _NS
