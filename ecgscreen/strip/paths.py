"""Short SVG paths: only the points that the eye needs, as differences of whole numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgscreen.strip.knots import choose_knots


def short_paths(curves: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> list[str]:
    """Return the ``d`` attribute of a path for each curve.

    Parameters
    ----------
    curves
        Pairs of x and y, both float64 of shape (n,), in drawing units; a NaN in y is a gap.

    Returns
    -------
    A text a curve, empty where nothing is finite. No finite sample lies further than
    `ecgscreen.strip.knots.TOLERANCE`, and the rounding to whole units, from its path.
    """
    gapless = [(index, *run) for index, (x, y) in enumerate(curves) for run in runs(x, y)]
    paths = [""] * len(curves)
    if not gapless:
        return paths
    kept = choose_knots([y for _, _, y in gapless])
    for (index, x, y), keep in zip(gapless, kept, strict=True):
        paths[index] += _path(x[keep], y[keep])
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


def _path(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    points = np.rint([x, y]).T.astype(np.int64)
    # A single sample between two gaps is a dot: a round cap on a line of no length.
    steps = np.diff(points, axis=0).ravel() if len(points) > 1 else np.zeros(2, np.int64)
    if np.abs(steps).max() < _N_STEPS:
        text = _STEPS[steps].tobytes().translate(None, b"\0").decode("ascii")
    else:
        text = "".join(map(_step, steps.tolist()))
    return f"M{points[0, 0]} {points[0, 1]}l{text.lstrip()}"


def _step(step: int) -> str:
    """A sign parts it from the number before it, or else a blank."""
    return str(step) if step < 0 else f" {step}"


_N_STEPS = 512
_STEPS = np.array([*map(_step, range(_N_STEPS)), *map(_step, range(-_N_STEPS, 0))], np.bytes_)
"""By the step, negative ones from the end: a look is much shorter than making the text again."""
