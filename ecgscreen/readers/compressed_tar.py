"""A compressed tar as a file without a name, so that its members can be found again."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from io import BufferedReader
from types import MappingProxyType
from typing import IO

from ecgscreen.recording import RecordingError, SkipReason

MAX_XZ_MEMORY = 1 << 27
"""In bytes. ``xz -9`` needs half of it; a file may ask for 4 GiB, and would get them."""

_CHUNK = 1 << 20


def unpack_tar(packed: BufferedReader, suffix: str, check: Callable[[int], None]) -> IO[bytes]:
    """Unpack a compressed tar into a file without a name.

    Parameters
    ----------
    packed
        The archive, at its beginning.
    suffix
        Of `COMPRESSED`.
    check
        Called with the size in bytes that the file is about to have; raises where that is too much.

    Returns
    -------
    The tar, at its beginning; who closes it removes it.

    Raises
    ------
    tarfile.ReadError, EOFError, zlib.error, lzma.LZMAError
        If the archive is damaged.
    RecordingError
        TOO_LARGE if it needs more than `MAX_XZ_MEMORY`.
    OSError
        If it cannot be read, or there is no room for what is in it.
    """
    target: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the archive
    try:
        for chunk in COMPRESSED[suffix](packed):
            check(target.tell() + len(chunk))
            target.write(chunk)
        target.seek(0)
    except OSError as error:
        target.close()
        if error.errno is None:  # gzip and bz2 say so of damaged content
            raise tarfile.ReadError from error
        raise
    except BaseException:
        target.close()
        raise
    return target


def _of_gzip(packed: BufferedReader) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=packed) as source:
        while chunk := source.read(_CHUNK):
            yield chunk


def _of_bzip2(packed: BufferedReader) -> Iterator[bytes]:
    with bz2.BZ2File(packed) as source:
        while chunk := source.read(_CHUNK):
            yield chunk


def _of_xz(packed: BufferedReader) -> Iterator[bytes]:
    """Like ``lzma.LZMAFile``, which sets no limit on memory.

    Streams follow one another, with zeros between them (The .xz File Format 1.2.1, 2.2).
    """
    left = packed.read(_CHUNK)
    while left:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)
        while not stream.eof:
            if stream.needs_input and not left:
                left = packed.read(_CHUNK)
                if not left:
                    raise EOFError("the archive ends within a stream")
            yield _next_of_xz(stream, left)
            left = b""
        left = stream.unused_data.lstrip(b"\0")
        while not left and (read := packed.read(_CHUNK)):
            left = read.lstrip(b"\0")


def _next_of_xz(stream: lzma.LZMADecompressor, packed: bytes) -> bytes:
    try:
        return stream.decompress(packed, _CHUNK)
    except lzma.LZMAError as error:
        if "memory usage limit" not in str(error).casefold():
            raise
        raise RecordingError(
            SkipReason.TOO_LARGE,
            f"an archive that takes more than {MAX_XZ_MEMORY} bytes of memory to unpack",
        ) from error


COMPRESSED = MappingProxyType(
    {
        ".gz": _of_gzip,
        ".tgz": _of_gzip,
        ".bz2": _of_bzip2,
        ".tbz2": _of_bzip2,
        ".xz": _of_xz,
        ".txz": _of_xz,
    }
)
"""Last suffix of an archive's name, in small letters -> what unpacks it, piece by piece."""
