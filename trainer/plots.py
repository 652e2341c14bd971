"""Curves and reliability as SVG: a panel a class, without script or reference to anything."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.publish import publish_bytes, storing
from trainer.curves import Curve, Scored, curve
from trainer.metrics import auc, measurable
from trainer.platt import MIN_POSITIVES_TO_LEARN
from trainer.reliability import calibration_error, reliability_bins

FILES = ("roc.svg", "precision-recall.svg", "reliability.svg")

_COLUMNS = 4
_SIDE, _LEFT, _TOP, _RIGHT, _BOTTOM = 180, 44, 40, 16, 40
_PANEL_WIDTH, _PANEL_HEIGHT = _LEFT + _SIDE + _RIGHT, _TOP + _SIDE + _BOTTOM
_HEAD = 34
_INK, _SOFT, _MARK = "#1f5fa8", "#999", "#b3470e"
_Z_95 = 1.96


@dataclass(frozen=True)
class _Panel:
    """One square: its heading, its second line, its axes' names, and what is drawn in it."""

    title: str
    said: str
    across: str
    up: str
    drawn: str


def write_plots(folder: Path, scored: Scored, about: str) -> tuple[Path, ...]:
    """Write `FILES`; those of which nothing can be shown are left out.

    Parameters
    ----------
    folder
        Made if it is not there.
    scored
        The classes; those with too few positives or negatives for an AUC are left out.
    about
        The set and the task, for the heading.

    Returns
    -------
    The files.

    Raises
    ------
    StoreError
        If they cannot be written.
    """
    kinds = (
        ("Receiver operating characteristic", _roc_panels(scored)),
        ("Precision and recall (AP: average precision)", _precision_panels(scored)),
        ("Reliability, 15 parts of equal number", _reliability_panels(scored)),
    )
    written = []
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, (title, panels) in zip(FILES, kinds, strict=True):
            if shown := list(panels):
                drawing = _page(f"{title}: {about}", shown)
                publish_bytes(folder / name, drawing.encode())
                written.append(folder / name)
    return tuple(written)


def _curves(scored: Scored) -> Iterator[tuple[int, Curve]]:
    for k in np.flatnonzero(measurable(scored.positive)).tolist():
        yield k, curve(scored.scores[:, k], scored.positive[:, k])


def _roc_panels(scored: Scored) -> Iterator[_Panel]:
    for k, found in _curves(scored):
        area = auc(scored.scores[:, k], scored.positive[:, k])
        x = np.concatenate([[0.0], found.false_positive_rate])
        y = np.concatenate([[0.0], found.recall])
        yield _Panel(
            scored.names[k],
            f"AUC {area:.3f}, {int(scored.positive[:, k].sum())} positive",
            "1 - specificity",
            "sensitivity",
            _line([0, 1], [0, 1], _SOFT) + _line(x, y) + _roc_mark(scored, k),
        )


def _roc_mark(scored: Scored, k: int) -> str:
    """Where the operating point lies."""
    if math.isnan(scored.thresholds[k]):
        return ""
    flagged, positive = scored.scores[:, k] >= scored.thresholds[k], scored.positive[:, k]
    return _dot(float(flagged[~positive].mean()), float(flagged[positive].mean()))


def _precision_panels(scored: Scored) -> Iterator[_Panel]:
    for k, found in _curves(scored):
        share = found.prevalence
        # A step: up to each recall its own precision.
        x = np.repeat(np.concatenate([[0.0], found.recall]), 2)[1:-1]
        y = np.repeat(found.precision, 2)
        yield _Panel(
            scored.names[k],
            f"AP {found.average_precision:.3f}, at random {share:.3f}",
            "recall",
            "precision",
            _line([0, 1], [share, share], _SOFT) + _line(x, y) + _precision_mark(scored, k),
        )


def _precision_mark(scored: Scored, k: int) -> str:
    flagged, positive = scored.scores[:, k] >= scored.thresholds[k], scored.positive[:, k]
    if not flagged.any():
        return ""
    return _dot(float(flagged[positive].mean()), float(positive[flagged].mean()))


def _reliability_panels(scored: Scored) -> Iterator[_Panel]:
    """All calibrated classes pooled, then each with enough positives."""
    known = np.isfinite(scored.probabilities).all(axis=0)
    n_positive = scored.positive.sum(axis=0)
    enough = np.minimum(n_positive, len(scored.positive) - n_positive) >= MIN_POSITIVES_TO_LEARN
    shown = np.flatnonzero(known & enough).tolist()
    if not shown:
        return
    together = (scored.probabilities[:, shown].T.ravel(), scored.positive[:, shown].T.ravel())
    yield _reliability(f"all {len(shown)} classes", *together)
    for k in shown:
        yield _reliability(scored.names[k], scored.probabilities[:, k], scored.positive[:, k])


def _reliability(
    title: str, probability: NDArray[np.float32], positive: NDArray[np.bool_]
) -> _Panel:
    bins = reliability_bins(probability, positive)
    drawn = _line([0, 1], [0, 1], _SOFT)
    points = (bins.probability.tolist(), bins.frequency.tolist(), bins.counts.tolist())
    for p, share, n in zip(*points, strict=True):
        low, high = wilson_interval(share, n)
        drawn += _line([p, p], [low, high]) + _dot(p, share, _INK, 3)
    return _Panel(
        title,
        f"calibration error {calibration_error(probability, positive):.3f}",
        "probability",
        "share of positives (95 %)",
        drawn,
    )


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """95 % of a share of n, recordings taken one by one (Wilson, JASA 1927)."""
    middle = (share + _Z_95**2 / (2 * n)) / (1 + _Z_95**2 / n)
    spread = share * (1 - share) / n + _Z_95**2 / (4 * n**2)
    half = _Z_95 * math.sqrt(spread) / (1 + _Z_95**2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def _page(title: str, panels: Sequence[_Panel]) -> str:
    n_columns = min(_COLUMNS, len(panels))
    width = max(n_columns * _PANEL_WIDTH, 10 + 7 * len(title))
    height = _HEAD + -(-len(panels) // n_columns) * _PANEL_HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" role="img">',
        f'<title>{escape(title)}</title><rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="10" y="22" font-size="14">{escape(title)}</text>',
    ]
    for k, panel in enumerate(panels):
        x, y = (k % n_columns) * _PANEL_WIDTH, _HEAD + (k // n_columns) * _PANEL_HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{_panel(panel)}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: _Panel) -> str:
    bottom, right = _TOP + _SIDE, _LEFT + _SIDE
    ticks = "".join(
        f'<text x="{_x(tick)}" y="{bottom + 14}" text-anchor="middle">{tick:g}</text>'
        f'<text x="{_LEFT - 6}" y="{_y(tick)}" text-anchor="end" dy="4">{tick:g}</text>'
        for tick in (0.0, 0.5, 1.0)
    )
    middle = _TOP + _SIDE // 2
    return (
        f'<text x="{_LEFT}" y="16" font-weight="bold">{escape(panel.title)}</text>'
        f'<text x="{_LEFT}" y="32">{escape(panel.said)}</text>'
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" '
        f'stroke="{_SOFT}"/>{ticks}'
        f'<text x="{(_LEFT + right) // 2}" y="{bottom + 30}" text-anchor="middle">'
        f"{escape(panel.across)}</text>"
        f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(panel.up)}</text>{panel.drawn}"
    )


def _line(
    x: Sequence[float] | NDArray[np.float64],
    y: Sequence[float] | NDArray[np.float64],
    colour: str = _INK,
) -> str:
    points = " ".join(f"{_x(a)},{_y(b)}" for a, b in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}"/>'


def _dot(x: float, y: float, colour: str = _MARK, radius: int = 4) -> str:
    return f'<circle cx="{_x(x)}" cy="{_y(y)}" r="{radius}" fill="{colour}"/>'


def _x(value: float) -> str:
    return f"{_LEFT + value * _SIDE:.1f}"


def _y(value: float) -> str:
    return f"{_TOP + (1 - value) * _SIDE:.1f}"
