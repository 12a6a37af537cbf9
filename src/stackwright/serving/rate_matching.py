"""How many prefill and decode workers belong together: whole numbers whose capacities match."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stackwright.errors import InputError


@dataclass(frozen=True)
class Matched:
    """Workers of both pools, and the requests/s that the weaker pool carries."""

    prefill_workers: int
    decode_workers: int
    requests_per_s: float


def matched_to_rate(prefill_rate: float, decode_rate: float, rate: float) -> Matched:
    """The fewest workers whose pools both carry `rate` requests/s, one worker of each carrying the first two.

    >>> matched_to_rate(2.0, 5.0, 9.0)
    Matched(prefill_workers=5, decode_workers=2, requests_per_s=10.0)
    """
    _check(prefill_rate, decode_rate)
    first, second = (max(1, math.ceil(rate / each - 1e-12)) for each in (prefill_rate, decode_rate))
    return Matched(first, second, min(first * prefill_rate, second * decode_rate))


def best_ratio(prefill_rate: float, decode_rate: float, chips: tuple[int, int], budget: int) -> Matched | None:
    """The numbers of workers with the most requests/s per chip within `budget` chips, the fewest chips among equals.

    `chips` of one worker of each pool. None where not even one of each fits.

    >>> best_ratio(2.0, 5.0, (1, 1), 8)
    Matched(prefill_workers=5, decode_workers=2, requests_per_s=10.0)
    """
    _check(prefill_rate, decode_rate)
    found: list[tuple[float, int, Matched]] = []
    for prefill in range(1, (budget - chips[1]) // chips[0] + 1):
        most = (budget - prefill * chips[0]) // chips[1]
        wanted = prefill * prefill_rate / decode_rate
        for decode in {min(max(1, n), most) for n in (math.floor(wanted), math.ceil(wanted))}:
            rate, size = min(prefill * prefill_rate, decode * decode_rate), prefill * chips[0] + decode * chips[1]
            found.append((-rate / size, size, Matched(prefill, decode, rate)))
    return min(found, key=lambda f: (round(f[0], 12), f[1]))[2] if found else None


def _check(prefill_rate: float, decode_rate: float) -> None:
    if not (0.0 < prefill_rate < math.inf and 0.0 < decode_rate < math.inf):
        raise InputError("rate matching needs workers that carry a positive number of requests/s each")
