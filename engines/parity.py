"""How far two engines differ on one encoder, and how far they may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOLERANCES = {"f32": 1e-4, "f16": 1e-2, "bf16": 1e-2}
"""By precision: of a score, which is a cosine, and of the cosine between two embeddings of one
window, which is 1 where they are the same."""


@dataclass(frozen=True)
class Parity:
    """Embeddings of the same windows by two engines.

    Attributes
    ----------
    n
        Windows.
    largest_difference
        Of one number of an embedding.
    smallest_cosine
        Between the two embeddings of a window.
    """

    n: int
    largest_difference: float
    smallest_cosine: float

    def holds(self, tolerance: float) -> bool:
        """Whether each pair lies within a cosine of 1 less the tolerance; NaN does not."""
        return self.smallest_cosine >= 1 - tolerance


def compare(found: NDArray[np.float32], expected: NDArray[np.float32]) -> Parity:
    """Compare embeddings, float32 (N, D) each, row by row; N is at least 1."""
    f, e = found.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(f, axis=1) * np.linalg.norm(e, axis=1)
    return Parity(
        n=len(found),
        largest_difference=float(np.abs(f - e).max()),
        smallest_cosine=float(((f * e).sum(axis=1) / lengths).min()),
    )
