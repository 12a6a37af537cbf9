"""A promise with a penalty: what missing it is expected to cost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from stackwright import api
from stackwright.errors import InputError
from stackwright.planner import Plan
from stackwright.units import HOURS_PER_MONTH
from tests.planner.questions import MODEL, SMALL, ask

TIGHT: dict[str, Any] = {"rate": 20.0, "ttft": 0.3, "tpot": 0.012, "per": "stack", "top": 1000}
CLAUSE = "10%<99,25%<95"


def plans(**changes: Any) -> tuple[Plan, ...]:
    return ask(**{**TIGHT, "penalty": CLAUSE, **changes}).plans


def test_the_tier_at_the_promised_percentile_is_what_the_promise_misses() -> None:
    found = plans()
    assert {p.meets_slo for p in found} == {True, False}
    for p in found:
        assert p.breach is not None
        at_99, at_95 = p.breach.p_below
        assert at_95 == pytest.approx(1.0 - p.p_meets_slo, abs=1e-9)
        assert 0.0 <= at_95 <= at_99 <= 1.0


def test_the_fee_is_the_cost_unless_one_is_named() -> None:
    for p in plans():
        assert p.breach is not None
        assert p.usd_per_hour is not None
        fee = p.usd_per_hour * HOURS_PER_MONTH
        at_99, at_95 = p.breach.p_below
        assert p.breach.fee_usd_per_month == pytest.approx(fee)
        assert p.breach.usd_per_month == pytest.approx(fee * (0.10 * (at_99 - at_95) + 0.25 * at_95))
        assert p.usd_per_hour_with_penalty == pytest.approx(p.usd_per_hour + p.breach.usd_per_month / 730.5)
    named = plans(fee_usd_per_month=100_000.0)
    for p in named:
        assert p.breach is not None
        assert p.breach.fee_usd_per_month == 100_000.0


def test_a_penalty_changes_no_other_figure_and_no_order() -> None:
    bare = ask(**TIGHT).plans
    for a, b in zip(bare, plans(), strict=True):
        assert replace(b, breach=None, usd_per_hour_with_penalty=None, usd_per_mtok_output_with_penalty=None,
                       metrics=a.metrics, notes=a.notes) == replace(a, notes=a.notes)  # fmt: skip
        assert a.breach is None
        assert {k: b.metrics[k].value for k in a.metrics} == {k: v.value for k, v in a.metrics.items()}


def test_a_looser_promise_is_broken_less() -> None:
    def broken(tpot: float) -> dict[Any, float]:
        found = plans(tpot=tpot, rate=None, concurrency=40.0)
        return {
            (
                p.stack.description,
                p.stack.layout.weight_precision,
                p.stack.engine.id,
                p.stack.chip.id,
                p.replicas,
            ): p.breach.p_below[0]
            for p in found
            if p.breach
        }

    strict, loose = broken(0.012), broken(0.02)
    both = set(strict) & set(loose)
    assert len(both) > 3
    assert all(loose[k] <= strict[k] + 1e-9 for k in both)
    assert any(loose[k] < strict[k] - 0.1 for k in both)


def test_expected_cost_ranks_by_cost_and_penalty() -> None:
    # A fee far above the rent makes reliability dear: what is minimised then moves the order.
    ranked = plans(objective="expected_cost", fee_usd_per_month=1e6)
    figures = [p.usd_per_mtok_output_with_penalty for p in ranked if p.meets_slo]
    values = [f.value for f in figures if f is not None]
    assert len(values) == len(figures) > 1
    assert all(a <= b * (1 + 1e-6) + 1e-9 for a, b in pairwise(values))
    assert [p.stack for p in ranked] != [p.stack for p in plans(fee_usd_per_month=1e6)]


def test_the_document_says_what_is_owed_and_the_answer_says_what_it_means() -> None:
    answer = ask(**{**TIGHT, "penalty": CLAUSE, "top": 1})
    d = api.plan_document(answer)
    assert d["question"]["penalty"] == CLAUSE
    penalty = d["plans"][0]["penalty"]
    assert [t["below_percent"] for t in penalty["tiers"]] == [99.0, 95.0]
    assert d["plans"][0]["usd_per_hour_with_penalty"] >= d["plans"][0]["usd_per_hour"]
    assert any("one draw for the deployment" in a for a in d["assumptions"])
    assert api.plan_document(ask())["plans"][0]["penalty"] is None


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"penalty": "lots"}, "cannot read 'lots'"),
        ({"fee_usd_per_month": 10.0}, "belongs to --penalty"),
        ({"penalty": CLAUSE, "fee_usd_per_month": -1.0}, "positive number"),
        ({"objective": "expected_cost"}, "needs --penalty"),
    ],
)
def test_half_a_guarantee_is_refused(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        api.plan(MODEL, **{**SMALL, **terms})
