"""Small questions: few chips and clouds, so that each takes a fraction of a second."""

from __future__ import annotations

import functools
from typing import Any

from stackwright import api
from stackwright.catalog import Catalog, load_catalog
from stackwright.planner import Answer, Plan

MODEL = "Qwen/Qwen3-8B"
SMALL: dict[str, Any] = {"chips": ("h100-sxm", "l40s"), "clouds": ("aws", "gcp"), "engines": ("vllm",)}


@functools.cache
def _asked(model: str, question: tuple[tuple[str, Any], ...]) -> Answer:
    return api.plan(model, **dict(question))


def ask(model: str = MODEL, **changes: Any) -> Answer:
    """The answer to the small question with changes; asked once per process."""
    return _asked(model, tuple(sorted({**SMALL, **changes}.items())))


def best_usd_per_hour(**changes: Any) -> float:
    first = ask(**changes).plans[0]
    assert first.meets_slo
    assert first.usd_per_hour is not None
    return first.usd_per_hour


def best_cost(**changes: Any) -> float:
    return cost_of(ask(**changes).plans[0])


def cost_of(plan: Plan) -> float:
    assert plan.meets_slo
    assert plan.usd_per_mtok_output is not None
    return plan.usd_per_mtok_output.value


def repriced(factor: float, only: str = "") -> Catalog:
    """The shipped catalogue with the prices of all offers, or of one, times a factor."""
    from dataclasses import replace

    facts = load_catalog()
    offers = {}
    for offer in facts.offers.values():
        if not only or offer.id == only:
            prices = tuple(p.model_copy(update={"usd_per_hour": p.usd_per_hour * factor}) for p in offer.prices)
            offer = offer.model_copy(update={"prices": prices})
        offers[offer.id] = offer
    return replace(facts, offers=offers, _names={})
