from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import pytest

from stackwright import api
from stackwright.catalog.quality import Quality, Score
from stackwright.errors import InputError
from stackwright.planner.choose.choice import Choice
from stackwright.planner.choose.option import Option, compared
from tests.planner.questions import SMALL, ask

MODELS = ("Qwen/Qwen3-8B", "claude-sonnet-4-5")
SCORES = Quality("test", "points", (Score("Qwen/Qwen3-8B", 40.0, "test"), Score("claude-sonnet-4-5", 80.0, "test")))


@functools.cache
def _chosen(models: tuple[str, ...], given: tuple[tuple[str, Any], ...]) -> Choice:
    return api.choose(models, **dict(given))


def chosen(*models: str, **changes: Any) -> Choice:
    given = {**SMALL, "rate": 5.0, "quality": SCORES, **changes}
    return _chosen(models or MODELS, tuple(sorted(given.items())))


def option(c: Choice, how: str) -> Option:
    return next(o for o in c.options if how in o.how)


def test_the_rented_stack_is_the_first_plan() -> None:
    rented = option(chosen(), "vllm")
    first = ask(rate=5.0, top=1).plans[0]
    assert rented.plan is not None
    assert rented.usd_per_mtok_output == first.usd_per_mtok_output
    assert rented.usd_per_hour == first.usd_per_hour
    assert rented.keeps is True


def test_an_api_costs_its_list_price_and_its_latency_is_not_invented() -> None:
    c = chosen()
    w = c.question.workload
    o = option(c, "Anthropic")
    assert o.usd_per_hour == pytest.approx(5.0 * 3600 * (w.input.mean * 3.0 + w.output.mean * 15.0) / 1e6)
    assert o.usd_per_mtok_output.low == o.usd_per_mtok_output.high
    assert o.keeps is None
    document = next(d for d in api.choice_document(c)["choice"] if d["how"] == "Anthropic API")
    assert document["ttft_p95_s"] is document["tpot_p95_s"] is document["p_meets_slo"] is None


def test_order_and_front() -> None:
    c = chosen()
    group = [{True: 0, None: 1, False: 2}[o.keeps] for o in c.options]
    assert group == sorted(group)
    for a in c.options:
        if a.dominated_by is None:
            continue
        b = next(o for o in c.options if (o.model, o.how) == (a.dominated_by.model, a.dominated_by.how))
        assert b.usd_per_mtok_output.value <= a.usd_per_mtok_output.value
        assert b.score is not None
        assert a.score is not None
        assert b.score.score >= a.score.score
    front = [o for o in c.options if o.on_front]
    assert {o.model for o in front} == set(MODELS)
    assert not option(c, "AWS Bedrock API (regional)").on_front


def test_a_missed_promise_never_dominates_and_the_unscored_is_not_compared() -> None:
    rented = option(chosen(), "vllm")
    cheap_but_late = replace(rented, keeps=False, usd_per_mtok_output=rented.usd_per_mtok_output.scaled(0.01))
    unscored = replace(rented, score=None, usd_per_mtok_output=rented.usd_per_mtok_output.scaled(0.01))
    found = compared([rented, cheap_but_late, unscored], True, chosen().question)
    assert [o.on_front for o in found] == [False, True, False]
    assert found[-1].keeps is False


def test_what_may_miss_the_promise_beats_nothing_that_keeps_it() -> None:
    c = chosen()
    api_first = replace(option(c, "Anthropic"), usd_per_mtok_output=option(c, "vllm").usd_per_mtok_output.scaled(0.1))
    kept, unknown = compared([option(c, "vllm"), api_first], True, c.question)
    assert (kept.keeps, unknown.keeps) == (True, None)
    assert kept.on_front
    assert unknown.on_front


def test_latency_counts_where_the_intervals_tell() -> None:
    rented, q = option(chosen(), "vllm"), chosen().question
    assert rented.plan is not None
    faster = {k: v.scaled(0.1) if "_p95_s" in k else v for k, v in rented.plan.metrics.items()}
    same = {k: v.scaled(0.99) if "_p95_s" in k else v for k, v in rented.plan.metrics.items()}
    dear = rented.usd_per_mtok_output.scaled(2.0)
    for metrics, stays in ((faster, True), (same, False)):
        other = replace(rented, plan=replace(rented.plan, metrics=metrics), usd_per_mtok_output=dear)
        cheap, fast = compared([other, rented], True, q)
        assert cheap.on_front
        assert fast.on_front is stays


def test_the_floor_leaves_out_the_worse_and_the_unknown() -> None:
    c = chosen(*MODELS, "gpt-5.4", min_quality=50.0)
    assert {o.model for o in c.options} == {"claude-sonnet-4-5"}
    reasons = {r.model: r.reason for r in c.refused}
    assert "below the floor of 50" in reasons["Qwen/Qwen3-8B"]
    assert "no test score known" in reasons["gpt-5.4"]


def test_sellers_can_be_named_or_ruled_out() -> None:
    assert all(o.plan for o in chosen("Qwen/Qwen3-8B", api_providers=("none",)).options)
    only = chosen("claude-sonnet-4-5", api_providers=("aws",))
    assert {o.api.seller.id for o in only.options if o.api} == {"aws"}
    with pytest.raises(InputError, match="no API may be used"):
        chosen("claude-sonnet-4-5", api_providers=("none",))


def test_a_budget_binds_apis_too() -> None:
    o = option(chosen(), "Anthropic")
    assert o.usd_per_hour is not None
    c = chosen(max_usd_per_hour=o.usd_per_hour * 0.99)
    assert any(r.model == "claude-sonnet-4-5" and "over the" in r.reason for r in c.refused)


def test_an_api_of_which_the_place_is_not_known_is_not_in_the_place() -> None:
    c = chosen("gpt-5", residency="eu")
    assert {o.how for o in c.options} == {"Azure API (EU data zone)"}
    reasons = {r.how: r.reason for r in c.refused}
    assert reasons["OpenAI API"] == "where it processes requests is unknown"
    assert reasons["Azure API (US data zone)"] == "processes requests in us, not only in eu"
    with pytest.raises(InputError, match="where it processes requests is unknown"):
        chosen("gpt-5", residency="de")


def test_a_seller_not_known_to_be_certified_is_left_out() -> None:
    c = chosen("gpt-5", certified=("soc2",))
    assert {o.api.seller.id for o in c.options if o.api} == {"azure"}
    assert {r.reason for r in c.refused if r.how == "OpenAI API"} == {"soc2 unknown"}


def test_a_context_too_short_is_a_reason() -> None:
    c = chosen("Qwen/Qwen3-32B", "claude-sonnet-4-5", workload="rag", ttft=10.0)
    reasons = [r.reason for r in c.refused if r.model == "Qwen/Qwen3-32B" and r.how == "self-hosted"]
    assert "40960 tokens at most" in reasons[0]


def test_lock_in_counts_sellers_whoever_is_chosen() -> None:
    rented = chosen("Qwen/Qwen3-8B", api_providers=("none",)).options[0]
    assert rented.lock_in.elsewhere.sellers
    assert "seller" in rented.lock_in.moves


@pytest.mark.parametrize(
    ("models", "changes", "said"),
    [
        ((), {"models": ()}, "no models given"),
        (("qwen3-8b", "qwen3-8b"), {}, "given twice"),
        (("qwen3-8b", "Qwen/Qwen3-8B"), {}, "given twice: 'qwen3-8b' and 'Qwen/Qwen3-8B'"),
        (("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"), {}, "given twice"),
        (("claude-sonnet-4-5",), {"residency": "atlantis"}, "unknown place 'atlantis'"),
        (("claude-sonnet",), {}, "names 5 versions: give one of claude-sonnet-5-5"),
        (("qwen3-8b", "nobody/nothing"), {}, "unknown model 'nobody/nothing'"),
        (("qwen3-8b",), {"quality": None, "min_quality": 3.0}, "needs scores"),
        (("qwen3-8b",), {"chips": ("h2000",)}, "unknown chip 'h2000'"),
        (("qwen3-8b",), {"api_providers": ("nope",)}, "unknown API provider 'nope'"),
    ],
)
def test_refusals(models: tuple[str, ...], changes: dict[str, Any], said: str) -> None:
    given = {**SMALL, "quality": SCORES, **changes}
    with pytest.raises(InputError, match=said):
        api.choose(given.pop("models", models), **given)


def test_the_same_price_elsewhere_is_as_good() -> None:
    c = chosen()
    own = option(c, "Anthropic")
    price = own.usd_per_mtok_output
    twin = replace(own, usd_per_mtok_output=price.scaled(1.0 + 1e-15))
    assert all(o.on_front for o in compared([own, twin], True, c.question))
    dearer = replace(own, usd_per_mtok_output=price.scaled(1.001))
    assert [o.on_front for o in compared([own, dearer], True, c.question)] == [True, False]


def test_apis_keep_to_residency_and_certifications_too() -> None:
    with pytest.raises(InputError, match="where it processes requests is unknown"):
        chosen("gpt-4.1", residency="de")
    c = chosen("Qwen/Qwen3-8B", "gpt-4.1", clouds=(), residency="eu")
    assert {o.api.endpoint for o in c.options if o.api} == {"EU data zone"}
