"""Labels beside a chart, kept from touching each other."""

from __future__ import annotations

from collections.abc import Sequence

GAP = 15.0


def spread(wanted: Sequence[float], bottom: float, gap: float = GAP, top: float = 8.0) -> list[float]:
    """Heights as near to the wanted ones (in rising order) as they can be, `gap` apart, from `top` to `bottom`; pixels.

    Closer than `gap` where there are more than fit.

    >>> spread([40.0, 42.0, 95.0], bottom=100.0)
    [40.0, 55.0, 95.0]
    """
    gap = min(gap, (bottom - top) / max(len(wanted) - 1, 1))
    tops: list[float] = []
    for height in wanted:
        tops.append(max(height, tops[-1] + gap if tops else top))
    for i in reversed(range(len(tops))):
        tops[i] = min(tops[i], bottom)
        bottom = tops[i] - gap
    return tops
