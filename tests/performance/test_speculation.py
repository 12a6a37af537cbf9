"""Speculative decoding: acceptance, the verified step, the draft's time and memory, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.errors import InputError
from stackwright.llm.operators import StepShape
from stackwright.performance import (
    Candidate,
    Layout,
    Speculation,
    candidates,
    check_speculation,
    kv_bytes_per_sequence,
    memory_budget,
    step_time,
    with_draft,
)
from stackwright.performance.constants import prior_constants
from stackwright.performance.speculation import acceptance_length
from tests.llm import configs as facts
from tests.performance.parts import TP8, chip, engine, model

MTP_V3 = {**facts.DEEPSEEK_V3, "num_nextn_predict_layers": 1}
V3, LLAMA = model(MTP_V3, "v3"), model(facts.LLAMA_70B, "llama")


def drafting(speculation: Speculation | None, m=V3, layout: Layout = TP8):
    return candidates(m, [Candidate(engine(), chip(gb=192.0), layout, speculation=speculation)], prior_constants())


def shapes(n: float, per_sequence: float = 1.0, context: float = 2000.0) -> StepShape:
    s = np.array([[n]])
    return StepShape(s * per_sequence, s, np.asarray(context), prefill=False)


@given(p=st.floats(0.0, 0.99), d=st.integers(1, 8))
def test_acceptance_length_is_the_sum_of_the_chances(p: float, d: int) -> None:
    a = float(acceptance_length(p, float(d)))
    assert a == pytest.approx(sum(p**k for k in range(d + 1)), rel=1e-9)
    assert 1.0 <= a <= d + 1
    assert float(acceptance_length(p, d + 1.0)) >= a


def test_a_stated_acceptance_length_wins_over_the_constant() -> None:
    stated, left = drafting(Speculation("mtp", 3, 2.5)), drafting(Speculation("mtp", 3))
    assert stated.emitted.item() == 2.5
    p = float(np.asarray(left.theta["draft_acceptance"]).flat[0])
    assert left.emitted.item() == pytest.approx(1 + p + p**2 + p**3)
    assert drafting(None).emitted.item() == 1.0


@pytest.mark.parametrize("m", [V3, LLAMA], ids=lambda m: m.id)
def test_verified_tokens_read_the_cache_once(m) -> None:
    """Of k tokens per sequence: cache bytes as of one, k times the arithmetic; weights as of k sequences at most."""
    c = drafting(None, m)
    one, four, wide = (step_time(c, s) for s in (shapes(8.0), shapes(8.0, 4.0), shapes(32.0)))
    parts = {name: [next(p for p in s.parts if p.name == name) for s in (one, four, wide)] for name in
             ("attention", "qkv and output projections", "output head")}  # fmt: skip
    attention = parts["attention"]
    assert np.asarray(attention[1].n_bytes).item() == pytest.approx(np.asarray(attention[0].n_bytes).item())
    assert np.asarray(attention[1].flops).item() == pytest.approx(4 * np.asarray(attention[0].flops).item())
    for name in ("qkv and output projections", "output head"):
        few, verified, many = parts[name]
        np.testing.assert_allclose(verified.flops, many.flops)
        np.testing.assert_allclose(verified.n_bytes, few.n_bytes)
    assert one.seconds < four.seconds < wide.seconds


def test_a_draft_is_a_mean_layer_and_the_head() -> None:
    """d passes of (all layers)/L + head + overhead, by hand."""
    c, plain = drafting(Speculation("mtp", 2)), drafting(None)
    step = step_time(plain, shapes(8.0))
    drafted = with_draft(c, step, step, c.draft_tokens, head=True)
    head = step.part_s("output head").item()
    layers = (step.seconds - step.part_s("host") - head).item()
    overhead = float(np.asarray(c.theta["draft_overhead_s"]).flat[0])
    expected = 2 * (layers / V3.layers + head + overhead)
    assert drafted.part_s("draft").item() == pytest.approx(expected, rel=1e-9)
    assert drafted.seconds.item() == pytest.approx(sum(np.asarray(p.seconds).item() for p in drafted.parts))


def test_a_stated_draft_cost_is_a_share_of_the_plain_step() -> None:
    c = drafting(Speculation("draft-model", 4, 3.0, draft_cost=0.05), LLAMA)
    c = replace(c, theta={**c.theta, "draft_overhead_s": np.asarray(0.0)})
    step = step_time(drafting(None, LLAMA), shapes(8.0))
    assert with_draft(c, step, step, c.draft_tokens, head=True).part_s("draft").item() == pytest.approx(
        4 * 0.05 * step.seconds.item()
    )


def test_prompt_lookup_drafts_for_nothing_but_the_host() -> None:
    c = drafting(Speculation("ngram", 4), LLAMA)
    c = replace(c, theta={**c.theta, "draft_overhead_s": np.asarray(0.0)})
    step = step_time(drafting(None, LLAMA), shapes(8.0))
    assert with_draft(c, step, step, c.draft_tokens, head=True).seconds.item() == step.seconds.item()


def test_the_draft_layer_takes_memory() -> None:
    plain, drafted = drafting(None), drafting(Speculation("mtp", 1))
    assert kv_bytes_per_sequence(drafted, 1000.0).item() == pytest.approx(
        kv_bytes_per_sequence(plain, 1000.0).item() * (V3.layers + 1) / V3.layers
    )
    more = memory_budget(drafted).weights - memory_budget(plain).weights
    assert 0.0 < more.item() < 1.01 * memory_budget(plain).weights.item() / V3.layers


def test_rows_without_speculation_do_not_feel_their_neighbours() -> None:
    both = candidates(
        V3,
        [Candidate(engine(), chip(gb=192.0), TP8, speculation=s) for s in (None, Speculation("mtp", 3))],
        prior_constants(),
    )
    alone = drafting(None)
    np.testing.assert_array_equal(both.emitted[:1], alone.emitted)
    np.testing.assert_array_equal(memory_budget(both).weights[:1], memory_budget(alone).weights)
    step = step_time(both, shapes(8.0))
    np.testing.assert_array_equal(
        with_draft(both, step, step, both.draft_tokens, head=True).seconds[:1], step_time(alone, shapes(8.0)).seconds
    )


@pytest.mark.parametrize(
    ("s", "said"),
    [
        (Speculation("medusa", 2), "unknown speculative method 'medusa'; known: mtp"),
        (Speculation("eagle", 0), "from 1 to 64"),
        (Speculation("eagle", 2, 3.5), "not from 1 to 3"),
        (Speculation("eagle", 2, 0.5), "not from 1 to 3"),
        (Speculation("eagle", 2, float("nan")), "not from 1 to 3"),
        (Speculation("mtp", 1), "has no multi-token-prediction module"),
        (Speculation("draft-model", 3), "needs its draft cost"),
        (Speculation("draft-model", 3, draft_cost=-1.0), "0 or more"),
    ],
)
def test_what_cannot_be_is_refused(s: Speculation, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_speculation(s, LLAMA)


@pytest.mark.parametrize(
    "key", ["num_nextn_predict_layers", "num_mtp_modules", "mtp_num_hidden_layers", "num_mtp_layers"]
)
def test_modules_are_read_from_the_config(key: str) -> None:
    assert model({**facts.DEEPSEEK_V3, "num_nextn_predict_layers": 0, key: 2}).prediction_modules == 2
    check_speculation(Speculation("mtp", 2, 3.0), V3)


def test_a_stated_time_of_the_draft_leaves_its_memory() -> None:
    """How long a pass takes says nothing of where the layer's weights are."""
    by_layer, by_share = drafting(Speculation("mtp", 2, 2.0)), drafting(Speculation("mtp", 2, 2.0, draft_cost=0.0))
    assert memory_budget(by_share).weights.item() == memory_budget(by_layer).weights.item()
    assert memory_budget(by_layer).weights.item() > memory_budget(drafting(None)).weights.item()
