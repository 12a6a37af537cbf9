"""Identities, limits and edges of the closed and the open loop."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackwright.performance import Candidate, Layout, candidates
from stackwright.performance.constants import prior_constants
from stackwright.performance.power import chip_power_w
from stackwright.serving import closed_loop, open_loop, phases, replica_chip_power_w, running_for_rate
from stackwright.serving.closed_loop import waves
from stackwright.serving.latency import TtftDistribution
from stackwright.serving.tokens import decode_context, prompt_context
from stackwright.serving.traffic import traffic
from stackwright.workload import Lengths, Workload
from tests.llm import configs as facts
from tests.performance.parts import TP8, chip, engine, model, one

LLAMA_8B, LLAMA_70B, V3 = (model(c) for c in (facts.LLAMA_8B, facts.LLAMA_70B, facts.DEEPSEEK_V3))
POLICIES = ("prefill_priority", "chunked")
UNIFORM = Workload("uniform", Lengths.uniform(800, 1000), Lengths.uniform(400, 500))
FIXED = Workload("fixed", Lengths.fixed(1000), Lengths.fixed(500))
LONG_TAIL = Workload("tail", Lengths.lognormal(1500, 1.0), Lengths.lognormal(300, 1.0))


def at(n):
    return np.atleast_2d(np.asarray(n, dtype=float))


def value(x):
    return np.asarray(x).item()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("w", [UNIFORM, FIXED, LONG_TAIL])
def test_littles_law(policy, w):
    c = one(LLAMA_70B, TP8, policy)
    n = at([0.5, 4, 60, 300])
    s = closed_loop(c, w, n)
    np.testing.assert_allclose(s.request_rate * s.e2e.mean, n, rtol=1e-12)
    o = open_loop(c, w, n)
    np.testing.assert_allclose(o.request_rate * w.output.mean * o.tpot.mean, n, rtol=1e-12)
    np.testing.assert_allclose(o.request_rate * o.e2e.mean, o.concurrency, rtol=1e-12)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("w", [UNIFORM, FIXED, UNIFORM.with_load(concurrency=1, rounds=10)])
def test_waits_sum_to_the_mean_time_to_first_token(policy, w):
    c = one(LLAMA_70B, TP8, policy)
    for s in (closed_loop(c, w, at([1, 30, 400])), open_loop(c, w, at([1, 30, 400]))):
        np.testing.assert_allclose(sum(s.waits.values()), s.ttft.mean, rtol=1e-12)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("loop", [closed_loop, open_loop])
def test_low_load_is_one_request_alone(policy, loop):
    """TTFT -> request overhead + prompt + kappa decode steps; TPOT -> one decode step; rate -> 0."""
    c = one(LLAMA_70B, TP8, policy)
    s = loop(c, UNIFORM, at(1e-9))
    theta = {k: float(v) for k, v in c.theta.items()}
    td = value(s.phases.decode.seconds)
    alone = theta["request_overhead_s"] + value(s.phases.prompt_s) + theta["decode_steps_before_start"] * td
    assert value(s.ttft.mean) == pytest.approx(alone, rel=1e-6)
    assert value(s.tpot.mean) == pytest.approx(td, rel=1e-6)
    assert 0 < value(s.request_rate) < 1e-6


def in_step(c, persistence=1.0):
    """A client that adds no jitter of its own."""
    return replace(c, theta={**c.theta, "wave_persistence": np.asarray(persistence)})


def test_bursts_by_hand():
    """1/R where outputs spread the users out, 1 where they stay together, 0 or 1 without a start."""
    c = in_step(one(LLAMA_70B, TP8))
    spread = Workload("w", Lengths.fixed(4000), Lengths.uniform(4000, 5000), concurrency=64, rounds=10)
    together = Workload("w", Lengths.fixed(4000), Lengths.fixed(500), concurrency=64, rounds=10)

    def share(w):
        return value(waves(c, w, phases(c, w, at(64))).burst_share)

    assert share(spread) == pytest.approx(0.1, abs=0.002)
    assert share(together) == 1.0
    assert share(spread.with_load(concurrency=64)) == pytest.approx(0, abs=1e-9)
    assert share(together.with_load(concurrency=64)) == 1.0
    assert share(spread.with_load(concurrency=64, rounds=1)) == 1.0


def test_a_chunked_engine_leaves_lock_step():
    w = Workload("w", Lengths.fixed(4000), Lengths.fixed(500), concurrency=256, rounds=10)
    engines = [in_step(one(LLAMA_70B, TP8, p)) for p in POLICIES]
    shares = [value(waves(c, w, phases(c, w, at(256))).burst_share) for c in engines]
    assert shares[0] == 1.0
    assert shares[1] < 0.2


def test_users_that_drift_apart_wait_less_and_decode_slower():
    """Lock-step moves the prompts of the others from TPOT to TTFT; what a request lasts stays about the same."""
    w = Workload("w", Lengths.fixed(4000), Lengths.fixed(100), concurrency=40)
    locked, loose = (closed_loop(in_step(one(LLAMA_70B, TP8), p), w, at(40)) for p in (1.0, 0.01))
    assert value(loose.ttft.mean) < 0.5 * value(locked.ttft.mean)
    assert value(loose.tpot.mean) > 1.2 * value(locked.tpot.mean)
    assert value(loose.e2e.mean) == pytest.approx(value(locked.e2e.mean), rel=0.25)


def test_attention_ranks_wait_for_each_other():
    w = Workload("w", Lengths.fixed(1000), Lengths.fixed(500), concurrency=8)
    for layout, ranks in ((Layout(tp=8), 1), (Layout(tp=2, attention_dp=4), 4)):
        s = closed_loop(one(LLAMA_70B, layout), w, at(8))
        waited = value(s.waits["other attention ranks"])
        assert waited == pytest.approx(2.0 * value(s.tpot.mean) if ranks > 1 else 0.0)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("w", [UNIFORM, FIXED, LONG_TAIL, UNIFORM.with_load(concurrency=1, rounds=10)])
@pytest.mark.parametrize("loop", [closed_loop, open_loop])
def test_percentiles_never_fall(policy, w, loop):
    s = loop(one(LLAMA_70B, TP8, policy), w, at([0.1, 1, 20, 200]))
    ps = np.linspace(0.01, 0.999, 40)
    for d in (s.ttft, s.tpot, s.e2e):
        values = np.array([d.quantile(p) for p in ps])
        assert np.all(np.diff(values, axis=0) >= -1e-9)
        assert np.all(values > 0)


def test_the_mixture_of_waits_has_its_mean():
    """The integral of the wait quantile over p is the mean wait of burst and steady queue."""
    c = one(LLAMA_70B, TP8)
    w = Workload("w", Lengths.fixed(1000), Lengths.uniform(400, 500), concurrency=100, rounds=10)
    t = closed_loop(c, w, at(100)).ttft
    ps = (np.arange(4000) + 0.5) / 4000
    assert np.mean([value(t.quantile(p)) for p in ps]) == pytest.approx(value(t.mean), rel=0.01)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(1e-4, 1e2), st.floats(1e-3, 1.0), st.floats(0.0, 1.0), st.floats(1e-3, 1e2), st.floats(0.0, 0.99),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)  # fmt: skip
def test_the_law_of_waits_at_its_quantile_is_p(wait, u, share, end, start, p):
    """Share of requests that wait at most the p-quantile: p, or more where many do not wait at all."""
    columns = [np.array([[x]]) for x in (0.0, 0.0, wait * (1.0 - share), u, share, end)]
    t = TtftDistribution(*columns, traffic(UNIFORM), np.array([[start * end]]))
    found = value(t.quantile(p))

    def law(x: float) -> float:
        burst = min(max((x - start * end) / (end - start * end), 0.0), 1.0)
        return share * burst + (1.0 - share) * (1.0 - u * math.exp(-x * u / wait) if x >= 0.0 else 0.0)

    edge = 1e-6 * (found + end)
    assert law(found + edge) >= p - 1e-9
    assert law(found - edge) <= p + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 400), st.floats(0.01, 400), st.sampled_from(POLICIES))
def test_more_load_is_slower_for_each_and_faster_for_all(a, b, policy):
    c = one(LLAMA_70B, TP8, policy)
    low, high = sorted((a, b))
    for loop in (closed_loop, open_loop):
        s, t = loop(c, UNIFORM, at(low)), loop(c, UNIFORM, at(high))
        assert value(s.tpot.mean) <= value(t.tpot.mean) * (1 + 1e-9)
        assert value(s.ttft.mean) <= value(t.ttft.mean) * (1 + 1e-9)
        assert value(s.request_rate) <= value(t.request_rate) * (1 + 1e-6)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.001, 300), st.sampled_from(POLICIES))
def test_running_for_rate_inverts_the_open_loop(n, policy):
    c = one(LLAMA_70B, TP8, policy)
    rate = open_loop(c, UNIFORM, at(n)).request_rate
    assert value(open_loop(c, UNIFORM, running_for_rate(c, UNIFORM, rate)).request_rate) == pytest.approx(
        value(rate), rel=1e-6
    )


def test_a_rate_out_of_reach_is_infinite():
    assert np.isinf(running_for_rate(one(LLAMA_70B, TP8), UNIFORM, at(1e6))).all()


@pytest.mark.parametrize("loop", [closed_loop, open_loop])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "w",
    [
        UNIFORM,
        FIXED,
        LONG_TAIL,
        FIXED.with_load(concurrency=1, rounds=1),
        UNIFORM.with_load(concurrency=1, rounds=1.5),
        Workload("one token", Lengths.fixed(1), Lengths.fixed(1), concurrency=1, rounds=10),
        Workload("long prompt", Lengths.fixed(100_000), Lengths.fixed(10), concurrency=1, rounds=10),
        Workload("cached", Lengths.uniform(2000, 4000), Lengths.fixed(100), prefix_hit_rate=0.99),
    ],
)
def test_no_load_breaks_the_arithmetic(loop, policy, w):
    entries = [
        (LLAMA_70B, TP8),
        (LLAMA_70B, Layout(tp=4, pp=2, weight_precision="fp8")),
        (LLAMA_70B, Layout(tp=16)),
        (LLAMA_70B, Layout()),  # does not fit
        (V3, Layout(attention_dp=8, ep=8, weight_precision="fp8")),
        (model(facts.GPT_OSS_20B), Layout(weight_precision="mxfp4")),
    ]
    loads = at([1e-12, 0.3, 1, 8, 1000, 1e6])
    for m, layout in entries:
        with np.errstate(all="raise", under="ignore"):
            s = loop(one(m, layout, policy), w, loads)
            found = [s.ttft.mean, s.tpot.mean, s.e2e.mean, s.request_rate, s.ttft.quantile(0.95), s.e2e.quantile(0.95)]
        for x in found:
            assert np.all(np.isfinite(x) & (x > 0))
            assert x.shape == s.stable.shape == (1, 6)


def test_what_does_not_fit_is_not_stable():
    c = one(LLAMA_70B, Layout())
    assert not closed_loop(c, UNIFORM, at([1, 10])).stable.any()
    assert not open_loop(c, UNIFORM, at([1, 10])).stable.any()
    assert closed_loop(one(LLAMA_70B, TP8), UNIFORM, at([1, 10])).stable.all()


def test_an_open_loop_beyond_its_cache_is_not_stable():
    c = one(LLAMA_70B, TP8)
    fits = value(open_loop(c, UNIFORM, at(1)).phases.fitting)
    assert open_loop(c, UNIFORM, at([0.9 * fits, 1.1 * fits])).stable.tolist() == [[True, False]]


def test_the_engines_sequence_limit_counts():
    c = one(LLAMA_8B, max_sequences=16)
    ph = phases(c, UNIFORM, at([8, 16, 64]))
    assert value(ph.fitting) == 16
    assert ph.running[0, 2] == 16
    assert ph.running[0, 0] == pytest.approx(8, rel=1e-3)


@pytest.mark.parametrize("loop", [closed_loop, open_loop])
def test_one_point_equals_the_array_path_exactly(loop):
    layouts = [Layout(tp=t, pp=p, weight_precision="fp8") for t in (2, 4, 8) for p in (1, 2)]
    entries = [Candidate(engine(p), chip(), x) for p in POLICIES for x in layouts]
    loads = at([0.2, 1, 9, 77, 300])
    together = loop(candidates(LLAMA_70B, entries, prior_constants()), UNIFORM, loads)
    for i, entry in enumerate(entries):
        for j in range(loads.size):
            alone = loop(candidates(LLAMA_70B, [entry], prior_constants()), UNIFORM, loads[:, j : j + 1])
            assert value(alone.ttft.mean) == together.ttft.mean[i, j]
            assert value(alone.tpot.mean) == together.tpot.mean[i, j]
            assert value(alone.request_rate) == together.request_rate[i, j]


def test_attention_data_parallel_ranks_share_the_users():
    c = one(V3, Layout(attention_dp=8, ep=8, weight_precision="fp8"), gb=192.0)
    s = closed_loop(c, UNIFORM, at([2, 64]))
    np.testing.assert_allclose(s.phases.offered, [[0.25, 8]])
    np.testing.assert_allclose(s.concurrency, [[2, 64]])
    assert np.all(s.phases.decode.seconds > 0)


def test_cached_prefixes_save_prompt_time_but_not_cache():
    plain = Workload("w", Lengths.fixed(8000), Lengths.fixed(100))
    cached = Workload("w", Lengths.fixed(8000), Lengths.fixed(100), prefix_hit_rate=0.9)
    c = one(LLAMA_8B)
    a, b = (phases(c, w, at(4)) for w in (plain, cached))
    assert value(b.prompt_s) < 0.2 * value(a.prompt_s)
    assert value(b.fitting) == value(a.fitting)
    assert value(b.decode.seconds) == value(a.decode.seconds)


def test_contexts_by_hand():
    w = Workload("w", Lengths.uniform(500, 1500), Lengths.uniform(500, 1500), prefix_hit_rate=0.25)
    rng = np.random.default_rng(0)
    x = rng.uniform(500, 1500, 400_000)
    assert decode_context(w) == pytest.approx(1000 + np.mean(x**2) / (2 * np.mean(x)), rel=2e-3)
    pairs = np.mean(0.75 * x * (0.25 * x + 0.75 * x / 2))
    assert w.computed_input_mean * prompt_context(w) == pytest.approx(pairs, rel=2e-3)


def test_long_prompts_pay_every_chunk():
    c = one(LLAMA_8B, max_batched_tokens=2048)
    short, long = (phases(c, Workload("w", Lengths.fixed(n), Lengths.fixed(9)), at(1)) for n in (2048, 4 * 2048))
    assert value(short.prompt_s) == value(short.prompt.seconds)
    assert value(long.prompt_s - long.prompt.seconds) == pytest.approx(3 * value(long.prompt.fixed_s))
    assert value(long.prompts_per_batch) == 1


def test_pipeline_stages_work_on_different_requests():
    c = one(LLAMA_70B, Layout(tp=4, pp=2, weight_precision="fp8"))
    ph = phases(c, UNIFORM, at(64))
    assert value(ph.batched_prompt_s) < 0.55 * value(ph.prompt_s)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("loop", [closed_loop, open_loop])
def test_power_is_between_idle_and_full_and_rises_with_load(policy, loop):
    c = one(LLAMA_70B, TP8, policy)
    watts = replica_chip_power_w(c, loop(c, UNIFORM, at([1e-6, 0.1, 1, 10, 100, 300])))[0]
    idle = value(chip_power_w(c, np.array(0.0), np.array(0.0)))
    assert np.all((watts >= idle - 1e-9) & (watts <= 700))
    assert watts[0] < idle + 1 or loop is closed_loop
    assert np.all(np.diff(watts) > -1e-6)


def test_phases_are_arrays_of_one_shape():
    ph = phases(one(LLAMA_70B, TP8, "chunked"), UNIFORM, at([1, 2, 3]))
    for f in fields(ph):
        x = getattr(ph, f.name)
        if isinstance(x, np.ndarray):
            assert np.broadcast_shapes(x.shape, (1, 3)) == (1, 3)
