"""Pools in an open loop and on two chips: identities, limits, and the closed form against an event simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stackwright.errors import InputError
from stackwright.performance import Candidate, Layout, Pools, Speculation, pooled
from stackwright.performance.constants import prior_constants
from stackwright.performance.memory import kv_bytes_per_sequence
from stackwright.serving.disaggregated import disaggregated, handover_s, transfer_s
from stackwright.serving.phases import decode_step, phases
from stackwright.serving.pools_open import decoding_for_rate, full_prefill_pool, open_pools, prompt_wait_s
from stackwright.serving.tokens import decode_context
from stackwright.serving.traffic import traffic
from stackwright.workload import Lengths, Workload
from tests.llm import configs as facts
from tests.performance.parts import TP8, chip, engine, model
from tests.serving.pool_simulation import run_open

LLAMA_70B, V3 = model(facts.LLAMA_70B), model(facts.DEEPSEEK_V3)
OPEN = Workload("open", Lengths.fixed(1000), Lengths.fixed(300), rate_per_s=1.0)
PRIOR = prior_constants()


def pools(prefill_workers=1, decode_workers=1, m=LLAMA_70B, prefill=TP8, decode=TP8, prefill_chip=None, **changes):
    entry = Candidate(engine(), chip(**changes), decode)
    return pooled(m, [entry], [Pools(prefill, prefill_workers, decode, decode_workers, prefill_chip)], PRIOR)


def at(*n):
    return np.array([n], dtype=float)


def test_littles_law_in_the_decode_pool_and_in_all():
    d = pools(2, 3)
    s = open_pools(d, OPEN, at(1, 30, 300))
    np.testing.assert_allclose(s.request_rate * (OPEN.output.mean - 1.0) * s.tpot.mean, at(1, 30, 300), rtol=1e-9)
    np.testing.assert_allclose(s.concurrency, s.request_rate * s.e2e.mean, rtol=1e-12)
    np.testing.assert_allclose(sum(s.waits.values()), s.ttft.mean, rtol=1e-12)


def test_a_rate_is_met():
    d = pools(2, 3)
    for rate in (0.1, 3.0, 9.0):
        n = decoding_for_rate(d, OPEN, np.asarray(rate))
        assert open_pools(d, OPEN, n).request_rate.item() == pytest.approx(rate, rel=1e-6)


def test_light_traffic_waits_for_nothing_and_agrees_with_one_user():
    d, alone = pools(2, 2), OPEN.with_load(concurrency=1)
    calm = open_pools(d, OPEN, at(1e-4))
    one = disaggregated(d, alone, at(1))
    assert calm.ttft.mean.item() == pytest.approx(one.ttft.mean.item(), rel=1e-3)
    assert calm.tpot.mean.item() == pytest.approx(one.tpot.mean.item(), rel=1e-3)


@pytest.mark.parametrize("workers", [(1, 8), (8, 1)])
def test_each_pool_has_a_limit(workers):
    """Too many prompts for one prefill worker, too many sequences for the cache of one decode worker."""
    d = pools(*workers)
    s = open_pools(d, OPEN, np.geomspace(1, 1e5, 60)[None, :])
    _, pool = full_prefill_pool(d, traffic(OPEN), np.zeros((1, 1)))
    assert s.stable[0, 0]
    assert not s.stable[0, -1]
    assert np.all(np.diff(s.stable.astype(int)) <= 0)
    assert s.request_rate[s.stable].max() < pool.capacity.item()
    if workers[0] == 8:
        assert s.request_rate[s.stable].max() < 0.5 * pool.capacity.item()


def test_slow_links_limit_too():
    quick, slow = (pools(8, 8, link=link, domain=256) for link in (450e9, 1e8))
    n = at(200)
    assert open_pools(quick, OPEN, n).stable.item()
    assert not open_pools(slow, OPEN, n).stable.item()


def test_more_traffic_never_lowers_a_latency_and_more_workers_never_raise_the_queue():
    s = open_pools(pools(2, 2), OPEN, np.geomspace(0.1, 300, 40)[None, :])
    assert np.all(np.diff(s.ttft.mean[s.stable]) >= 0)
    assert np.all(np.diff(s.tpot.mean[s.stable]) >= 0)
    t, rate = traffic(OPEN), np.asarray([[4.0]])
    waits = []
    for n in (1, 2, 4):
        d = pools(n, 2)
        waits.append(prompt_wait_s(d, t, full_prefill_pool(d, t, np.zeros((1, 1)))[1], rate)[2].item())
    assert waits[0] > waits[1] > waits[2]


def test_one_prompt_to_a_step_waits_as_in_m_d_1():
    """A budget of one prompt: rho s / (2 (1 - rho)) for Poisson arrivals of fixed prompts, times a constant."""
    long = Workload("long", Lengths.fixed(20_000), Lengths.fixed(300), rate_per_s=1.0)
    d = pools(1, 8)
    t = traffic(long)
    _, pool = full_prefill_pool(d, t, np.zeros((1, 1)))
    assert pool.batch.item() == 1.0
    s = pool.alone_s.item()
    rho = 0.6
    wait = prompt_wait_s(d, t, pool, np.asarray([[rho / s]]))[2].item()
    weight = float(d.theta["queue_weight"])
    assert wait == pytest.approx(weight * 0.5 * (rho * s + rho**2 * s / (1 - rho)), rel=1e-9)
    assert wait == pytest.approx(weight * rho * s / (2 * (1 - rho)), rel=1e-9)


def test_a_cached_prefix_spares_prompts_not_the_hand_over():
    half = replace(OPEN, prefix_hit_rate=0.5)
    d = pools(1, 1)
    whole, cached = (full_prefill_pool(d, traffic(w), np.zeros((1, 1)))[1] for w in (OPEN, half))
    assert cached.capacity.item() > 1.7 * whole.capacity.item()
    assert transfer_s(d, traffic(half)).item() == transfer_s(d, traffic(OPEN)).item()


def test_answers_of_one_token_are_refused():
    with pytest.raises(InputError, match="more than one token"):
        open_pools(pools(), replace(OPEN, output=Lengths.fixed(1)), at(1))


def test_drafts_shorten_decoding():
    entry = Candidate(engine(), chip(), TP8, speculation=Speculation("ngram", 2, 2.0))
    drafted = pooled(LLAMA_70B, [entry], [Pools(TP8, 1, TP8, 1)], PRIOR)
    assert open_pools(drafted, OPEN, at(8)).tpot.mean.item() < 0.7 * open_pools(pools(), OPEN, at(8)).tpot.mean.item()


def test_pools_on_two_chips_take_the_slower_side():
    other = chip("other", bandwidth=1e12, domain=72)
    d = pools(2, 1, V3, Layout(1, 1, 8, 8, "fp8", "fp8"), Layout(1, 1, 8, 8, "fp8", "fp8"), other)
    t = traffic(OPEN)
    seconds = kv_bytes_per_sequence(d.prefill, t.input_mean) / (50e9 * d.theta["pool_link_efficiency"])
    assert d.mixed.all()
    assert transfer_s(d, t).item() == pytest.approx(seconds.item())
    assert handover_s(d, t).item() == pytest.approx(float(d.theta["pool_handover_s"]) + seconds.item())
    assert d.prefill.bandwidth.item() == 1e12
    assert d.decode.bandwidth.item() == 3.3e12
    assert str(d.pools(0)) == "prefill 2 x tp1 ep8 dp8 on other, decode 1 x tp1 ep8 dp8"
    slower = chip("slow", bandwidth=1e12)
    slower = slower.model_copy(update={"link": slower.link.model_copy(update={"scale_out_bytes_per_s": 10e9})})
    d = pools(2, 1, V3, Layout(1, 1, 8, 8, "fp8", "fp8"), Layout(1, 1, 8, 8, "fp8", "fp8"), slower)
    assert transfer_s(d, t).item() == pytest.approx(5 * seconds.item())


def test_the_same_chip_named_twice_is_not_mixed():
    same = pools(2, 1, prefill_chip=chip())
    assert not same.mixed.any()
    np.testing.assert_array_equal(
        disaggregated(same, OPEN.with_load(concurrency=9), at(9)).ttft.mean,
        disaggregated(pools(2, 1), OPEN.with_load(concurrency=9), at(9)).ttft.mean,
    )


CASES = [(1, 1, 0.3), (1, 1, 0.7), (2, 2, 0.5), (4, 2, 0.7), (1, 2, 0.85)]


def test_closed_form_against_the_event_simulation():
    """Poisson arrivals at a share of the prefill pool's capacity, prompts of 1000, answers uniform(0.8, 1) of 300."""
    errors = np.array([_errors(*case) for case in CASES])
    assert np.all(np.abs(errors[:, 1]) < 0.01)
    assert np.median(np.abs(errors[:, 0])) < 0.06
    assert np.abs(errors[:, 0]).max() < 0.2


def _errors(workers, decoders, load):
    w = Workload("w", Lengths.fixed(1000), Lengths.uniform(240, 300), rate_per_s=1.0)
    d = pools(workers, decoders)
    t = traffic(w)
    _, pool = full_prefill_pool(d, t, np.zeros((1, 1)))
    rate = load * pool.capacity.item()
    s = open_pools(d, w, decoding_for_rate(d, w, np.asarray(rate)))
    context = np.asarray(decode_context(w))
    steps = {}

    def decode_s(n):
        if n not in steps:
            steps[n] = decode_step(d.decode, np.full((1, 1), float(n)), context).seconds.item()
        return steps[n]

    assert phases(d.prefill, t, at(1)).prompt_s.item() * float(d.theta["prefill_time_scale"]) == pytest.approx(
        pool.alone_s.item()
    )
    rng = np.random.default_rng(3)
    count = 4000
    outputs = rng.integers(240, 301, count)
    sent = np.cumsum(rng.exponential(1.0 / rate, count))
    aside = float(d.theta["request_overhead_s"]) + handover_s(d, t).item()
    prompts = [pool.step_s(at(b)).item() for b in range(1, math.ceil(pool.batch.item()) + 1)]
    workers_of = (workers, int(pool.batch.item()), decoders)
    ttft, tpot = run_open(lambda b: prompts[b - 1], decode_s, workers_of, sent, outputs, aside)
    return s.ttft.mean.item() / ttft.mean() - 1.0, s.tpot.mean.item() / tpot.mean() - 1.0
