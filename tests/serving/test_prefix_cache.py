"""Prefix caches of limited size: what fits is found, host memory adds to it and costs its link."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stackwright.errors import InputError
from stackwright.performance import Candidate, Pools, kv_bytes_per_sequence, memory_budget, pooled
from stackwright.performance.constants import prior_constants
from stackwright.serving.prediction import predict, serve
from stackwright.serving.prefix_cache import PrefixCache, kept_prefixes
from stackwright.workload import Lengths, Workload
from tests.llm import configs as facts
from tests.performance.parts import TP8, chip, engine, model, one

LLAMA_70B = model(facts.LLAMA_70B)
W = Workload("w", Lengths.fixed(4000), Lengths.fixed(200), prefix_hit_rate=0.8, rate_per_s=0.5)
LINK = 64e9


def kept(cache, w=W):
    c = one(LLAMA_70B, TP8)
    return kept_prefixes(c, w, cache, serve(c, w))


def test_a_small_working_set_is_found_whole_and_costs_nothing():
    k = kept(PrefixCache(1000.0, 1e12, LINK))
    assert (k.hit_rate, k.in_host, k.load_s) == (0.8, 0.0, 0.0)


def test_what_fits_is_found_by_hand():
    c = one(LLAMA_70B, TP8)
    s = serve(c, W)
    per_token = 2 * 8 * 128 * 80 / 8
    used = s.phases.running.item() * kv_bytes_per_sequence(c, np.asarray(4100.0)).item()
    free = (memory_budget(c).kv.item() - used) / per_token
    k = kept(PrefixCache(10 * free))
    assert k.hit_rate == pytest.approx(0.08, rel=1e-6)
    k = kept(PrefixCache(10 * free, free * per_token, LINK))
    assert k.hit_rate == pytest.approx(0.16, rel=1e-6)
    assert k.in_host == pytest.approx(0.5)
    efficiency = float(c.theta["pool_link_efficiency"])
    assert k.load_s == pytest.approx(0.16 * 4000 * 0.5 * per_token / LINK / efficiency, rel=1e-6)


def test_more_host_memory_never_finds_less_nor_more_than_there_is():
    rates = [kept(PrefixCache(1e8, n, LINK)).hit_rate for n in (0.0, 1e10, 1e11, 1e12, 1e14)]
    assert rates == sorted(rates)
    assert rates[0] < rates[2] < rates[-1] == 0.8


@pytest.mark.parametrize("load", [{"rate_per_s": 0.5}, {"concurrency": 8}])
def test_loading_is_a_wait_of_its_own_and_waits_still_sum(load):
    w = replace(W, rate_per_s=None).with_load(**load)
    candidate = Candidate(engine(), chip(), TP8)
    found = predict(LLAMA_70B, candidate, w, prior_constants(), cache=PrefixCache(3e6, 2e11, LINK))
    assert found.waits["cache load"] > 0
    assert sum(found.waits.values()) == pytest.approx(found.metrics["ttft_mean_s"].value, rel=1e-9)
    assert any("unvalidated: no measured point with a limited" in n for n in found.notes)


def test_prefill_workers_keep_the_prefixes_of_pools():
    d = pooled(LLAMA_70B, [Candidate(engine(), chip(), TP8)], [Pools(TP8, 1, TP8, 1)], prior_constants())
    k = kept_prefixes(d, W, PrefixCache(3e7, 2e11, LINK), serve(d, W))
    assert 0.0 < k.hit_rate < 0.8
    assert serve(d, k.apply(W)).waits["cache load"].item() == pytest.approx(k.load_s)


def test_a_working_set_without_reuse_and_a_link_too_slow_are_refused():
    with pytest.raises(InputError, match="prefix-hit-rate"):
        kept(PrefixCache(1e6), replace(W, prefix_hit_rate=0.0))
    candidate, slow = Candidate(engine(), chip(), TP8), PrefixCache(3e7, 5e11, 1e6)
    with pytest.raises(InputError, match="host links"):
        predict(LLAMA_70B, candidate, W, prior_constants(), cache=slow)
