"""Numbers as people read them: two or three significant digits, a unit, never a figure that is not there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stackwright.units import HOURS_PER_MONTH, milliseconds

ABSENT = "–"
_NBSP = "\u00a0"


@dataclass(frozen=True)
class Figure:
    """A value with its two-sided 90 % interval; any of the three may be unknown."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def known(self) -> bool:
        """Whether there is a value to show."""
        return self.value is not None


def finite(x: object) -> float | None:
    """A finite number, or None for everything else (absent, text, not a number, infinite)."""
    if isinstance(x, bool) or not isinstance(x, int | float) or not math.isfinite(x):
        return None
    return float(x)


def figure(entry: object) -> Figure:
    """The figure of a document entry `{"value", "low", "high"}`, of a bare number, or of nothing."""
    if isinstance(entry, Mapping):
        return Figure(*(finite(entry.get(k)) for k in ("value", "low", "high")))
    return Figure(finite(entry))


def significant(x: float | None, digits: int = 3, most_decimals: int = 6) -> str:
    """A number with `digits` significant digits, all digits left of the point kept.

    >>> significant(0.03851, 2), significant(1234.5), significant(None)
    ('0.039', '1,234', '–')
    """
    if x is None or not math.isfinite(x):
        return ABSENT
    if x == 0.0:
        return "0"
    rounded = float(f"{x:.{digits - 1}e}")
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{x:,.{min(max(decimals, 0), most_decimals)}f}"


def usd(x: float | None) -> str:
    """Dollars per token volume or per hour: cents, more digits below one cent and none above a thousand.

    >>> usd(0.3877), usd(5.89), usd(12345.6), usd(0.0021)
    ('0.39', '5.89', '12,346', '0.0021')
    """
    if x is None or not math.isfinite(x):
        return ABSENT
    if 0.0 < abs(x) < 0.1:
        return significant(x, 2)
    return f"{x:,.0f}" if abs(x) >= 1000.0 else f"{x:,.2f}"


def usd_sum(x: float | None) -> str:
    """Dollars of a sum: what is less than a cent is said to be.

    >>> usd_sum(0.0000025), usd_sum(127.1)
    ('< 0.01', '127.10')
    """
    return "< 0.01" if x is not None and 0.0 < x < 0.01 else usd(x)


def usd_per_mtok(x: float | None) -> str:
    """Dollars per million tokens: two decimals up to ten, then three digits.

    >>> usd_per_mtok(0.3877), usd_per_mtok(18.654), usd_per_mtok(227.49)
    ('0.39', '18.7', '227')
    """
    return usd(x) if x is None or abs(x) < 9.995 else significant(x)


def seconds(x: float | None) -> str:
    """A duration in milliseconds below one second.

    >>> seconds(0.0127).replace(_NBSP, " "), seconds(2.49).replace(_NBSP, " ")
    ('12.7 ms', '2.49 s')
    """
    if x is None or not math.isfinite(x):
        return ABSENT
    if 0.0 < abs(x) < 0.9995:
        return f"{significant(milliseconds(x))}{_NBSP}ms"
    return f"{_trimmed(x)}{_NBSP}s"


def limit(x: float) -> str:
    """A promised duration as it was given: no trailing zeros."""
    return f"{milliseconds(x):g}{_NBSP}ms" if x < 1.0 else f"{x:g}{_NBSP}s"


def percent(share: float | None) -> str:
    """A share of 1 as whole percent.

    >>> percent(0.588).replace(_NBSP, " ")
    '59 %'
    """
    return ABSENT if share is None or not math.isfinite(share) else f"{100.0 * share:.0f}{_NBSP}%"


def probability(p: float | None) -> str:
    """A probability; nothing a model says is certain, so the ends read `> 99 %` and `< 1 %`.

    >>> probability(1.0).replace(_NBSP, " "), probability(0.943).replace(_NBSP, " ")
    ('> 99 %', '94 %')
    """
    if p is None or not math.isfinite(p):
        return ABSENT
    if p > 0.99:
        return f">{_NBSP}99{_NBSP}%"
    return f"<{_NBSP}1{_NBSP}%" if p < 0.01 else f"{math.floor(100.0 * p + 0.5):d}{_NBSP}%"


def between(f: Figure, show: Callable[[float | None], str]) -> str:
    """The interval of a figure, `low – high`; empty where it has none."""
    if f.low is None or f.high is None:
        return ""
    return f"{show(f.low)}{_NBSP}–{_NBSP}{show(f.high)}"


def spread(f: Figure, show: Callable[[float | None], str]) -> str:
    """The interval of a figure where its ends read differently; empty where they do not."""
    return between(f, show) if show(f.low) != show(f.high) else ""


def count(n: object) -> str:
    """A whole number with thousands separators."""
    x = finite(n)
    return ABSENT if x is None else f"{x:,.0f}"


def rounded_to_sum(parts: list[float], decimals: int) -> list[float]:
    """Parts rounded so that the rounded ones add up to the rounded total (largest remainders get the odd units).

    >>> rounded_to_sum([0.333, 0.333, 0.334], 2)
    [0.33, 0.33, 0.34]
    """
    scale = 10.0**decimals
    floors = [math.floor(p * scale) for p in parts]
    missing = round(math.fsum(parts) * scale) - sum(floors)
    order = sorted(range(len(parts)), key=lambda i: floors[i] - parts[i] * scale)
    for i in order[:missing]:
        floors[i] += 1
    return [f / scale for f in floors]


def _trimmed(x: float) -> str:
    return f"{x:,.0f}" if abs(x) >= 100.0 else significant(x)


def per_month(usd_per_hour: float | None) -> float | None:
    """USD per month of 730.5 hours; None where the rate is unknown."""
    return None if usd_per_hour is None else usd_per_hour * HOURS_PER_MONTH
