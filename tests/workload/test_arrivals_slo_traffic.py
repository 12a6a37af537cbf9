import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackwright.workload
from stackwright.errors import InputError
from stackwright.workload import SLO, Arrivals, Lengths, Workload


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 1000), st.floats(0.2, 3), st.integers(0, 2**32 - 1))
def test_gaps_have_the_asked_rate_and_cv(rate: float, cv: float, seed: int) -> None:
    gaps = Arrivals(rate, cv).gaps(np.random.default_rng(seed), 40_000)
    assert gaps.mean() * rate == pytest.approx(1, abs=6 * cv / 200)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.2)


def test_cv_1_is_poisson_and_cv_0_is_even() -> None:
    counts = np.bincount(Arrivals(5).sample(np.random.default_rng(1), 100_000).astype(int))[:-1]
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.05)
    assert Arrivals(4, cv=0).sample(np.random.default_rng(1), 3).tolist() == [0.25, 0.5, 0.75]


def test_burstiness_is_the_gamma_shape_of_vllm() -> None:
    assert Arrivals(1, cv=2).burstiness == 0.25
    assert Arrivals(1).burstiness == 1
    assert Arrivals(1, cv=0).burstiness == math.inf


def test_arrival_times_never_fall() -> None:
    times = Arrivals(3, cv=13).sample(np.random.default_rng(0), 10_000)
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0


@pytest.mark.parametrize(("rate", "cv"), [(0, 1), (-1, 1), (math.nan, 1), (math.inf, 1), (1, -0.1), (1, math.nan)])
def test_impossible_arrivals_are_refused(rate: float, cv: float) -> None:
    with pytest.raises(InputError):
        Arrivals(rate, cv)


def test_slo_says_what_it_promises() -> None:
    assert SLO().is_open
    assert SLO().describe() == "no latency promise"
    assert SLO(0.5, 0.03, 99).describe() == "p99 TTFT <= 500 ms, p99 TPOT <= 30 ms"
    assert not SLO(tpot_s=0.1).is_open


@pytest.mark.parametrize(
    "fields",
    [{"ttft_s": 0}, {"ttft_s": -1}, {"tpot_s": math.nan}, {"tpot_s": math.inf}, {"percentile": 50},
     {"percentile": 100}, {"percentile": math.nan}, {"percentile": "mean"}, {"ttft_s": "1"}],
)  # fmt: skip
def test_impossible_slos_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InputError):
        SLO(**fields)  # type: ignore[arg-type]


def work(**fields: object) -> Workload:
    return Workload("w", Lengths.fixed(100), Lengths.fixed(10), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [{"rate_per_s": 1, "concurrency": 1}, {"rate_per_s": 1, "rounds": 2}, {"rate_per_s": 0}, {"concurrency": 0},
     {"concurrency": -3}, {"concurrency": 4, "rounds": 0}, {"prefix_hit_rate": 1}, {"prefix_hit_rate": -0.1},
     {"prefix_hit_rate": math.nan}, {"arrival_cv": -1}, {"rate_per_s": math.nan}],
)  # fmt: skip
def test_contradictions_and_impossible_traffic_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InputError):
        work(**fields)


def test_with_load_replaces_the_load_and_nothing_else() -> None:
    closed = work(concurrency=8, rounds=10, prefix_hit_rate=0.25, arrival_cv=2.0)
    opened = closed.with_load(rate_per_s=3.0)
    assert (opened.rate_per_s, opened.concurrency, opened.rounds) == (3.0, None, None)
    assert opened.arrivals == Arrivals(3.0, 2.0)
    assert opened.with_load(concurrency=8, rounds=10) == closed
    assert closed.computed_input_mean == 75
    with pytest.raises(InputError, match="no request rate"):
        _ = closed.arrivals
    with pytest.raises(InputError):
        closed.with_load(rate_per_s=1, concurrency=1)


def test_descriptions_show_the_load() -> None:
    assert work(rate_per_s=2.5).describe().endswith("2.5 requests/s (arrival cv 1)")
    assert (
        work(concurrency=8, rounds=10, prefix_hit_rate=0.5)
        .describe()
        .endswith("50.0% of input tokens cached; 8 concurrent, 10 requests each")
    )


def test_importing_the_room_does_not_load_numpy() -> None:
    code = "import sys, stackwright.workload as w; w.profile('chat'); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_exists() -> None:
    assert all(getattr(stackwright.workload, name) is not None for name in stackwright.workload.__all__)
    with pytest.raises(AttributeError):
        _ = stackwright.workload.nothing_of_the_kind
