"""What every plan must satisfy, whatever the physics says."""

from __future__ import annotations

import math

import pytest

from stackwright.planner import Answer, Plan
from tests.planner.questions import ask

LOADS = [{}, {"rate": 20.0}, {"concurrency": 50.0}, {"workload": "summarise", "rate": 3.0, "ttft": 3.0, "tpot": 0.1}]
HOUR = 3600 / 1e6


@pytest.fixture(params=LOADS, ids=["no load", "rate", "users", "summarise"])
def answer(request: pytest.FixtureRequest) -> Answer:
    return ask(per="stack", top=1000, **request.param)


def output_rate(p: Plan) -> float:
    return p.metrics["output_tokens_per_s_per_chip"].value * p.stack.replica_chips * p.replicas


def test_whole_instances(answer: Answer) -> None:
    for p in answer.plans:
        offer, price = p.stack.offer, p.stack.price
        assert offer is not None
        assert price is not None
        assert p.usd_per_hour == pytest.approx(p.units * price.usd_per_hour)
        assert p.n_chips == p.units * offer.chips
        assert p.idle_chips == p.n_chips - p.replicas * p.stack.replica_chips >= 0
        assert p.stack.region in price.regions


def test_costs_per_token_add_up(answer: Answer) -> None:
    w = answer.question.workload
    for p in answer.plans:
        out = output_rate(p)
        into = out / w.output.mean * w.input.mean
        assert p.usd_per_hour is not None
        assert p.usd_per_mtok_output is not None
        assert p.usd_per_mtok_total is not None
        assert p.usd_per_mtok_input_by_time is not None
        assert p.usd_per_mtok_output_by_time is not None
        assert p.full_load_usd_per_mtok_output is not None
        usd = pytest.approx(p.usd_per_hour)
        assert p.usd_per_mtok_output.value * out * HOUR == usd
        assert p.usd_per_mtok_total.value * (out + into) * HOUR == usd
        assert (p.usd_per_mtok_input_by_time * into + p.usd_per_mtok_output_by_time * out) * HOUR == usd
        assert p.full_load_usd_per_mtok_output == pytest.approx(p.usd_per_mtok_output.value * p.utilisation, rel=1e-6)
        for figure in (p.usd_per_mtok_output, p.usd_per_mtok_total):
            assert figure.low <= figure.value <= figure.high


def test_the_load_is_carried(answer: Answer) -> None:
    w = answer.question.workload
    for p in answer.plans:
        assert p.max_num_seqs % 8 == 0
        if w.rate_per_s is not None and p.meets_slo:
            assert p.metrics["requests_per_s"].value * p.replicas == pytest.approx(w.rate_per_s, rel=1e-3)
        if w.concurrency is not None:
            assert p.load * p.replicas == pytest.approx(w.concurrency)
        if p.meets_slo:
            assert 0 < p.utilisation <= 1 + 1e-6


def test_energy_and_carbon(answer: Answer) -> None:
    for p in answer.plans:
        joules = p.joules_per_output_token
        assert joules.value * output_rate(p) == pytest.approx(p.facility_watts)
        assert joules.low <= joules.value <= joules.high
        grid = p.stack.grid
        least = p.metrics["chip_watts"].value * p.stack.replica_chips * p.replicas
        assert p.facility_watts >= least
        if grid is None or grid.carbon_g_per_kwh is None:
            assert p.kgco2_per_mtok is None
        else:
            assert p.kgco2_per_mtok is not None
            assert p.kgco2_per_mtok.value == pytest.approx(joules.value / 3.6 * grid.carbon_g_per_kwh / 1000)


def test_probability_and_promise(answer: Answer) -> None:
    for p in answer.plans:
        assert 0.0 <= p.p_meets_slo <= 1.0
        assert p.meets_slo == (p.p_meets_slo >= 0.9)
        if p.meets_slo:
            slo = answer.question.slo
            assert slo.ttft_s is None or p.metrics["ttft_p95_s"].value <= slo.ttft_s
            assert slo.tpot_s is None or p.metrics["tpot_p95_s"].value <= slo.tpot_s
        else:
            assert any("probability" in n for n in p.notes)


def test_every_figure_has_its_interval_and_sources(answer: Answer) -> None:
    for p in answer.plans:
        for name, v in p.metrics.items():
            if math.isfinite(v.value):
                assert v.low <= v.value <= v.high, name
        assert p.why
        assert {s.split(":")[0] for s in p.sources} >= {"chip", "engine", "price"}


def test_the_front_is_not_dominated(answer: Answer) -> None:
    front = [p for p in answer.front if p.on_front]
    assert front
    for a in front:
        for b in answer.front:
            faster, cheaper = b.tokens_per_s_per_user, b.usd_per_mtok_output
            assert not (faster >= a.tokens_per_s_per_user and cheaper < a.usd_per_mtok_output)
            assert not (faster > a.tokens_per_s_per_user and cheaper <= a.usd_per_mtok_output)
