"""The shipped figures against the traces they came from; needs the traces on disk."""

import os
from pathlib import Path

import numpy as np
import pytest

from stackwright.errors import InputError
from stackwright.workload import Arrivals, Trace, load_trace, profile, profile_record
from stackwright.workload.fit import fit_length_table, fit_profile

pytestmark = pytest.mark.shared
FITTED_FROM = {
    "chat": "azure-2023-conv",
    "code": "azure-2023-code",
    "rag": "mooncake-conversation",
    "agent": "mooncake-synthetic",
}


def trace_of(name: str) -> Trace:
    if not os.environ.get("STACKWRIGHT_DATA"):
        pytest.skip("STACKWRIGHT_DATA is not set")
    try:
        return load_trace(name)
    except InputError as error:
        if "not on this machine" in str(error):
            pytest.skip(f"trace {name} is not under STACKWRIGHT_DATA")
        raise


def same_as_shipped(found: dict, name: str) -> None:  # type: ignore[type-arg]
    shipped = profile_record(name)
    for part in ("input", "output"):
        lengths = getattr(shipped.workload, part)
        table = found[part]["quantiles"]
        assert tuple(table) == pytest.approx(lengths.probabilities)
        assert tuple(table.values()) == pytest.approx(lengths.values)
    assert found["arrival_cv"] == shipped.workload.arrival_cv
    assert found["prefix_hit_rate"] == shipped.workload.prefix_hit_rate
    assert found["fitted"] == shipped.facts["fitted"]


@pytest.mark.parametrize(("name", "trace"), FITTED_FROM.items())
def test_refitting_gives_the_shipped_profile(name: str, trace: str) -> None:
    same_as_shipped(fit_profile(trace_of(trace)), name)


def test_refitting_the_length_table_gives_the_shipped_profile() -> None:
    file = "vidur_arxiv_summarization_lengths.csv.gz"
    roots = [Path(p) for p in os.environ.get("STACKWRIGHT_DATA", "").split(os.pathsep) if p]
    found = [p for root in roots for p in (root / file, root / "traces" / file) if p.is_file()]
    if not found:
        pytest.skip("the length table is not under STACKWRIGHT_DATA")
    same_as_shipped(fit_length_table(found[0]), "summarise")


@pytest.mark.parametrize("trace", FITTED_FROM.values())
def test_workload_of_a_trace_keeps_the_moments(trace: str) -> None:
    data = trace_of(trace)
    load = data.to_workload()
    for fitted, tokens in ((load.input, data.input_tokens), (load.output, data.output_tokens)):
        assert fitted.mean == pytest.approx(tokens.mean(), rel=0.016)
        assert fitted.cv == pytest.approx(tokens.std() / tokens.mean(), rel=0.035)


def test_mooncake_conversation_is_quantised_and_jitter_mends_it() -> None:
    data = trace_of("mooncake-conversation")
    assert data.is_quantised
    assert data.arrival_cv is None
    assert data.prefix_hit_rate == pytest.approx(0.374, abs=0.001)
    assert data.jittered(np.random.default_rng(0)).arrival_cv == pytest.approx(1, abs=0.1)


def wait_p95(arrival: np.ndarray, service_s: float) -> float:  # type: ignore[type-arg]
    """95 % wait in a single first-come queue (Lindley): W = S - running minimum of S, S = sum(service - gap)."""
    steps = np.concatenate([[0.0], np.cumsum(service_s - np.diff(arrival))])
    return float(np.quantile(steps - np.minimum.accumulate(steps), 0.95))


@pytest.mark.parametrize("utilisation", [0.3, 0.6])
def test_gamma_gaps_with_the_code_cv_wait_like_the_trace(utilisation: float) -> None:
    data = trace_of("azure-2023-code")
    gamma = Arrivals(data.rate_per_s, profile("code").arrival_cv).sample(np.random.default_rng(0), 300_000)
    service_s = utilisation / data.rate_per_s
    assert wait_p95(gamma, service_s) == pytest.approx(wait_p95(data.arrival_s, service_s), rel=0.2)
