"""Units: the only place that converts. Inside, everything is SI base (bytes, FLOP, seconds, watts, joules, USD)."""

from __future__ import annotations

import re

from stackwright.errors import InputError

KILO, MEGA, GIGA, TERA = 1e3, 1e6, 1e9, 1e12
KIB, MIB, GIB, TIB = 2.0**10, 2.0**20, 2.0**30, 2.0**40
SECONDS_PER_HOUR = 3600.0
HOURS_PER_YEAR = 8766.0
HOURS_PER_MONTH = HOURS_PER_YEAR / 12.0
JOULES_PER_KWH = 3.6e6
TOKENS_PER_MTOK = 1e6

_BYTE_UNITS = {
    "b": 1.0, "kb": KILO, "mb": MEGA, "gb": GIGA, "tb": TERA,
    "kib": KIB, "mib": MIB, "gib": GIB, "tib": TIB,
}  # fmt: skip
_TIME_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": SECONDS_PER_HOUR}
_PERIODS_H = {"h": 1.0, "hour": 1.0, "day": 24.0, "month": HOURS_PER_MONTH, "year": HOURS_PER_YEAR}
_QUANTITY = re.compile(r"^\s*([0-9.]+(?:[eE][+-]?\d+)?)\s*([A-Za-z]+)\s*$")


def gigabytes(n_bytes: float) -> float:
    """Bytes as decimal gigabytes (10^9), the unit of chip data sheets."""
    return n_bytes / GIGA


def gibibytes(n_bytes: float) -> float:
    """Bytes as binary gibibytes (2^30), the unit that operating systems and some clouds print."""
    return n_bytes / GIB


def milliseconds(seconds: float) -> float:
    """Seconds as milliseconds."""
    return seconds * 1e3


def kwh(joules: float) -> float:
    """Joules as kilowatt-hours."""
    return joules / JOULES_PER_KWH


def parse_bytes(text: str) -> float:
    """Bytes from text with an explicit unit; decimal GB and binary GiB stay apart.

    >>> parse_bytes("80 GB"), parse_bytes("1 GiB")
    (80000000000.0, 1073741824.0)
    """
    return _parse(text, _BYTE_UNITS, "a size such as '80 GB' or '74.5 GiB'")


def parse_seconds(text: str) -> float:
    """Seconds from text: a bare number is seconds, `ms`, `us`, `s`, `min`, `h` are understood.

    >>> parse_seconds("300ms"), parse_seconds("0.5")
    (0.3, 0.5)
    """
    try:
        return float(text)
    except ValueError:
        return _parse(text, _TIME_UNITS, "a time such as '0.5', '300ms' or '2s'")


def parse_usd_per_hour(text: str) -> float:
    """USD per hour from text: a bare number is per hour, `20/day`, `500/month` (730.5 hours) and `/year` are read.

    >>> parse_usd_per_hour("12/day"), parse_usd_per_hour("1461/month")
    (0.5, 2.0)
    """
    amount, slash, period = text.strip().partition("/")
    hours = _PERIODS_H.get(period.strip().lower()) if slash else 1.0
    try:
        if hours is not None:
            return float(amount) / hours
    except ValueError:
        pass
    raise InputError(f"cannot read {text!r}: expected USD per hour, or an amount such as '20/day' or '500/month'")


def _parse(text: str, units: dict[str, float], expected: str) -> float:
    match = _QUANTITY.match(text)
    factor = units.get(match.group(2).lower()) if match else None
    if match is None or factor is None:
        raise InputError(f"cannot read {text!r}: expected {expected}")
    try:
        return float(match.group(1)) * factor
    except ValueError:
        raise InputError(f"cannot read {text!r}: expected {expected}") from None
