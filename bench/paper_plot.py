"""A picture of one table: the first figure of every row with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from bench.paper_cells import Row
from bench.paper_figures import TaskFigures

_WIDTH, _LINE, _LEFT, _RIGHT, _TOP = 720, 26, 300, 24, 40
_PLACES = 20.0


def intervals_svg(figures: TaskFigures, rows: Mapping[str, Row]) -> str:
    """Plain SVG: a point and a 95 % interval a row, in the order of ``rows``.

    Parameters
    ----------
    figures
        Of a task.
    rows
        Their labels; those without figures are left out.
    """
    shown = [(rows[name].label, name) for name in rows if name in figures.values]
    intervals = [figures.interval(name, 0) for _, name in shown]
    low = int(min(interval.low for interval in intervals) * _PLACES) / _PLACES
    high = (int(max(interval.high for interval in intervals) * _PLACES) + 1) / _PLACES
    height = _TOP + _LINE * len(shown) + 36

    def x(value: float) -> str:
        return f"{_LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT):.1f}"

    title = escape(f"{figures.names[0]}, {figures.about}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f'<title>{title}</title><rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="12" y="20">{title}</text>',
    ]
    for k, ((label, name), interval) in enumerate(zip(shown, intervals, strict=True)):
        y = _TOP + _LINE * k + _LINE / 2
        value = float(figures.values[name][0])
        parts.append(
            f'<g><text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(label)}</text>'
            f'<line x1="{x(interval.low)}" x2="{x(interval.high)}" y1="{y}" y2="{y}" '
            'stroke="#1f5fa8"/>'
            f'<circle cx="{x(value)}" cy="{y}" r="4" fill="#1f5fa8"/></g>'
        )
    ticks = [k / _PLACES for k in range(round(low * _PLACES), round(high * _PLACES) + 1)]
    parts += [
        f'<text x="{x(tick)}" y="{height - 12}" text-anchor="middle">{tick:.2f}</text>'
        for tick in ticks
    ]
    return "\n".join([*parts, "</svg>", ""])
