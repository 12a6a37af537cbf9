"""Other ways of serving in a plan: asked for by name, sized and priced as a whole, never without their notes."""

from __future__ import annotations

import pytest

from stackwright.errors import InputError
from stackwright.planner import Plan
from stackwright.planner.question import WAYS
from stackwright.workload import Lengths, Workload
from tests.planner.questions import ask

MOE = "deepseek-ai/DeepSeek-V3"
BIG = {"chips": ("b200-hgx", "h200-sxm"), "clouds": (), "engines": ("sglang", "vllm"), "ttft": 3.0, "tpot": 0.1}


def stacks(way: str, **changes: object) -> tuple[Plan, ...]:
    plans = ask(MOE, **{**BIG, "ways": (way,), "per": "stack", "top": 30, "rate": 20.0, **changes}).plans
    assert plans
    assert {p.stack.way for p in plans} == {way}
    return plans


@pytest.mark.parametrize(
    "load", [{}, {"rate": None, "concurrency": 400.0}, {"rate": None}], ids=["rate", "users", "none"]
)
def test_pools_are_matched_sized_and_priced_as_a_whole(load: dict[str, float | None]) -> None:
    for p in stacks("disaggregated", **load):
        pools, offer, price = p.stack.pools, p.stack.offer, p.stack.price
        assert pools is not None
        assert offer is not None
        assert price is not None
        assert p.n_chips == p.units * offer.chips >= p.replicas * pools.n_chips
        assert pools.n_chips <= max(offer.chips, offer.max_replica_chips)
        assert p.usd_per_hour == pytest.approx(p.units * price.usd_per_hour)
        if p.meets_slo and not load:
            assert p.metrics["requests_per_s"].value * p.replicas == pytest.approx(20.0, rel=1e-3)
        assert any("disaggregated pools" in n for n in p.notes)
        assert any("open loop" in n for n in p.notes) == ("concurrency" not in load)


def test_mixed_pools_are_rented_twice_from_one_provider() -> None:
    mixed = [p for p in stacks("disaggregated", mixed_pools=True, top=1000) if p.stack.beside]
    assert mixed
    for p in mixed:
        first, second, price = p.stack.beside, p.stack.offer, p.stack.price
        assert first is not None
        assert second is not None
        assert price is not None
        assert first.offer.chip != second.chip
        assert first.offer.provider == second.provider
        assert first.price.regions == price.regions != ()
        usd = p.units * price.usd_per_hour + first.units * first.price.usd_per_hour
        assert p.usd_per_hour == pytest.approx(usd)
        assert p.n_chips == p.units * second.chips + first.units * first.offer.chips
        assert any("different chips" in n for n in p.notes)
    assert not [p for p in stacks("disaggregated") if p.stack.beside]


def test_drafts_say_where_their_acceptance_comes_from() -> None:
    for p in stacks("speculative"):
        draft = p.stack.speculation
        assert draft is not None
        assert draft.method == "mtp"
        assert draft.draft_tokens in (1, 2, 3)
        assert any("draft_acceptance" in n for n in p.notes)


def test_context_parallel_layouts_are_tried_for_long_prompts_only() -> None:
    long = Workload("long", Lengths.fixed(60_000), Lengths.fixed(200))
    changes = {"engines": ("sglang",), "rate": 0.5, "ttft": 60.0}
    for p in stacks("context-parallel", workload=long, **changes):
        assert p.stack.layout.cp > 1
        assert any("context parallelism" in n for n in p.notes)
        assert p.stack.layout.tp * p.stack.layout.cp <= p.stack.chip.link.scale_up_domain
    with pytest.raises(InputError):
        stacks("context-parallel", **changes)


def test_more_stages_fit_where_nothing_else_does() -> None:
    small = {"chips": ("h100-sxm",), "engines": ("vllm",), "precisions": ("fp8",), "rate": 2.0}
    for p in stacks("pipelined", **small):
        assert p.stack.layout.pp > 1
        assert any("pipeline parallelism" in n for n in p.notes)
    assert not [p for p in stacks("aggregated", chips=("h200-sxm",)) if p.stack.layout.pp > 1]


def test_every_way_is_open_by_default_and_an_unknown_one_is_named() -> None:
    ways = {p.stack.way for p in ask(MOE, **{**BIG, "per": "stack", "top": 1000, "rate": 20.0}).plans}
    assert ways >= {"aggregated", "speculative", "disaggregated"}
    assert ways <= set(WAYS)
    with pytest.raises(InputError, match="unknown way of serving 'speculativ'"):
        ask(MOE, **{**BIG, "ways": ("speculativ",)})


def test_a_plain_plan_is_what_it_was_before_there_were_ways() -> None:
    plain = ask(MOE, **{**BIG, "ways": ("aggregated",), "per": "stack", "top": 1000, "rate": 20.0}).plans
    every = ask(MOE, **{**BIG, "per": "stack", "top": 1000, "rate": 20.0}).plans

    def name(p: Plan) -> tuple[str, ...]:
        s = p.stack
        assert s.offer is not None
        assert s.price is not None
        return s.description, s.engine.id, s.chip.id, s.layout.weight_precision, s.offer.id, s.price.contract

    known = {name(p): p for p in every}
    both = [(p, known[name(p)]) for p in plain if name(p) in known]
    assert len(both) > 20
    for p, same in both:
        assert same.metrics == p.metrics
        assert same.usd_per_hour == p.usd_per_hour
