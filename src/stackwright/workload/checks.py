"""Small checks on numbers, shared by the files of this room: every refusal is one clear line."""

from __future__ import annotations

import math

from stackwright.errors import InputError


def number(value: object, what: str) -> float:
    """The value as a finite float; `what` names it in the error. A bool, text, NaN or infinity is refused."""
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise InputError(f"{what} must be a number, got {value!r}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise InputError(f"{what} must be a finite number, got {value!r}")
    return result


def positive(value: object, what: str) -> float:
    """The value as a finite float above zero, else `InputError`."""
    result = number(value, what)
    if result <= 0:
        raise InputError(f"{what} must be above 0, got {result:g}")
    return result


def at_least(value: object, low: float, what: str) -> float:
    """The value as a finite float not below `low`, else `InputError`."""
    result = number(value, what)
    if result < low:
        raise InputError(f"{what} must be at least {low:g}, got {result:g}")
    return result
