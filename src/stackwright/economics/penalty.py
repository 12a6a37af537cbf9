"""What a missed promise costs: penalty clauses in tiers, as service level agreements write them.

A clause credits a share of the month's fee, or a sum, when fewer than a stated share of the month's requests stay
within the limits of the promise. Only the deepest tier reached is credited. With S the share of requests that keep the
limits and tiers below x_1 > x_2 > ... crediting c_1, c_2, ...:

    E[penalty per month] = sum_i c_i (P(S < x_i) - P(S < x_(i+1))),   P(S < x_(n+1)) = 0

S < x is the same event as: the x-th percentile of latency is over its limit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stackwright.errors import InputError

_TIER = re.compile(r"\s*([0-9.]+)\s*(%|usd)\s*<\s*([0-9.]+)\s*%?\s*", re.IGNORECASE)
_EXPECTED = "expected tiers such as '10%<99,25%<95': 10 % of the fee when fewer than 99 % of requests keep the limits"
_LOWEST, _HIGHEST = 50.0, 99.9  # per cent of requests: the percentiles that a prediction has


@dataclass(frozen=True)
class Tier:
    """The credit of a month in which fewer than `below_percent` % of requests keep the limits.

    `credit` is a share of the fee (0.1 = 10 %), `credit_usd` a sum; one of them is 0.
    """

    below_percent: float
    credit: float = 0.0
    credit_usd: float = 0.0

    def usd(self, fee_usd: float) -> float:
        """USD credited for one month of a fee."""
        return self.credit * fee_usd + self.credit_usd

    def __str__(self) -> str:
        amount = f"{self.credit * 100:g}%" if self.credit else f"{self.credit_usd:g}usd"
        return f"{amount}<{self.below_percent:g}"


@dataclass(frozen=True)
class Clause:
    """Tiers from the mildest breach to the worst."""

    tiers: tuple[Tier, ...]

    @property
    def percents(self) -> tuple[float, ...]:
        """Shares of requests, in per cent, at which the tiers begin."""
        return tuple(t.below_percent for t in self.tiers)

    def __str__(self) -> str:
        return ",".join(map(str, self.tiers))


def parse_clause(text: str) -> Clause:
    """A clause such as `10%<99,25%<95` or `500usd<99`. Raises `InputError` saying what is wrong with it.

    >>> str(parse_clause("25% < 95, 10% < 99"))
    '10%<99,25%<95'
    """
    tiers = sorted((_tier(part, text) for part in text.split(",")), key=lambda t: -t.below_percent)
    for milder, worse in pairwise(tiers):
        if milder.below_percent == worse.below_percent:
            raise InputError(f"--penalty {text!r}: two tiers begin at {worse.below_percent:g} %")
        if bool(milder.credit) != bool(worse.credit):
            raise InputError(f"--penalty {text!r}: give all tiers in per cent of the fee, or all in usd")
        if worse.usd(1.0) < milder.usd(1.0):
            raise InputError(f"--penalty {text!r}: {worse} credits less than the milder {milder}")
    return Clause(tuple(tiers))


def _tier(part: str, clause: str) -> Tier:
    match = _TIER.fullmatch(part)
    try:
        amount, below = (float(match[1]), float(match[3])) if match else (0.0, 0.0)
    except ValueError:
        match = None
    if match is None:
        raise InputError(f"--penalty {clause!r}: cannot read {part.strip()!r}; {_EXPECTED}")
    if not _LOWEST < below <= _HIGHEST:
        span = f"above {_LOWEST:g} and at most at {_HIGHEST:g} % of requests"
        raise InputError(f"--penalty {clause!r}: a tier begins {span}, not at {below:g} %")
    if amount <= 0 or (match[2] == "%" and amount > 100):
        raise InputError(f"--penalty {clause!r}: a credit is above 0 and at most 100 % of the fee, got {amount:g}")
    return Tier(below, credit=amount / 100.0) if match[2] == "%" else Tier(below, credit_usd=amount)


def expected_penalty_usd(clause: Clause, fee_usd: float, p_below: Sequence[float]) -> float:
    """Expected credit of a month in USD; `p_below[i]` = P(share of requests kept < tier i), in the order of the tiers.

    >>> round(expected_penalty_usd(parse_clause("10%<99,25%<95"), 1000.0, (0.2, 0.1)), 9)
    35.0
    """
    deeper = (*p_below[1:], 0.0)
    return sum(t.usd(fee_usd) * (p - q) for t, p, q in zip(clause.tiers, p_below, deeper, strict=True))
