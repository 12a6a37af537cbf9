"""Context parallel layouts, groups over racks and recipes of drafts: by hand, and against what they must equal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stackwright.catalog.records import Ways
from stackwright.llm.operators import StepShape, partial_output_elements
from stackwright.performance import (
    Candidate,
    Layout,
    Pools,
    candidates,
    kv_bytes_per_sequence,
    layout_problem,
    memory_budget,
    pools_problem,
    step_time,
)
from stackwright.performance.collectives import rack_exchange_s, ring_volume
from stackwright.performance.constants import prior_constants
from stackwright.performance.pools import parse_workers
from stackwright.performance.recipes import recipes_for
from tests.llm import configs as facts
from tests.performance.parts import TP8, chip, engine, model

LLAMA_70B, V3 = model(facts.LLAMA_70B), model(facts.DEEPSEEK_V3)
PRIOR = prior_constants()
SOURCE = {"source": "made for tests", "confidence": "assumption"}
LONG = StepShape(np.array([[100_000.0]]), np.array([[1.0]]), np.array([[50_000.0]]), prefill=True)
DECODE = StepShape(np.array([[16.0]]), np.array([[16.0]]), np.array([[100_000.0]]), prefill=False)


def with_ways(**ways):
    return engine().model_copy(update={"ways": Ways(**ways, **SOURCE)})


def made(m, layout, **changes):
    return candidates(m, [Candidate(engine(), chip(**changes), layout)], PRIOR)


def part(c, shape, name):
    return step_time(c, shape).part_s(name).item()


def test_chips_and_words_of_a_context_parallel_layout():
    at = Layout(tp=2, pp=2, attention_dp=2, ep=8, cp=2)
    assert (at.group, at.n_chips, str(at)) == (8, 16, "tp2 pp2 ep8 dp2 cp2")
    assert str(parse_workers("2xtp4cp2", "fp8", "fp8")[1]) == "tp4 cp2"


@pytest.mark.parametrize("m", [LLAMA_70B, V3])
def test_context_ranks_share_tokens_and_cache_and_repeat_attention_weights(m):
    one, four = (made(m, Layout(tp=2, cp=cp, weight_precision="fp8", kv_precision="fp8")) for cp in (1, 4))
    context = np.array([[100_000.0]])
    assert kv_bytes_per_sequence(four, context).item() == kv_bytes_per_sequence(one, context).item() / 4
    assert memory_budget(four).activations.item() == memory_budget(one).activations.item() / 4
    for shape, name, what in ((LONG, "attention", "flops"), (DECODE, "attention", "n_bytes")):
        whole, share = (next(p for p in step_time(c, shape).parts if p.name == name) for c in (one, four))
        assert np.asarray(getattr(share, what)).item() == pytest.approx(np.asarray(getattr(whole, what)).item() / 4)
    prompts = [next(p for p in step_time(c, LONG).parts if p.name.startswith("qkv")) for c in (one, four)]
    assert prompts[1].flops.item() == pytest.approx(prompts[0].flops.item() / 4)
    assert prompts[1].n_bytes.item() == prompts[0].n_bytes.item()


def test_what_context_ranks_exchange_by_hand():
    """Llama 70B, tp 1: 8 heads of keys and values of 128 each, one byte; 64 heads of 128 as partial outputs."""
    c = made(LLAMA_70B, Layout(cp=4, weight_precision="fp8", kv_precision="fp8"))
    rate = 450e9 * float(c.theta["link_efficiency"])
    latency = float(c.theta["collective_latency_s"])
    gathered = 100_000 * 2 * 8 * 128 * 3 / 4 / rate
    assert part(c, LONG, "context exchange") == pytest.approx(80 * (gathered + latency), rel=1e-9)
    each = 64 * (128 * 2 + 4)
    combined = float(ring_volume(np.asarray(16.0 * each), np.asarray(4.0))) / rate
    assert part(c, DECODE, "context exchange") == pytest.approx(80 * (combined + 2 * latency), rel=1e-9)
    assert part(made(LLAMA_70B, Layout(tp=4)), LONG, "context exchange") == 0.0


def test_partial_outputs_are_latent_where_the_cache_is():
    (latent,) = V3.attentions
    assert partial_output_elements(latent) == 128 * 512
    (plain,) = LLAMA_70B.attentions
    assert partial_output_elements(plain) == 64 * 128


def test_context_parallel_needs_an_engine_and_a_phase():
    at, both, one = (
        Layout(tp=2, cp=2),
        with_ways(context_parallel=("prefill", "decode")),
        with_ways(context_parallel=("decode",)),
    )
    assert layout_problem(at, LLAMA_70B, both, chip()) is None
    assert "no prefill context parallelism of an aggregated" in (layout_problem(at, LLAMA_70B, one, chip()) or "")
    assert "no prefill and no decode" in (layout_problem(at, LLAMA_70B, engine(), chip()) or "")
    assert layout_problem(at, LLAMA_70B, one, chip(), "decode") is None
    assert pools_problem(Pools(TP8, 1, replace(TP8, tp=4, cp=2), 1), LLAMA_70B, one, chip()) is None
    assert "prefill: test-engine has no prefill" in (
        pools_problem(Pools(replace(TP8, tp=4, cp=2), 1, TP8, 1), LLAMA_70B, one, chip()) or ""
    )
    assert "windows" in (layout_problem(at, model(facts.GPT_OSS_120B), both, chip()) or "")


def test_over_racks_each_kind_of_link_carries_its_share():
    n, g, r, up, out = (np.asarray(v) for v in (1e6, 144.0, 72.0, 900e9, 100e9))
    dispatch, reduce = (rack_exchange_s(n, g, r, up, out, np.asarray(d)).item() for d in (True, False))
    total = float(ring_volume(n, g))
    away = total * (g - r) / (g - 1)
    assert dispatch == pytest.approx((total - away) / up + away / out)
    assert reduce == pytest.approx((float(ring_volume(n, r)) / up) + float(ring_volume(n / r, g / r)) / out)
    assert reduce < dispatch


def test_a_group_over_racks_is_quicker_than_all_of_it_on_the_network_and_slower_than_in_one():
    wide = Layout(attention_dp=64, ep=64, weight_precision="fp8", kv_precision="fp8")
    one, racks, servers = (made(V3, wide, domain=n) for n in (64, 32, 8))
    seconds = [part(c, DECODE, "collectives") for c in (one, racks, servers)]
    assert seconds[0] < seconds[1] < seconds[2]
    assert "over several racks" in racks.entries[0].beyond[0]
    assert not servers.entries[0].beyond
    assert racks.contexts[0].beyond
    assert not servers.contexts[0].beyond


def test_a_group_over_servers_keeps_all_of_its_traffic_on_the_network():
    """Those layouts were measured: the formula over racks must not touch them."""
    c = made(V3, Layout(attention_dp=16, ep=16, weight_precision="fp8", kv_precision="fp8"), domain=8)
    assert c.link_bytes_per_s.item() == 50e9
    assert np.isinf(c.rack_chips).all()


def test_recipes_need_modules_and_an_engine_that_documents_them():
    documented = with_ways(speculative=("mtp",)).model_copy(update={"id": "tensorrt-llm"})
    nvidia, shipped = chip().model_copy(update={"vendor": "NVIDIA"}), replace(V3, prediction_modules=1)
    assert [s.draft_tokens for s in recipes_for(shipped, documented, nvidia)] == [3, 1, 2]
    assert [s.draft_tokens for s in recipes_for(shipped, documented, nvidia, attention_dp=True)] == [1, 2, 3]
    assert all(s.acceptance_length is None for s in recipes_for(shipped, documented, nvidia))
    assert recipes_for(shipped, engine(), chip()) == ()
    assert recipes_for(V3, documented, nvidia) == ()
