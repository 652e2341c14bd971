"""Short SVG paths: only the points that the eye needs, as differences of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 2.0
"""How far the drawn line may lie from a sample, in drawing units: 0.1 mm, a third of the width
of the line."""

_PIECE = 16
"""Samples after which a point stands in any case: it costs four points in a hundred, and saves the
rounds in which nearly all samples are looked at again."""


def short_paths(curves: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> list[str]:
    """Return the ``d`` attribute of a path for each curve.

    Parameters
    ----------
    curves
        Pairs of x and y, both float64 of shape (n,), in drawing units; a NaN in y is a gap.

    Returns
    -------
    A text a curve, empty where nothing is finite. No finite sample lies further than
    `TOLERANCE`, and the rounding to whole units, from its path.
    """
    gapless = [(index, *run) for index, (x, y) in enumerate(curves) for run in runs(x, y)]
    paths = [""] * len(curves)
    if not gapless:
        return paths
    y_all = np.concatenate([y for _, _, y in gapless])
    ends = np.cumsum([len(y) for _, _, y in gapless])
    keep = _knots(y_all, ends)
    for (index, x, y), end in zip(gapless, ends.tolist(), strict=True):
        kept = keep[end - len(y) : end]
        paths[index] += _path(x[kept], y[kept])
    return paths


def runs(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Split a curve, x and y of shape (n,), where y has gaps."""
    finite = np.isfinite(y)
    if finite.all():
        return [(x, y)] if len(y) else []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], finite, [False]])))
    return [(x[a:b], y[a:b]) for a, b in edges.reshape(-1, 2).tolist()]


def _knots(y: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Choose points between which straight lines stay within the tolerance of all others.

    Ramer (Computer Graphics and Image Processing 1972) and Douglas and Peucker (Cartographica
    1973), with the deviation measured along y and all curves at once: in each round, every
    piece that strays too far is parted at its farthest sample, and only the parts are looked at
    again.
    """
    keep = np.zeros(len(y), np.bool_)
    keep[ends - 1] = True
    keep[0] = True
    keep[ends[:-1]] = True
    keep[::_PIECE] = True
    knots = np.flatnonzero(keep)
    first, last = knots[:-1], knots[1:]
    while True:
        n_inside = last - first - 1
        has_inside = n_inside > 0
        first, last, n_inside = first[has_inside], last[has_inside], n_inside[has_inside]
        if not len(first):
            return keep
        ends_inside = np.cumsum(n_inside)
        begins = ends_inside - n_inside
        places = np.arange(ends_inside[-1]) + np.repeat(first + 1 - begins, n_inside)
        slope = (y[last] - y[first]) / (last - first)
        deviation = places - np.repeat(first.astype(np.float64), n_inside)
        deviation *= np.repeat(slope, n_inside)
        deviation += np.repeat(y[first], n_inside)
        deviation -= y[places]
        np.abs(deviation, out=deviation)
        farthest = np.maximum.reduceat(deviation, begins)
        strays = farthest > TOLERANCE
        parted = places[deviation == np.repeat(np.where(strays, farthest, np.inf), n_inside)]
        keep[parted] = True
        first = _in_order(len(y), first[strays], parted)
        last = _in_order(len(y), last[strays], parted)


def _in_order(n: int, *places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places below n, each once, sorted by marking them: there are many of them."""
    marked = np.zeros(n, np.bool_)
    for each in places:
        marked[each] = True
    return np.flatnonzero(marked)


def _path(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    points = np.empty((len(x), 2), np.int64)
    points[:, 0], points[:, 1] = np.rint(x), np.rint(y)
    # A single sample between two gaps is a dot: a round cap on a line of no length.
    steps = np.diff(points, axis=0).ravel() if len(points) > 1 else np.zeros(2, np.int64)
    if np.abs(steps).max() < _N_STEPS:
        texts = map(_STEPS.__getitem__, steps.tolist())
    else:
        texts = map(_step, steps.tolist())
    return f"M{points[0, 0]} {points[0, 1]}l{''.join(texts).lstrip()}"


def _step(step: int) -> str:
    """A sign parts it from the number before it, or else a blank."""
    return str(step) if step < 0 else f" {step}"


_N_STEPS = 512
_STEPS = [*map(_step, range(_N_STEPS)), *map(_step, range(-_N_STEPS, 0))]
"""By the step, negative ones from the end: a look costs a third of making the text again."""
