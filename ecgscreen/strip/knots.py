"""Which samples of a curve are enough to draw it by straight lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 2.0
"""How far the drawn line may lie from a sample, in drawing units: 0.1 mm, a third of the width
of the line."""

_PIECE = 16
"""Samples after which a point stands in any case, so that all pieces of all curves are walked
through at once: it costs one to five points in a hundred."""


def choose_knots(curves: Sequence[NDArray[np.float64]]) -> list[NDArray[np.bool_]]:
    """Choose samples between which straight lines stay within `TOLERANCE` of all others.

    By the intersection of cones (Williams, Computer Graphics and Image Processing 1978; Sklansky
    and Gonzalez, Pattern Recognition 1980), with the deviation measured along y: from the last
    knot on, each sample narrows the slopes by which a line passes it within the tolerance. Where
    the line to the next sample is none of these, the one before becomes a knot.

    Parameters
    ----------
    curves
        Finite y, float64, each of shape (n,) with n > 0: the samples are evenly spaced.

    Returns
    -------
    bool, shape (n,), a curve: true at its first and its last sample, and where else one is needed.
    """
    n_pieces = np.array([-(-len(y) // _PIECE) for y in curves])
    last_pieces = np.cumsum(n_pieces) - 1
    firsts = ((last_pieces + 1 - n_pieces) * _PIECE).tolist()
    all_pieces = np.empty((n_pieces.sum(), _PIECE))
    samples = all_pieces.ravel()
    for y, first, end in zip(curves, firsts, [*firsts[1:], len(samples)], strict=True):
        samples[first : first + len(y)] = y
        samples[first + len(y) : end] = y[-1]
    # A row a step: the samples of all pieces, and at last those that the next pieces begin with.
    steps = np.empty((_PIECE + 1, len(all_pieces)))
    steps[:-1] = all_pieces.T
    steps[-1, :-1] = steps[0, 1:]
    steps[-1, last_pieces] = steps[-2, last_pieces]
    chosen = np.ascontiguousarray(_walk(steps).T).ravel()
    kept = [chosen[first : first + len(y)] for y, first in zip(curves, firsts, strict=True)]
    for each in kept:
        each[-1] = True
    return kept


def _walk(steps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which samples of the pieces are knots, see `choose_knots`.

    Parameters
    ----------
    steps
        float64, shape (n + 1, m): sample by sample of m pieces, and the one behind each.

    Returns
    -------
    bool, shape (n, m).
    """
    is_knot = np.zeros((len(steps) - 1, steps.shape[1]), np.bool_)
    is_knot[0] = True
    knot, knot_step = steps[0].copy(), np.zeros(steps.shape[1])
    least, most = np.full((2, steps.shape[1]), ((-np.inf,), (np.inf,)))
    for step in range(1, len(steps)):
        run = step - knot_step
        slope = (steps[step] - knot) / run
        left = np.flatnonzero((slope < least) | (slope > most))
        before = steps[step - 1, left]
        is_knot[step - 1, left] = True
        knot[left], knot_step[left], run[left] = before, step - 1, 1
        slope[left] = steps[step, left] - before
        least[left], most[left] = -np.inf, np.inf
        allowed = TOLERANCE / run
        np.maximum(least, slope - allowed, out=least)
        np.minimum(most, slope + allowed, out=most)
    return is_knot
