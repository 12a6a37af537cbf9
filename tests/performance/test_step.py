"""The step time: identities, bounds, monotonicity, one point against the array path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackwright.llm.operators import StepShape, operators
from stackwright.performance import Candidate, Layout, candidates, step_time
from stackwright.performance.collectives import all_reduce_s, ring_volume
from stackwright.performance.constants import prior_constants
from stackwright.performance.step import smooth_max
from tests.llm import configs as facts
from tests.performance.parts import TP8, chip, engine, model, one

MODELS = {n: model(getattr(facts, n), n) for n in ("LLAMA_8B", "LLAMA_70B", "GPT_OSS_20B", "DEEPSEEK_V3", "QWEN3_06B")}
LAYOUTS = {
    "LLAMA_8B": (Layout(), Layout(tp=2, kv_precision="fp8"), Layout(tp=8, pp=2)),
    "LLAMA_70B": (TP8, Layout(tp=4, pp=2), Layout(tp=16, weight_precision="fp8")),
    "GPT_OSS_20B": (Layout(weight_precision="mxfp4"), Layout(tp=2, ep=2)),
    "DEEPSEEK_V3": (TP8, Layout(tp=1, attention_dp=8, ep=8, weight_precision="fp8"), Layout(tp=8, ep=8)),
    "QWEN3_06B": (Layout(),),
}
CASES = [(n, layout) for n, layouts in LAYOUTS.items() for layout in layouts]


def decode(n=8.0, context=1000.0):
    n = np.atleast_2d(np.asarray(n, dtype=float))
    return StepShape(n, n, np.asarray(context, dtype=float), prefill=False)


def prompt(tokens=1000.0):
    t = np.atleast_2d(np.asarray(tokens, dtype=float))
    return StepShape(t, np.ones_like(t), t / 2, prefill=True)


@pytest.mark.parametrize(("name", "layout"), CASES)
@pytest.mark.parametrize("shape", [decode(), decode(512.0, 8000.0), prompt(), prompt(16.0)])
def test_parts_sum_to_the_step(name, layout, shape):
    s = step_time(one(MODELS[name], layout), shape)
    assert sum(float(np.asarray(p.seconds).flat[0]) for p in s.parts) == pytest.approx(
        float(s.seconds.flat[0]), rel=1e-12
    )
    assert s.part_s("") == pytest.approx(s.seconds, rel=1e-12)
    assert np.all(s.fixed_s > 0)
    assert np.all(s.fixed_s < s.seconds)


@pytest.mark.parametrize(("name", "layout"), CASES)
@pytest.mark.parametrize("shape", [decode(), decode(512.0, 8000.0), prompt(), prompt(16.0)])
def test_never_faster_than_the_roofline(name, layout, shape):
    """Bytes at nominal bandwidth, FLOP at nominal peak: efficiencies are at most 1."""
    c = one(MODELS[name], layout)
    bound = 0.0
    popularity = c.theta["expert_popularity_shape"]
    for o in operators(c.model, shape, c.shard, c.bytes_per_parameter, c.kv_bytes, popularity):
        compute = sum(f / c.peak_flops[role] for role, f in o.flops.items())
        bound = bound + o.layers * np.maximum((o.weight_bytes + o.kv_bytes) / c.bandwidth, compute)
    assert np.all(step_time(c, shape).seconds > bound)


def test_one_point_equals_the_array_path_exactly():
    for name, layouts in LAYOUTS.items():
        m = MODELS[name]
        entries = [
            Candidate(engine(p), chip(gb=g), x)
            for p in ("chunked", "prefill_priority")
            for g in (80.0, 192.0)
            for x in layouts
        ]
        n = np.array([[1.0, 7.0, 64.0, 300.0]])
        together = step_time(candidates(m, entries, prior_constants()), decode(n)).seconds
        for i, entry in enumerate(entries):
            single = candidates(m, [entry], prior_constants())
            for j in range(n.size):
                assert step_time(single, decode(n[0, j])).seconds.item() == together[i, j]


def test_take_repeats_and_reorders_rows():
    m = MODELS["LLAMA_8B"]
    entries = [Candidate(engine(), chip(), x) for x in LAYOUTS["LLAMA_8B"]]
    c = candidates(m, entries, prior_constants())
    rows = np.array([2, 0, 2])
    taken = c.take(rows)
    assert len(taken) == 3
    assert taken.entries == tuple(entries[i] for i in rows)
    np.testing.assert_array_equal(step_time(taken, decode()).seconds, step_time(c, decode()).seconds[rows])


sizes = st.floats(1, 2000)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CASES), sizes, sizes, st.floats(1, 1e5), st.floats(1, 1e5))
def test_time_rises_with_batch_and_context(case, n1, n2, c1, c2):
    c = one(MODELS[case[0]], case[1])
    small = step_time(c, decode(min(n1, n2), min(c1, c2))).seconds
    large = step_time(c, decode(max(n1, n2), max(c1, c2))).seconds
    assert np.all(small <= large * (1 + 1e-12))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CASES), sizes, st.floats(1, 4), st.sampled_from(["bandwidth", "bf16", "link"]))
def test_time_falls_with_a_faster_chip(case, n, factor, what):
    base = {"bandwidth": 3.3e12, "bf16": 1e15, "link": 450e9}[what]
    slow, fast = (one(MODELS[case[0]], case[1], **{what: v}) for v in (base, base * factor))
    for shape in (decode(n), prompt(n)):
        assert np.all(step_time(fast, shape).seconds <= step_time(slow, shape).seconds * (1 + 1e-12))


@given(st.floats(1e-9, 1e3), st.floats(1e-9, 1e3), st.floats(1, 16))
def test_smooth_maximum_is_between_the_maximum_and_its_bound(a, b, p):
    s = float(smooth_max(np.array(a), np.array(b), p))
    assert max(a, b) * (1 - 1e-9) <= s <= max(a, b) * 2 ** (1 / p) * (1 + 1e-9)


def test_smooth_maximum_of_four_takes_no_other_value():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 0.0])
    np.testing.assert_allclose(smooth_max(a, b, 4.0), (a**4 + b**4) ** 0.25, rtol=1e-14)


@given(st.integers(1, 64), st.floats(1, 1e9))
def test_ring_sends_every_byte_to_all_but_one(ranks, n):
    """Reduce-scatter and all-gather move (g - 1)/g of the message each; g ranks send 2 (g - 1) messages."""
    total = ranks * float(ring_volume(np.array(n), np.array(float(ranks))))
    assert total == pytest.approx(2 * (ranks - 1) * n)


def test_a_single_rank_does_not_communicate():
    latency, transfer = all_reduce_s(np.array(1e6), np.array(1.0), np.array(1e-6), np.array(1e9))
    assert latency == transfer == 0
    assert step_time(one(MODELS["LLAMA_8B"]), decode()).part_s("collectives") == 0


def test_tensor_parallel_collectives_by_hand():
    c = one(MODELS["LLAMA_70B"], TP8)
    theta = {k: float(v) for k, v in c.theta.items()}
    message = 8 * 8192 * 2
    each = theta["collective_latency_s"] + message * 2 * 7 / 8 / (450e9 * theta["link_efficiency"])
    assert step_time(c, decode()).part_s("collectives").item() == pytest.approx(2 * 80 * each)


def test_attention_data_parallel_collectives_by_hand():
    """No all-reduce of the attention; dispatch and combine of the tokens that pick an expert of the rank."""
    layout = Layout(attention_dp=8, ep=8, weight_precision="fp8")
    c = one(MODELS["DEEPSEEK_V3"], layout)
    theta = {k: float(v) for k, v in c.theta.items()}
    reached = 8 * 8 * (1 - (7 / 8) ** 8) * 7168 * 2
    each = 2 * theta["collective_latency_s"] + reached * 2 * 7 / 8 / (450e9 * theta["link_efficiency"])
    assert step_time(c, decode()).part_s("collectives").item() == pytest.approx(61 * each)


def test_leaving_the_scale_up_domain_costs():
    m, layout = MODELS["LLAMA_70B"], Layout(tp=16)
    inside, outside = (one(m, layout, domain=d) for d in (16, 8))
    parts = [step_time(c, prompt()).part_s("collectives").item() for c in (inside, outside)]
    assert parts[1] > 4 * parts[0]


def test_pipeline_stages_add_hops_and_hold_fewer_layers():
    m = MODELS["LLAMA_8B"]
    flat, staged = one(m, Layout(tp=2)), one(m, Layout(tp=2, pp=2))
    seconds = [step_time(c, decode()).seconds.item() for c in (flat, staged)]
    assert seconds[0] < seconds[1] < 1.01 * seconds[0]
    assert staged.stage_share.item() == 0.5
    assert one(MODELS["DEEPSEEK_V3"], Layout(tp=8, pp=2)).stage_share.item() == 31 / 61


def test_weights_that_the_chip_cannot_multiply_run_at_bf16():
    m = MODELS["LLAMA_8B"]
    for precision, rate in (("bf16", 1e15), ("fp8", 2e15), ("int4", 1e15), ("nvfp4", 1e15), ("mxfp4", 1e15)):
        c = one(m, Layout(weight_precision=precision))
        assert c.peak_flops["ffn"].item() == rate
        assert c.peak_flops["norm"].item() == c.peak_flops["head"].item() == 1e15
    four_bit = one(m, Layout(weight_precision="nvfp4"), fp4=4e15)
    assert four_bit.peak_flops["ffn"].item() == 4e15
    native = one(MODELS["GPT_OSS_20B"], Layout(weight_precision="mxfp4"), fp4=4e15)
    assert native.peak_flops["expert"].item() == 2e15


def test_narrow_expert_slices_lose_a_tile():
    """64 columns per slice of 2048 / 8 = 256 with tensor ranks, of 2048 with expert ranks (no imbalance)."""
    cut, whole = (one(MODELS["DEEPSEEK_V3"], layout) for layout in (TP8, Layout(tp=8, ep=8, weight_precision="fp8")))
    even = {**whole.theta, "expert_imbalance": np.asarray(0.0)}
    parts = [step_time(c, decode(1.0)).part_s("routed experts").item() for c in (cut, replace(whole, theta=even))]
    assert parts[0] / parts[1] == pytest.approx((1 + 64 / 256) / (1 + 64 / 2048))
