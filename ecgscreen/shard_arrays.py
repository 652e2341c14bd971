"""The arrays of a shard's file, and of what kind each is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.plain_arrays import npz_arrays

_ARRAYS = {
    "text": "uint8",
    "key": "uint8",
    "stamp": "uint8",
    "state": "uint8",
    "n_unlisted": "int32",
    "run": "int32",
    "made_s": "float64",
    "sampling_rate": "float64",
    "duration_s": "float64",
    "n_windows": "int64",
    "window_starts_s": "float32",
    "embeddings": "float16",
}


def shard_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Read the arrays of a shard, which `ecgscreen.shards` explains, by their names.

    Raises
    ------
    KeyError, TypeError, ValueError
        If one is missing, of another kind, or cannot be read.
    """
    arrays = dict(zip(_ARRAYS, npz_arrays(content, *_ARRAYS), strict=True))
    for name, array in arrays.items():
        if array.dtype != _ARRAYS[name]:
            raise TypeError(f"{name} is {array.dtype}, expected {_ARRAYS[name]}")
    return arrays


def expect_shape(column: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    """Raise ValueError unless an array has this shape."""
    if column.shape != shape:
        raise ValueError(f"a column of shape {column.shape}, expected {shape}")
