"""Scores from stored embeddings: the same bits on every machine, in every order."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

DIRECTION_STEP = 2.0**-20
"""Directions are whole multiples of this; see `score` for what that buys."""

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
    - by Cauchy-Schwarz every partial sum, in any order, is at most ``|e| |d|`` in size. Rounding
      to float16 lengthens a unit vector by less than 2^-11 + sqrt(D) 2^-25, rounding to the
      grid by less than sqrt(D) 2^-21: the bound stays below 1.001 for D up to 10^5.

    A float64 holds every multiple of 2^-44 up to 2^9 = 512 in size, five hundred times more
    than is needed. The float64 result is therefore the exact sum, whatever the order, with
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
    scores = np.full((embeddings.shape[0], directions.shape[0]), np.nan, np.float32)
    known = np.isfinite(embeddings).all(axis=1)
    rows = embeddings[known].astype(np.float64)
    for vectors in (rows, directions):
        longest = math.sqrt(np.einsum("nd,nd->n", vectors, vectors).max(initial=0.0))
        if longest > 2.0:
            raise ValueError(f"a vector of length {longest:.3g}, unit vectors are expected")
    # Adding zero makes +0 of a -0, whose sign does depend on the order of the sum.
    scores[known] = (rows @ directions.T + 0.0).astype(np.float32)
    return scores


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


def flags(scores: NDArray[np.float32], thresholds: NDArray[np.float64]) -> NDArray[np.int8]:
    """Compare scores with thresholds.

    Parameters
    ----------
    scores
        float32, shape (N, K); NaN where there is none.
    thresholds
        float64, shape (K,); NaN for a diagnosis that is ranked, not flagged.

    Returns
    -------
    int8, shape (N, K): 1 where the score reaches the threshold, 0 where it does not, -1
    where either is missing.
    """
    raised = (scores >= thresholds).astype(np.int8)
    return np.where(np.isnan(scores) | np.isnan(thresholds), np.int8(NO_FLAG), raised)


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
