"""Arrays out of NPY and NPZ files that somebody else wrote: numbers, flags and texts, no objects.

The header of an NPY file is a dictionary in Python's grammar (NEP 1). It is matched, not
evaluated; and nothing is allocated because a header or a directory claims to be large.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEAD_BYTES = 16 * 1024
"""From the beginning of an NPY file: more than any header has."""

MAX_UNPACKED_BYTES, MAX_RATIO = 1 << 24, 20
"""More than the first is unpacked only if it is at most so many times as large as it is packed."""

_HEADER = re.compile(
    rb"""\{\s* 'descr':\s* '(?P<descr>[<>|=]?(?:[iu][1248]|f[248]|b1|U[1-9]\d{0,4}))' ,\s*
         'fortran_order':\s* (?P<fortran>True|False) ,\s*
         'shape':\s* \((?P<shape>(?:\s*\d{1,15}\s*,){0,8}(?:\s*\d{1,15})?)\s*\) ,?\s* \}\s*""",
    re.VERBOSE,
)
_KINDS = {"f": "finite numbers", "b": "flags", "U": "texts"}
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_WHAT_ZIPFILE_RAISES = (
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""On content that it does not expect, beside what a caller handles anyway."""


def npy_header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Read the header of an NPY file of version 1 or 2.

    Parameters
    ----------
    head
        The first `HEAD_BYTES` bytes of it, or all of a shorter one.

    Returns
    -------
    The shape, whether columns come first, the type of a number, and where the numbers begin.

    Raises
    ------
    ValueError
        If it is none, or of something else than numbers, flags and texts.
    """
    length_bytes = {b"\1": 2, b"\2": 4}.get(head[6:7], 0)
    length = int.from_bytes(head[8 : 8 + length_bytes], "little")
    offset = 8 + length_bytes + length
    match = _HEADER.fullmatch(head[8 + length_bytes : offset])
    if head[:6] != b"\x93NUMPY" or match is None:
        raise ValueError("no NPY file of version 1 or 2 with an array of plain values")
    shape = tuple(int(size) for size in match["shape"].split(b",") if size.strip())
    return shape, match["fortran"] == b"True", np.dtype(match["descr"].decode("ascii")), offset


def npz_arrays(content: bytes, *names: str) -> list[NDArray[Any]]:
    """Read some arrays of an NPZ file; they can be written to.

    Parameters
    ----------
    content
        The file.
    names
        Of the arrays, in the order in which they are wanted.

    Raises
    ------
    KeyError
        If it holds no array of such a name.
    ValueError
        Whatever else is wrong with it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [_array(archive, f"{name}.npy", len(content)) for name in names]
    except _WHAT_ZIPFILE_RAISES as error:
        raise ValueError(f"no NPZ file: {error}") from error


def expect_array(name: str, array: NDArray[Any], kind: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless an array is of a kind and a shape, and its numbers finite.

    Parameters
    ----------
    name
        For the message.
    array
        What was read.
    kind
        ``f`` (floating-point numbers), ``b`` (flags) or ``U`` (texts).
    shape
        The only one that is right.
    """
    right = array.dtype.kind == kind and array.shape == shape
    if not right or (kind == "f" and not np.isfinite(array).all()):
        raise ValueError(
            f"{name} is {array.dtype} of shape {array.shape}, expected {_KINDS[kind]} of shape "
            f"{shape}"
        )


def _array(archive: zipfile.ZipFile, name: str, packed: int) -> NDArray[Any]:
    member = archive.getinfo(name)
    if member.compress_type not in _METHODS:
        raise ValueError(f"{name} is compressed by method {member.compress_type}, expected deflate")
    if member.file_size > max(MAX_UNPACKED_BYTES, MAX_RATIO * packed):
        raise ValueError(f"{name} has {member.file_size} bytes, in a file of {packed}")
    with archive.open(member) as file:
        # No more than the directory says, and less if that was a lie.
        unpacked = bytearray(file.read(member.file_size))
    shape, column_major, dtype, offset = npy_header(bytes(unpacked[:HEAD_BYTES]))
    count = math.prod(shape)
    expected = offset + count * dtype.itemsize
    if len(unpacked) != expected:
        raise ValueError(f"{name} has {len(unpacked)} bytes, expected {expected}")
    flat = np.frombuffer(unpacked, dtype, count, offset) if count else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if column_major else "C")
