from __future__ import annotations

import pytest

from stackwright.catalog.tokens.offers import Rates, Tier
from stackwright.economics.api_cost import api_cost
from stackwright.economics.tokens import usd_per_mtok
from stackwright.workload import Lengths, Workload


def traffic(tokens_in: Lengths, cached: float = 0.0) -> Workload:
    return Workload(name="t", input=tokens_in, output=Lengths.fixed(500), prefix_hit_rate=cached)


def test_by_hand() -> None:
    cost = api_cost([Tier(0, Rates(2.0, 10.0, 0.1))], traffic(Lengths.fixed(3000), cached=0.5))
    by_hand = (1500 * 2.0 + 1500 * 0.1 + 500 * 10.0) / 1e6
    assert cost.usd_per_request == pytest.approx(by_hand)
    assert cost.usd_per_mtok_output == pytest.approx(by_hand / 500 * 1e6)
    assert cost.usd_per_mtok_total == pytest.approx(by_hand / 3500 * 1e6)


def test_cached_input_costs_full_where_no_cache_rate_is_sold() -> None:
    with_cache, without = traffic(Lengths.fixed(3000), cached=0.5), traffic(Lengths.fixed(3000))
    tiers = [Tier(0, Rates(2.0, 10.0))]
    assert api_cost(tiers, with_cache) == api_cost(tiers, without)


def test_the_definition_is_that_of_rented_stacks() -> None:
    """USD per hour over output tokens per hour, whoever is paid."""
    w = traffic(Lengths.fixed(3000))
    cost = api_cost([Tier(0, Rates(2.0, 10.0))], w)
    assert usd_per_mtok(cost.usd_per_hour(7.0), 7.0 * w.output.mean) == pytest.approx(cost.usd_per_mtok_output)


def test_each_prompt_pays_its_own_tier() -> None:
    """Prompts spread evenly from 50k to 150k: half of them, 125k long on average, pay the dear tier for everything."""
    tiers = [Tier(0, Rates(1.0, 5.0)), Tier(100_000, Rates(5.0, 25.0))]
    cost = api_cost(tiers, traffic(Lengths.uniform(50_000, 150_000)))
    by_hand = 0.5 * (75_000 * 1.0 + 500 * 5.0) + 0.5 * (125_000 * 5.0 + 500 * 25.0)
    assert cost.usd_per_request * 1e6 == pytest.approx(by_hand, rel=1e-4)
    short = traffic(Lengths.fixed(100_000))
    assert api_cost(tiers, short).usd_per_request == pytest.approx((100_000 * 1.0 + 2500) / 1e6)
