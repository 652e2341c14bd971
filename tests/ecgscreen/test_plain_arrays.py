"""Arrays of files that lie: refused with a sentence, and before memory is taken."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.plain_arrays import HEAD_BYTES, npy_header, npz_arrays

ARRAYS: dict[str, NDArray[Any]] = {
    "numbers": np.arange(12, dtype=np.float32).reshape(3, 4),
    "columns": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
    "flags": np.array([True, False]),
    "texts": np.array(["AFIB", "\N{GREEK SMALL LETTER MU}V"]),
    "nothing": np.empty((0, 5), np.float16),
    "one": np.array(3.5),
}


def npz(save: Any = np.savez, **arrays: Any) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a.npy", content)
    return buffer.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back(save: Any) -> None:
    for found, expected in zip(
        npz_arrays(npz(save, **ARRAYS), *ARRAYS), ARRAYS.values(), strict=True
    ):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert np.array_equal(found, expected)
        assert found.flags.writeable


def test_an_array_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="gone"):
        npz_arrays(npz(**ARRAYS), "numbers", "gone")


BOMB = zipped(bytes(1 << 25), zipfile.ZIP_DEFLATED)
SPOILED_STREAM = zipped(npy(np.arange(300)), zipfile.ZIP_DEFLATED).replace(b"\x63", b"\xff", 2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no NPZ file"),
        (b"PK\3\4 nothing", "no NPZ file"),
        (SPOILED_STREAM, "no NPZ file"),
        (zipped(b"no array"), "no NPY file"),
        (zipped(npy(np.zeros(3)) + b"\0"), "153 bytes, expected 152"),
        (zipped(npy(np.zeros(3))[:-1]), "151 bytes, expected 152"),
        (zipped(npy(np.zeros(3)).replace(b"(3,)", b"(9,)")), "expected 200"),
        (zipped(npy(np.zeros(3)).replace(b"(3,), }   ", b"(30000000,), }"[:10])), "no NPY file"),
        (zipped(npy(np.zeros(3)).replace(b"'<f8'", b"'|O' ")), "no NPY file"),
        (zipped(npy(np.zeros(3)).replace(b"'<f8'", b"__f8_")), "no NPY file"),
        (zipped(npy(np.zeros(3)), zipfile.ZIP_LZMA), "compressed by method 14, expected deflate"),
        (BOMB, "has 33554432 bytes, in a file of"),
        (npz(a=np.array([{}], object)), "no NPY file"),
        (npz(a=np.zeros(2, "M8[s]")), "no NPY file"),
    ],
)
def test_what_is_none_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        npz_arrays(content, "a")


def test_every_byte_of_a_file_may_be_another() -> None:
    content = npz(np.savez_compressed, a=np.arange(50, dtype=np.int16))
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 0x55
        try:
            (found,) = npz_arrays(bytes(changed), "a")
        except (KeyError, ValueError):
            continue
        assert np.array_equal(found, np.arange(50))  # the checksum holds


def test_a_header_says_where_the_numbers_begin() -> None:
    content = npy(np.zeros((2, 3), np.int16))
    assert npy_header(content[:HEAD_BYTES]) == ((2, 3), False, np.dtype("<i2"), len(content) - 12)
