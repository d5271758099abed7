"""Plots as SVG, by hand: one kind of plot, ranges of few runs, is less than a plotting library would be to install."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _LABELS, _RIGHT, _LINE, _TOP = 900, 430, 70, 24, 44
_TICKS = 5


class Range(NamedTuple):
    """One line of the plot: least, median and most of some runs."""

    label: str
    low: float
    middle: float
    high: float


def chart(title: str, ranges: Sequence[Range], *, mark: float | None = None) -> str:
    """A line for each range, from zero; `mark` draws a vertical line."""
    end = 1.05 * max([mark or 0.0, *(one.high for one in ranges)])
    height = _TOP + _LINE * len(ranges) + 30

    def x(value: float) -> float:
        return round(_LABELS + (_WIDTH - _LABELS - _RIGHT) * value / end, 1)

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="10" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for tick in range(_TICKS + 1):
        value = end * tick / _TICKS
        drawn.append(f'<line x1="{x(value)}" y1="{_TOP - 10}" x2="{x(value)}" y2="{height - 24}" stroke="#ddd"/>')
        drawn.append(f'<text x="{x(value)}" y="{height - 8}" text-anchor="middle" fill="#666">{value:.3g}</text>')
    if mark is not None:
        drawn.append(f'<line x1="{x(mark)}" y1="{_TOP - 12}" x2="{x(mark)}" y2="{height - 24}" stroke="#c33"/>')
    for place, one in enumerate(ranges):
        y = _TOP + _LINE * place + 8
        drawn.append(f'<text x="{_LABELS - 10}" y="{y + 4}" text-anchor="end">{escape(one.label)}</text>')
        drawn.append(f'<line x1="{x(one.low)}" y1="{y}" x2="{x(one.high)}" y2="{y}" stroke="#8ab" stroke-width="6"/>')
        drawn.append(f'<circle cx="{x(one.middle)}" cy="{y}" r="5" fill="#246"/>')
        drawn.append(f'<text x="{x(one.high) + 9}" y="{y + 4}" fill="#246">{one.middle:.3g}</text>')
    return "\n".join([*drawn, "</svg>\n"])
