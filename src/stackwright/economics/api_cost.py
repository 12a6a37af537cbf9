"""What a model sold by the token costs for a traffic, by the definitions that rented stacks use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stackwright.catalog.tokens.offers import Rates, Tier
from stackwright.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK
from stackwright.workload import Lengths, Workload

_STEPS = 4000


@dataclass(frozen=True)
class ApiCost:
    """USD of a mean request, and per million tokens with input and output charged to output tokens, or to both."""

    usd_per_request: float
    usd_per_mtok_output: float
    usd_per_mtok_total: float

    def usd_per_hour(self, requests_per_s: float) -> float:
        """USD per hour at a request rate: nothing is paid for idle time."""
        return self.usd_per_request * requests_per_s * SECONDS_PER_HOUR


def api_cost(tiers: Sequence[Tier], w: Workload) -> ApiCost:
    """Cost of a traffic under rates by prompt length.

    Every token of a request is charged at the tier of its prompt; input found in the prefix cache at the cache-read
    rate where there is one (cache writes are not charged: their number depends on the client). Input and output
    lengths are independent, as everywhere here.

    >>> w = Workload(name="x", input=Lengths.fixed(3000), output=Lengths.fixed(500))
    >>> round(api_cost([Tier(0, Rates(2.0, 10.0))], w).usd_per_mtok_output, 9)  # (3000 x 2 + 500 x 10) / 500
    22.0
    """
    usd = 0.0
    for share, mean_input, rates in _by_tier(tiers, w.input):
        cached = w.prefix_hit_rate if rates.cache_read is not None else 0.0
        per_input = (1.0 - cached) * rates.input + cached * (rates.cache_read or 0.0)
        usd += share * (mean_input * per_input + w.output.mean * rates.output) / TOKENS_PER_MTOK
    per_token = usd * TOKENS_PER_MTOK
    return ApiCost(usd, per_token / w.output.mean, per_token / (w.input.mean + w.output.mean))


def _by_tier(tiers: Sequence[Tier], lengths: Lengths) -> list[tuple[float, float, Rates]]:
    """(share of requests, their mean prompt in tokens, rates) of each tier that prompts reach."""
    if len(tiers) == 1:
        return [(1.0, lengths.mean, tiers[0].rates)]
    tokens = lengths.quantile((np.arange(_STEPS) + 0.5) / _STEPS)
    tokens = tokens * (lengths.mean / tokens.mean())
    bounds = [float(t.above_input_tokens) for t in tiers] + [np.inf]
    found = []
    for tier, (low, high) in zip(tiers, pairwise(bounds), strict=True):
        inside = tokens[(tokens > low) & (tokens <= high)]
        if inside.size:
            found.append((inside.size / _STEPS, float(inside.mean()), tier.rates))
    return found
