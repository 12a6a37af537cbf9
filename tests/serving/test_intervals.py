"""Intervals: first-order propagation against Monte Carlo, probabilities against integration."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.serving import closed_loop, open_loop, probability_below, probability_both, propagate
from stackwright.serving.intervals import Z, normal_cdf
from stackwright.workload import Lengths, Workload
from tests.llm.configs import LLAMA_70B
from tests.performance.parts import TP8, model, one

W = Workload("w", Lengths.uniform(800, 1000), Lengths.uniform(800, 1000), concurrency=32, rounds=10)
DRAWS = 4000
NODES = np.polynomial.legendre.leggauss(80)


def metrics(loop, load):
    def evaluate(c):
        s = loop(c, W, np.array([[float(load)]]))
        rate = np.broadcast_to(s.request_rate, s.tpot.mean.shape)
        return {"ttft": s.ttft.mean, "ttft_p95": s.ttft.quantile(0.95), "tpot": s.tpot.mean, "rate": rate}

    return evaluate


def drawn(c):
    """DRAWS copies of one candidate, each with its own constants."""
    rng = np.random.default_rng(0)
    many = c.take(np.zeros(DRAWS, dtype=np.int64))
    theta = dict(many.theta)
    for name in c.constants.uncertain:
        theta[name] = theta[name] * np.exp(rng.normal(0, c.constants.sd(name), (DRAWS, 1)))
    return replace(many, theta=theta)


@pytest.mark.parametrize(("loop", "load"), [(closed_loop, 32), (closed_loop, 4), (open_loop, 16)])
@pytest.mark.parametrize("policy", ["prefill_priority", "chunked"])
def test_first_order_spread_against_monte_carlo(loop, load, policy):
    """Spread of ln, and the share of draws inside the nominal 90 % interval: 82 to 90 % of first order.

    Sums of skewed times have their upper tail beyond it; the p95 of TTFT bends besides, where a share of requests
    starts or stops to decide it.
    """
    c = one(model(LLAMA_70B), TP8, policy)
    evaluate = metrics(loop, load)
    spread, many = propagate(evaluate, c), evaluate(drawn(c))
    for name, off in (("ttft", 0.2), ("tpot", 0.2), ("rate", 0.2), ("ttft_p95", 0.35)):
        logs = np.log(many[name][:, 0])
        assert spread.sd_ln(name).item() == pytest.approx(logs.std(), rel=off), name
        low, high = spread.interval(name)
        assert 0.80 < np.mean((many[name] >= low) & (many[name] <= high)) < 0.95, name
    sampled = np.corrcoef(np.log(many["ttft"][:, 0]), np.log(many["tpot"][:, 0]))[0, 1]
    assert spread.correlation("ttft", "tpot").item() == pytest.approx(sampled, abs=0.15)


def test_a_metric_without_constants_has_no_spread():
    c = one(model(LLAMA_70B), TP8)
    spread = propagate(lambda _: {"x": np.array([[2.0]])}, c)
    assert spread.sd_ln("x").item() == 0
    assert [float(v.item()) for v in spread.interval("x")] == [2.0, 2.0]


def test_infinite_metrics_stay_infinite_without_noise():
    c = one(model(LLAMA_70B), TP8)
    spread = propagate(lambda m: {"x": np.array([[np.inf, float(m.theta["step_overhead_s"])]])}, c)
    assert spread.sd_ln("x").tolist() == [[0.0, pytest.approx(c.constants.sd("step_overhead_s"))]]


def test_probability_below_by_hand():
    value, sd = np.array([1.0, 1.0, np.inf, 0.5]), np.array([0.3, 0.0, 0.3, 0.3])
    found = probability_below(1.0, value, sd)
    assert found[0] == pytest.approx(0.5)
    assert found[2] == 0.0
    assert found[3] == pytest.approx(NormalDist().cdf(math.log(2) / 0.3))
    assert probability_below(np.exp(Z * 0.3), np.array([1.0]), np.array([0.3]))[0] == pytest.approx(0.95)


def bivariate(p, q, rho):
    """P(X <= a, Y <= b): the integral of the density over the correlation (Plackett 1954)."""
    h, k = NormalDist().inv_cdf(p), NormalDist().inv_cdf(q)
    x, w = NODES
    angle = (x + 1) / 2 * math.asin(rho)
    density = np.exp(-(h * h + k * k - 2 * h * k * np.sin(angle)) / (2 * np.cos(angle) ** 2))
    return p * q + math.asin(rho) / 2 * np.sum(w * density) / (2 * math.pi)


def test_probability_of_both_is_within_its_claim():
    worst = 0.0
    for p in np.linspace(0.01, 0.99, 25):
        for q in np.linspace(0.01, 0.99, 25):
            for rho in np.linspace(-0.99, 0.99, 23):
                found = probability_both(np.array(p), np.array(q), np.array(rho)).item()
                worst = max(worst, abs(found - bivariate(p, q, rho)))
    assert 0.03 < worst < 0.037


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1))
def test_probability_of_both_keeps_the_frechet_bounds(p, q, rho):
    found = probability_both(np.array(p), np.array(q), np.array(rho)).item()
    assert max(p + q - 1, 0) - 1e-12 <= found <= min(p, q) + 1e-12


def test_probability_of_both_is_exact_where_it_says_so():
    p, q = np.array(0.9), np.array(0.7)
    assert probability_both(p, q, np.array(0.0)) == pytest.approx(0.63)
    assert probability_both(p, q, np.array(1.0)) == pytest.approx(0.7)
    assert probability_both(p, q, np.array(-1.0)) == pytest.approx(0.6)
    half = np.array(0.5)
    assert probability_both(half, half, np.array(0.6)) == pytest.approx(0.25 + math.asin(0.6) / (2 * math.pi))


def test_normal_cdf():
    z = np.array([-1.0, 0.0, 2.0])
    np.testing.assert_allclose(normal_cdf(z), [NormalDist().cdf(v) for v in z], rtol=1e-12)
