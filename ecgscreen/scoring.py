"""Scores from stored embeddings: the same bits on every machine, in every order."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

DIRECTION_STEP = 2.0**-20
"""Directions are whole multiples of this; see `score` for what that buys."""

_LARGEST = 2.0
"""No unit vector is that long, no component of one that large: leaves room for rounding."""
_WIDENED = 2.0**112
_BLOCK_NUMBERS = 1 << 17
"""Numbers that are scored at a time: 1 MB in float64, which a core's cache holds."""

LONG_S = 120.0
"""Recordings of more seconds are scored by their worst window: what a day holds for a minute would
vanish in the mean. Shorter ones, as electrocardiographs write them, by their windows' mean."""

NO_FLAG = -1
"""The flag of a diagnosis without threshold, and of a recording without score."""


def quantise_directions(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return unit vectors on a grid of 2^-20.

    The rounding moves a cosine by at most sqrt(D) 2^-21 (5.4e-6 for D = 128), far below what
    float16 does to the embeddings.

    Parameters
    ----------
    vectors
        shape (K, D): a row a diagnosis, of any length but zero.

    Returns
    -------
    float64, shape (K, D): unit vectors, each component a whole multiple of `DIRECTION_STEP`.

    Raises
    ------
    ValueError
        If a vector is zero or not finite.
    """
    rows = np.asarray(vectors, np.float64)
    if rows.ndim != 2:
        raise ValueError(f"directions have shape {rows.shape}, (K, D) is expected")
    units = np.array([_unit(row) for row in rows]).reshape(rows.shape)
    for k in np.flatnonzero(~np.isfinite(units).all(axis=1)):
        raise ValueError(f"direction {k} is zero or not finite: it points nowhere")
    return np.rint(units / DIRECTION_STEP) * DIRECTION_STEP


def score(embeddings: NDArray[np.float16], directions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the cosine of every embedding with every direction, exact to the last bit.

    A sum of floating-point products depends on its order, hence on the BLAS library, the
    number of threads, the batch. Here no rounding happens at all before the last step:

    - a finite float16 is a whole multiple of 2^-24, its smallest subnormal number;
    - a component of a direction is a whole multiple of 2^-20;
    - so each product, and each sum of products, is a whole multiple of 2^-44;
    - by Cauchy-Schwarz every partial sum, in any order, is at most ``|e| |d|`` in size. With no
      component of ``e`` above 2 and ``|d|`` below 2 that is 4 sqrt(D): 46 for D = 128.

    A float64 holds every multiple of 2^-44 up to 2^9 = 512 in size, enough for D up to 16,384.
    The float64 result is therefore the exact sum, whatever the order, with
    fused multiply-add or without, and the one rounding, to float32, is that of IEEE 754.

    Parameters
    ----------
    embeddings
        float16, shape (N, D): unit vectors; a row that is not finite stands for "none".
    directions
        float64, shape (K, D): from `quantise_directions`.

    Returns
    -------
    float32, shape (N, K); NaN in the rows without embedding.

    Raises
    ------
    ValueError
        If the sizes do not match, or the arrays are not such as make the sum exact.
    """
    if embeddings.dtype != np.float16 or directions.dtype != np.float64:
        raise ValueError(
            f"embeddings are {embeddings.dtype}, directions {directions.dtype}; "
            "float16 and float64 are expected"
        )
    if embeddings.shape[1:] != directions.shape[1:]:
        raise ValueError(
            f"embeddings of size {embeddings.shape[1:]} against directions of size "
            f"{directions.shape[1:]}"
        )
    if not np.array_equal(np.rint(directions / DIRECTION_STEP) * DIRECTION_STEP, directions):
        raise ValueError("directions are not multiples of 2^-20: use quantise_directions")
    longest = math.sqrt(np.einsum("kd,kd->k", directions, directions).max(initial=0.0))
    if longest > _LARGEST:
        raise ValueError(f"a direction of length {longest:.3g}, unit vectors are expected")
    scores = np.empty((embeddings.shape[0], directions.shape[0]), np.float32)
    n_rows = max(1, _BLOCK_NUMBERS // max(1, embeddings.shape[1]))
    columns = directions.T * _WIDENED
    for start in range(0, len(embeddings), n_rows):
        block = np.ascontiguousarray(embeddings[start : start + n_rows])
        result = scores[start : start + n_rows]
        result[...] = _widened(block) @ columns
        # Makes +0 of a -0, whose sign does depend on the order of the sum.
        result += np.float32(0)
        result[~_known(block)] = np.nan
    return scores


def _widened(numbers: NDArray[np.float16]) -> NDArray[np.float64]:
    """Return float16 numbers times 2^-112, with a few integer operations: exact, and fast.

    The bits of a float16 (sign, 5 of exponent, 10 of fraction) moved to where a float32 has them
    are that number with an exponent too small by 127 - 15 = 112, subnormal numbers too. Infinity
    and NaN become a large number; see `_known`.
    """
    bits = numbers.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= ~0x70001FFF  # copies of the sign, where the exponent has three bits more
    return bits.view(np.float32).astype(np.float64)


def _known(numbers: NDArray[np.float16]) -> NDArray[np.bool_]:
    """Tell which rows are finite, and refuse those that are longer than the exact sum allows."""
    sizes = numbers.view(np.uint16) & np.uint16(0x7FFF)  # in the order of the absolute values
    largest = np.float16(_LARGEST).view(np.uint16)
    if sizes.max(initial=0) <= largest:
        return np.ones(len(numbers), np.bool_)
    finite = sizes < np.float16(np.inf).view(np.uint16)
    known: NDArray[np.bool_] = np.logical_and.reduce(finite, axis=1)
    if (found := sizes[known].max(initial=0)) > largest:
        raise ValueError(
            f"an embedding with a component of {found.view(np.float16):.3g}, unit vectors are "
            "expected"
        )
    return known


def record_embedding(windows: NDArray[np.float16]) -> NDArray[np.float16]:
    """Return the one embedding of a recording: its windows' mean, of unit length again.

    The row of a single window is returned unchanged. Otherwise the sum is exact (multiples of
    2^-24, below 2^53 of them) and its length is correctly rounded, so that the result is the
    same on every machine.

    Parameters
    ----------
    windows
        float16, shape (n_windows, D), at least one.

    Returns
    -------
    float16, shape (D,); NaN if the windows cancel out, which leaves no direction.
    """
    if windows.shape[0] == 1:
        row: NDArray[np.float16] = windows[0]
        return row
    return _unit(windows.astype(np.float64).sum(axis=0)).astype(np.float16)


def worst_windows(scores: NDArray[np.float32], is_finding: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return which window of a long recording speaks for it, one a diagnosis.

    For a finding the window with the highest score, the first of equal ones; for what is normal
    the one with the lowest: a day is normal only if its worst ten seconds are.

    Parameters
    ----------
    scores
        float32, shape (n_windows, K), finite.
    is_finding
        bool, shape (K,).

    Returns
    -------
    intp, shape (K,).
    """
    chosen: NDArray[np.intp] = np.where(is_finding, scores.argmax(axis=0), scores.argmin(axis=0))
    return chosen


def flags(
    scores: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    seen: NDArray[np.bool_] | None = None,
) -> NDArray[np.int8]:
    """Compare scores with thresholds.

    Parameters
    ----------
    scores
        float32, shape (N, K); NaN where there is none.
    thresholds
        float64, shape (K,); NaN for a diagnosis that is ranked, not flagged.
    seen
        bool, shape (K,): diagnoses that the model met in training; None stands for all.

    Returns
    -------
    int8, shape (N, K): 1 where the score reaches the threshold, 0 where it does not, -1
    where either is missing. A diagnosis that was not seen has no 0, only -1: a model cannot
    say of what it has never met that it is not there.
    """
    # A float32 reaches a threshold exactly when it reaches the next float32 at or above it.
    least = thresholds.astype(np.float32)
    least = np.where(least < thresholds, np.nextafter(least, np.float32(np.inf)), least)
    ranked_only = np.flatnonzero(np.isnan(least))
    found = np.empty(scores.shape, np.int8)
    n_rows = max(1, _BLOCK_NUMBERS // max(1, len(least)))
    for start in range(0, len(scores), n_rows):  # while they are in the processor's cache
        part, result = scores[start : start + n_rows], found[start : start + n_rows]
        np.greater_equal(part, least, out=result.view(np.bool_))
        if seen is not None:
            result[(result == 0) & ~seen] = NO_FLAG
        result[:, ranked_only] = NO_FLAG
        missing = np.isnan(part)
        if missing.any():
            result[missing] = NO_FLAG
    return found


def percentiles(
    scores: NDArray[np.float32], reference_scores: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return where scores lie within a reference population, 0 to 100 (mid-rank).

    The percentile is the share of the population that scores lower, plus half the share that
    scores the same (the empirical form of P(X < x) + P(X = x) / 2).

    Parameters
    ----------
    scores
        float32, shape (N, K); NaN where there is none.
    reference_scores
        float32, shape (R, K), the population's scores; None where there is no population.

    Returns
    -------
    float32, shape (N, K), in percent; NaN without score or without population.
    """
    result = np.full(scores.shape, np.nan, np.float32)
    if reference_scores is None or reference_scores.shape[0] == 0:
        return result
    if reference_scores.shape[1] != scores.shape[1]:
        raise ValueError(
            f"{scores.shape[1]} scores a recording against {reference_scores.shape[1]} of the "
            "reference population"
        )
    if np.isnan(reference_scores).any():
        raise ValueError("the reference population has recordings without score")
    for k, column in enumerate(np.sort(reference_scores, axis=0).T):
        below = np.searchsorted(column, scores[:, k], "left")
        up_to = np.searchsorted(column, scores[:, k], "right")
        result[:, k] = 50.0 * (below + up_to) / len(column)
    result[np.isnan(scores)] = np.nan
    return result


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale to length one; NaN if there is no length. fsum: the same bits on every machine."""
    length = math.sqrt(math.fsum((vector * vector).tolist()))
    if not 0 < length < math.inf:
        return np.full(vector.shape, np.nan)
    return vector / length
