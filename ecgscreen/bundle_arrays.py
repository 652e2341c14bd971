"""Arrays out of a bundle's NPZ files: numbers and texts, no pickle, no more than fits."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_UNPACKED_BYTES = 1 << 31
"""Of all arrays of a file together; that of a reference population has 6 MB."""


def arrays_in(content: bytes, *keys: str) -> list[NDArray[Any]]:
    """Read arrays of an NPZ file.

    Parameters
    ----------
    content
        The file.
    keys
        The arrays' names in it.

    Returns
    -------
    The arrays, in the order of `keys`.

    Raises
    ------
    ValueError
        If it is no NPZ file, has no such array, needs a pickle, or unpacks to more than
        `MAX_UNPACKED_BYTES`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            n_bytes = sum(member.file_size for member in archive.infolist())
        if n_bytes > MAX_UNPACKED_BYTES:
            raise ValueError(f"{n_bytes} bytes of arrays, the limit is {MAX_UNPACKED_BYTES}")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return [arrays[key] for key in keys]
    except MemoryError as error:  # an array's own header may say anything
        raise ValueError("it wants more memory than there is") from error
    except (KeyError, TypeError, RuntimeError, OSError, EOFError) as error:
        raise ValueError(str(error)) from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(str(error)) from error
