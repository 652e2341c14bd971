"""What is left of a training to look at: a table and a picture of its epochs."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from trainer.steps import Epoch

CSV_FILE, CURVES_FILE = "training.csv", "training.svg"
_WIDTH, _HEIGHT, _MARGIN = 640, 320, 48
_N_TICKS = 5


def write_csv(history: Sequence[Epoch], path: Path) -> None:
    """A row an epoch; the AUC is empty where it was not measured."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("epoch", "loss", "learning_rate", "validation_macro_auc"))
        for epoch in history:
            auc = "" if math.isnan(epoch.validation_auc) else f"{epoch.validation_auc:.6f}"
            table.writerow((epoch.number, f"{epoch.loss:.6f}", f"{epoch.learning_rate:.6g}", auc))


def write_curves(history: Sequence[Epoch], path: Path) -> None:
    """Write a picture of loss (left scale) and validation macro AUC (right scale) over epochs."""
    path.write_text(curves_svg(history), encoding="utf-8")


def curves_svg(history: Sequence[Epoch]) -> str:
    """See `write_curves`; plain SVG 1.1 without scripts, fonts or links."""
    losses = [(epoch.number, epoch.loss) for epoch in history if math.isfinite(epoch.loss)]
    aucs = [
        (epoch.number, epoch.validation_auc)
        for epoch in history
        if math.isfinite(epoch.validation_auc)
    ]
    last = max((epoch.number for epoch in history), default=1)
    middle = _HEIGHT / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="11" role="img">',
        "<title>Loss and validation macro AUC over epochs</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{_WIDTH - 2 * _MARGIN}" '
        f'height="{_HEIGHT - 2 * _MARGIN}" fill="none" stroke="#999"/>',
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 12}" text-anchor="middle">epoch</text>',
        f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle" '
        'fill="#1f5fa8">loss</text>',
        f'<text transform="translate({_WIDTH - 8} {middle}) rotate(-90)" text-anchor="middle" '
        'fill="#b5491c">validation macro AUC</text>',
    ]
    ticks = sorted({round(1 + (last - 1) * i / (_N_TICKS - 1)) for i in range(_N_TICKS)})
    below = _HEIGHT - _MARGIN + 14
    parts += [
        f'<text x="{_x(k, last):.1f}" y="{below}" text-anchor="middle">{k}</text>' for k in ticks
    ]
    parts += _curve(losses, last, "#1f5fa8", x=_MARGIN - 4, anchor="end")
    parts += _curve(aucs, last, "#b5491c", x=_WIDTH - _MARGIN + 4, anchor="start")
    return "\n".join([*parts, "</svg>", ""])


def _curve(
    points: Sequence[tuple[int, float]], last: int, colour: str, *, x: float, anchor: str
) -> list[str]:
    """A line, its points, and a scale of its own."""
    if not points:
        return []
    low, high = min(value for _, value in points), max(value for _, value in points)
    span = high - low or 1.0
    inner = _HEIGHT - 2 * _MARGIN

    def y(value: float) -> float:
        return _HEIGHT - _MARGIN - (value - low) / span * inner

    places = [f"{_x(number, last):.1f},{y(value):.1f}" for number, value in points]
    parts = [f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}"/>']
    for place in places:
        across, down = place.split(",")
        parts.append(f'<circle cx="{across}" cy="{down}" r="2" fill="{colour}"/>')
    scale = [
        f'<text x="{x}" y="{y(value) + 4:.1f}" text-anchor="{anchor}" '
        f'fill="{colour}">{value:.3f}</text>'
        for value in sorted({low, high})
    ]
    return parts + scale


def _x(number: int, last: int) -> float:
    return _MARGIN + (number - 1) / max(last - 1, 1) * (_WIDTH - 2 * _MARGIN)
