"""Identities, limits and monotony of disaggregated pools, and the closed form against an event simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackwright.llm.operators import StepShape
from stackwright.performance import Candidate, Layout, Pools, pooled, pools_problem, step_time
from stackwright.performance.constants import prior_constants
from stackwright.serving import disaggregated, phases
from stackwright.serving.disaggregated import handover_s, prefill_pool
from stackwright.serving.tokens import decode_context
from stackwright.serving.traffic import traffic
from stackwright.workload import Lengths, Workload
from tests.llm import configs as facts
from tests.performance.parts import TP8, chip, engine, model
from tests.serving.pool_simulation import run

LLAMA_70B, V3 = model(facts.LLAMA_70B), model(facts.DEEPSEEK_V3)
UNIFORM = Workload("uniform", Lengths.uniform(800, 1000), Lengths.uniform(400, 500))
TEN_ROUNDS = UNIFORM.with_load(concurrency=1, rounds=10)
PRIOR = prior_constants()
PREFILL, DECODE = Layout(8, 1, 8, 1, "fp8", "fp8"), Layout(1, 1, 8, 8, "fp8", "fp8")


def pools(prefill_workers=1, decode_workers=1, m=LLAMA_70B, prefill=TP8, decode=TP8, **changes):
    """One deployment on chips with room for it; changes of the chip by keyword."""
    entry = Candidate(engine(), chip(**changes), decode)
    return pooled(m, [entry], [Pools(prefill, prefill_workers, decode, decode_workers)], PRIOR)


def at(*n):
    return np.array([n], dtype=float)


@pytest.mark.parametrize("w", [UNIFORM, TEN_ROUNDS])
def test_littles_law_and_waits_sum_to_the_mean(w):
    s = disaggregated(pools(2, 3), w, at(0.5, 1, 8, 100, 3000))
    cycle = s.ttft.mean + (w.output.mean - 1.0) * s.tpot.mean
    np.testing.assert_allclose(s.request_rate * cycle, s.concurrency, rtol=1e-12)
    np.testing.assert_allclose(sum(s.waits.values()), s.ttft.mean, rtol=1e-12)


def test_the_balance_has_settled():
    """Requests in the decode pool are the rate times their time there (no start-up burst in a long run)."""
    d = pools(2, 3)
    s = disaggregated(d, UNIFORM, at(1, 8, 100, 600, 3000))
    there = s.request_rate * ((UNIFORM.output.mean - 1.0) * s.tpot.mean + s.waits["cache wait"])
    np.testing.assert_allclose(there, s.phases.offered * d.decode_workers * d.decode.shard.data, rtol=1e-4)


def test_one_request_alone():
    d = pools(3, 2)
    s, ph = disaggregated(d, UNIFORM, at(1)), phases(d.prefill, UNIFORM, at(1))
    t = d.theta
    alone = t["request_overhead_s"] + ph.prompt_s + handover_s(d, traffic(UNIFORM))
    alone = alone + t["decode_steps_before_start"] * ph.decode.seconds
    assert s.ttft.mean.item() == pytest.approx(alone.item(), rel=1e-9)
    assert s.tpot.mean.item() == pytest.approx(ph.decode.seconds.item(), rel=1e-9)
    assert s.waits["prompt queue"].item() == pytest.approx(0.0, abs=1e-12)
    assert s.waits["start-up burst"].item() == 0.0


def test_a_saturated_prefill_pool_sets_the_rate_and_never_the_step():
    d = pools(1, 8)
    s = disaggregated(d, UNIFORM, at(600, 2000, 8000))
    pool = prefill_pool(d, phases(d.prefill, UNIFORM, at(2000)), at(2000))
    np.testing.assert_allclose(s.request_rate[0, 1:], pool.capacity.item(), rtol=0.01)
    assert np.all(s.request_rate < pool.capacity.item())
    assert s.tpot.mean[0, 2] == pytest.approx(s.tpot.mean[0, 1], rel=0.01)


@pytest.mark.parametrize("w", [UNIFORM, TEN_ROUNDS])
def test_monotone_in_users(w):
    s = disaggregated(pools(2, 2), w, np.geomspace(1, 4000, 60)[None, :])
    for x in (s.ttft.mean, s.tpot.mean, s.request_rate):
        assert np.all(np.diff(x) >= -1e-9 * x[:, 1:])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 3000), st.sampled_from([UNIFORM, TEN_ROUNDS]))
def test_more_prefill_workers_never_raise_ttft(workers, decoders, users, w):
    few, more = (disaggregated(pools(n, decoders), w, at(users)) for n in (workers, workers + 1))
    assert more.ttft.mean.item() <= few.ttft.mean.item() * (1 + 1e-6)


def test_more_decode_workers_lower_tpot():
    few, more = (disaggregated(pools(4, n), UNIFORM, at(256)) for n in (1, 3))
    assert more.tpot.mean.item() < few.tpot.mean.item()


def test_rows_do_not_depend_on_their_neighbours():
    rows = [(1, 1), (2, 4), (6, 1)]
    entry = Candidate(engine(), chip(), TP8)
    together = pooled(LLAMA_70B, [entry] * 3, [Pools(TP8, a, TP8, b) for a, b in rows], PRIOR)
    both = disaggregated(together, TEN_ROUNDS, np.full((3, 1), 200.0))
    for i, (a, b) in enumerate(rows):
        alone = disaggregated(pools(a, b), TEN_ROUNDS, at(200))
        assert both.ttft.mean[i, 0] == pytest.approx(alone.ttft.mean.item(), rel=1e-9)
        assert both.tpot.mean[i, 0] == pytest.approx(alone.tpot.mean.item(), rel=1e-9)


def test_handover_is_the_cache_over_the_link():
    """DeepSeek V3: 576 latent elements of one byte in 61 layers; between servers, or inside one scale-up domain."""
    t = traffic(UNIFORM)
    n_bytes = 61 * 576 * UNIFORM.input.mean
    for domain, link in ((8, 50e9), (16, 450e9)):
        d = pools(1, 1, V3, PREFILL, DECODE, domain=domain)
        seconds = d.theta["pool_handover_s"] + n_bytes / (link * d.theta["pool_link_efficiency"])
        assert handover_s(d, t).item() == pytest.approx(float(seconds), rel=1e-9)


def test_chips_of_both_pools_count():
    d = pools(2, 1, V3, PREFILL, DECODE)
    assert d.n_chips.item() == Pools(PREFILL, 2, DECODE, 1).n_chips == 24


def test_pools_that_cannot_be():
    e, c = engine(), chip()
    assert pools_problem(Pools(TP8, 1, TP8, 1), LLAMA_70B, e, c) is None
    for made, said in (
        (Pools(TP8, 0, TP8, 1), "prefill: at least one worker"),
        (Pools(TP8, 1, Layout(3, 1, 1, 1, "fp8", "fp8"), 1), "decode: tensor parallel 3"),
        (Pools(TP8, 1, replace(TP8, kv_precision="bf16"), 1), "one precision"),
    ):
        assert said in (pools_problem(made, LLAMA_70B, e, c) or "")


CASES = [
    (workers, decoders, isl, osl, users)
    for workers, decoders, isl, osl in ((1, 1, 1000, 300), (1, 2, 4000, 300), (4, 2, 4000, 300), (6, 1, 4000, 300))
    for users in (1, 8, 32, 128, 512)
]


def test_closed_form_against_the_event_simulation():
    """Ten rounds, lengths uniform(0.8, 1): relative errors of mean TTFT, p50 TTFT, TPOT and rate."""
    errors = np.array([_errors(*case) for case in CASES])
    assert np.all(np.median(np.abs(errors), axis=0) < (0.07, 0.04, 0.005, 0.03))
    assert np.all(np.abs(errors).max(axis=0) < (0.15, 0.25, 0.05, 0.07))


def _errors(workers, decoders, isl, osl, users):
    w = Workload("w", Lengths.uniform(0.8 * isl, isl), Lengths.uniform(0.8 * osl, osl), concurrency=users, rounds=10)
    d = pools(workers, decoders)
    s = disaggregated(d, w, at(users))
    pool = prefill_pool(d, phases(d.prefill, w, at(users / workers)), at(users))
    n = np.arange(1, users + 2, dtype=float)[None, :]
    steps = step_time(d.decode, StepShape(n, n, np.asarray(decode_context(w)), prefill=False)).seconds[0]
    aside = float(d.theta["request_overhead_s"]) + handover_s(d, traffic(w)).item()
    outputs = np.round(np.random.default_rng(0).uniform(0.8 * osl, osl, users * 10)).astype(int)
    most = max(int(pool.batch.item()), 1)
    ttft, tpot, span = run(
        lambda b: pool.step_s(at(b)).item(), lambda k: steps[k - 1], (workers, most, decoders), users, outputs, aside
    )
    measured = np.array([ttft.mean(), np.median(ttft), tpot.mean(), len(outputs) / span])
    said = [x.item() for x in (s.ttft.mean, s.ttft.quantile(0.5), s.tpot.mean, s.request_rate)]
    return np.array(said) / measured - 1.0
