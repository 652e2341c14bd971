"""A picture of paired differences: a panel a group, a point and an interval a share of labels."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from bench.feature_figures import Difference

_WIDTH, _LINE, _LEFT, _RIGHT, _TOP = 720, 26, 220, 24, 40
_STEP = 0.01


def differences_svg(found: Mapping[tuple[str, float], Difference], title: str) -> str:
    """Plain SVG: a line for each group and share, in the order given, and where zero is.

    Parameters
    ----------
    found
        By group and share of the labels.
    title
        Above it.
    """
    low = min(0.0, *(d.interval.low for d in found.values()))
    high = max(0.0, *(d.interval.high for d in found.values()))
    first, last = int(low / _STEP) - 1, int(high / _STEP) + 1
    height = _TOP + _LINE * len(found) + 36

    def x(value: float) -> str:
        place = (value / _STEP - first) / (last - first)
        return f"{_LEFT + place * (_WIDTH - _LEFT - _RIGHT):.1f}"

    bottom = height - 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f'<title>{escape(title)}</title><rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="12" y="20">{escape(title)}</text>',
        f'<line x1="{x(0)}" x2="{x(0)}" y1="{_TOP}" y2="{bottom}" stroke="#999"/>',
    ]
    for k, ((group, share), one) in enumerate(found.items()):
        y = _TOP + _LINE * k + _LINE / 2
        colour = "#1f5fa8" if one.excludes_zero else "#888888"
        parts.append(
            f'<g><text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">'
            f"{escape(group)}, {share:.0%} of labels</text>"
            f'<line x1="{x(one.interval.low)}" x2="{x(one.interval.high)}" y1="{y}" y2="{y}" '
            f'stroke="{colour}"/>'
            f'<circle cx="{x(one.value)}" cy="{y}" r="4" fill="{colour}"/></g>'
        )
    every = max(1, (last - first) // 8)
    parts += [
        f'<text x="{x(tick * _STEP)}" y="{height - 12}" text-anchor="middle">'
        f"{tick * _STEP:+.2f}</text>"
        for tick in range(first, last + 1)
        if tick % every == 0
    ]
    return "\n".join([*parts, "</svg>", ""])
