"""Who asks for less, or may use more, never pays more."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from stackwright import api
from tests.planner.questions import MODEL, SMALL, ask, best_cost, best_usd_per_hour, cost_of, repriced

ABOUT = 1 + 1e-9


@pytest.mark.parametrize("load", [{}, {"rate": 20.0}, {"concurrency": 60.0}], ids=["none", "rate", "users"])
@pytest.mark.parametrize(
    "looser",
    [
        [{"ttft": t, "tpot": 0.04} for t in (0.4, 0.5, 1.0, 4.0)],
        [{"ttft": 0.45, "tpot": t} for t in (0.015, 0.03, 0.1)],
    ],
    ids=["ttft", "tpot"],
)
def test_a_looser_promise_never_costs_more(load: dict[str, float], looser: list[dict[str, float]]) -> None:
    costs = [best_cost(**load, **promise) for promise in looser]
    assert all(b <= a * 1.001 for a, b in pairwise(costs)), costs


@pytest.mark.parametrize(
    ("name", "few", "more"),
    [
        ("chips", ("h100-sxm",), ("h100-sxm", "l40s")),
        ("clouds", ("gcp",), ("gcp", "aws")),
        ("engines", ("vllm",), ("vllm", "sglang")),
        ("contracts", ("on_demand",), ("on_demand", "capacity_block", "spot")),
    ],
)
def test_more_to_choose_from_never_costs_more(name: str, few: tuple[str, ...], more: tuple[str, ...]) -> None:
    assert best_cost(rate=20.0, **{name: more}) <= best_cost(rate=20.0, **{name: few}) * ABOUT


@pytest.mark.parametrize("load", ["rate", "concurrency"])
def test_cost_per_hour_rises_with_the_load_but_never_faster(load: str) -> None:
    loads = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
    usd = [best_usd_per_hour(**{load: x, "objective": "usd_per_mtok_output"}) for x in loads]
    for a, b in pairwise(usd):
        assert a <= b * ABOUT
        assert b <= 2 * a * ABOUT


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_prices_scale_costs_and_leave_the_order(factor: float) -> None:
    before = ask(rate=20.0, per="stack", top=50).plans
    after = api.plan(MODEL, rate=20.0, per="stack", top=50, catalog=repriced(factor), **SMALL).plans
    for a, b in zip(before, after, strict=True):
        assert a.stack.offer is not None
        assert b.stack.offer is not None
        assert (a.stack.offer.id, a.stack.layout) == (b.stack.offer.id, b.stack.layout)
        assert a.usd_per_hour is not None
        assert b.usd_per_hour == pytest.approx(a.usd_per_hour * factor)
        assert a.joules_per_output_token == b.joules_per_output_token


@pytest.mark.parametrize("factor", [1.05, 2.0, 50.0])
def test_a_dearer_offer_never_lowers_the_cost(factor: float) -> None:
    before = ask(rate=20.0).plans[0]
    assert before.stack.offer is not None
    facts = repriced(factor, only=before.stack.offer.id)
    after = api.plan(MODEL, rate=20.0, catalog=facts, **SMALL).plans[0]
    assert cost_of(before) <= cost_of(after) <= cost_of(before) * factor * ABOUT


@pytest.mark.parametrize(("limit", "value"), [("max_usd_per_hour", 10.0), ("max_chips", 2), ("max_usd_per_hour", 1e6)])
def test_limits_hold_and_only_cut(limit: str, value: float) -> None:
    kept: Any = ask(rate=20.0, per="stack", top=1000, **{limit: value}).plans
    everything: Any = ask(rate=20.0, per="stack", top=1000).plans
    for p in kept:
        assert p.usd_per_hour <= value if limit == "max_usd_per_hour" else p.n_chips <= value
    assert cost_of(kept[0]) >= cost_of(everything[0])
