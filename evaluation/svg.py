"""Line plots as SVG: text, no script, nothing loaded from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 860, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 30
_TICKS = 5
_MARKS = 6  # labels along the x axis

# Okabe and Ito's colours, told apart by the colour-blind too, as CSS classes so that the page decides on the shades.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f", "#b15928")


def line_plot(
    positions: Sequence[float], labels: Sequence[str], lines: Mapping[str, Sequence[float]], title: str
) -> str:
    """Return a plot of several lines over the same positions, y from 0.

    Parameters
    ----------
    positions : sequence of float, length n
        Along x, ascending.
    labels : sequence of str, length n
        What stands below a position; a few of them are shown.
    lines : mapping of str to sequence of float
        Name → values, length n.
    title : str
        For who hears the page instead of seeing it.
    """
    top = _above(max((value for values in lines.values() for value in values), default=0.0))
    first, span = (positions[0], (positions[-1] - positions[0]) or 1.0) if positions else (0.0, 1.0)
    x = [_LEFT + (WIDTH - _LEFT - _RIGHT) * (position - first) / span for position in positions]

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in range(_TICKS + 1):
        value = top * tick / _TICKS
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for mark in _marks(len(x)):
        parts.append(f'<text x="{x[mark]:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(labels[mark])}</text>')
    for index, (name, values) in enumerate(lines.items()):
        points = " ".join(f"{a:.1f},{y(b):.1f}" for a, b in zip(x, values, strict=True))
        colour = COLOURS[index % len(COLOURS)]
        parts.append(f'<polyline points="{points}" stroke="{colour}"><title>{escape(name)}</title></polyline>')
    return "".join((*parts, "</svg>", _legend(list(lines))))


def _legend(names: Sequence[str]) -> str:
    entries = (
        f'<span><i style="background:{COLOURS[index % len(COLOURS)]}"></i>{escape(name)}</span>'
        for index, name in enumerate(names)
    )
    return f'<p class="legend">{"".join(entries)}</p>'


def _marks(n: int) -> list[int]:
    """Return which positions get a label: a few, evenly spaced, not at the very edges."""
    return sorted({round((mark + 0.5) * (n - 1) / _MARKS) for mark in range(_MARKS)}) if n else []


def _above(value: float) -> float:
    """Return the next round number above a value."""
    if value <= 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= value)
