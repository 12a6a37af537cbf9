"""Speculative decoding under load: a request of O tokens takes O/a steps, each of which emits a tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stackwright.performance import Candidate, Speculation, candidates
from stackwright.performance.constants import prior_constants
from stackwright.serving import closed_loop, open_loop
from stackwright.serving.traffic import traffic
from stackwright.workload import Lengths, Workload
from tests.llm import configs as facts
from tests.performance.parts import TP8, chip, engine, model

POLICIES = ("prefill_priority", "chunked")
LLAMA = model(facts.LLAMA_70B)
UNIFORM = Workload("uniform", Lengths.uniform(800, 1000), Lengths.uniform(400, 500))
LOADS = np.array([[0.5, 4.0, 60.0, 300.0]])


def made(policy: str, speculation: Speculation | None):
    """Llama 70B on eight chips with an idle host (its work is per token, not per step)."""
    c = candidates(LLAMA, [Candidate(engine(policy), chip(), TP8, speculation=speculation)], prior_constants())
    return replace(c, theta={**c.theta, "request_host_s": np.asarray(1e-40), "token_host_s": np.asarray(1e-40)})


def free_draft(policy: str, accepted: float):
    """Emits `accepted` tokens in the time of a plain step: almost no tokens are drafted or verified."""
    c = made(policy, Speculation("ngram", 1, accepted))
    return replace(c, draft_tokens=np.array([[1e-13]]))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("loop", [closed_loop, open_loop])
def test_a_free_draft_is_the_same_service_of_shorter_answers(policy, loop) -> None:
    """In steps of the same length: O tokens of which a come per step serve like O/a tokens of which one does."""
    t = traffic(replace(UNIFORM, rounds=10.0))
    fewer = replace(t, output_mean=t.output_mean / 2.0)
    drafted, plain = loop(free_draft(policy, 2.0), t, LOADS), loop(made(policy, None), fewer, LOADS)
    np.testing.assert_allclose(2.0 * drafted.tpot.mean, plain.tpot.mean, rtol=1e-9)
    np.testing.assert_allclose(drafted.ttft.mean, plain.ttft.mean, rtol=1e-9)
    for cause, seconds in plain.waits.items():
        np.testing.assert_allclose(drafted.waits[cause], seconds, rtol=1e-9, atol=1e-30, err_msg=cause)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("loop", [closed_loop, open_loop])
def test_alone_a_token_takes_a_step_over_the_acceptance_length(policy, loop) -> None:
    s = loop(made(policy, Speculation("eagle", 3, 2.5)), UNIFORM, np.array([[1e-9]]))
    assert s.tpot.mean.item() == pytest.approx(s.phases.decode.seconds.item() / 2.5, rel=1e-6)


@pytest.mark.parametrize("policy", POLICIES)
def test_littles_law_and_the_budget_of_waits(policy) -> None:
    c = made(policy, Speculation("eagle", 3, 2.5))
    s = closed_loop(c, UNIFORM, LOADS)
    np.testing.assert_allclose(s.request_rate * s.e2e.mean, LOADS, rtol=1e-12)
    np.testing.assert_allclose(sum(s.waits.values()), s.ttft.mean, rtol=1e-12)
    o = open_loop(c, UNIFORM, LOADS)
    np.testing.assert_allclose(o.request_rate * UNIFORM.output.mean * o.tpot.mean, LOADS, rtol=1e-12)


@pytest.mark.parametrize("policy", POLICIES)
def test_more_accepted_is_faster_and_nothing_accepted_is_slower(policy) -> None:
    plain = closed_loop(made(policy, None), UNIFORM, LOADS).tpot.mean
    by_length = [closed_loop(made(policy, Speculation("eagle", 3, a)), UNIFORM, LOADS).tpot.mean for a in (1, 2, 3, 4)]
    assert np.all(by_length[0] > plain)
    assert np.all(np.diff(np.concatenate(by_length), axis=0) < 0)


def test_speculation_pays_less_at_high_load() -> None:
    """Verified tokens are almost free while weights are streamed, and cost like others once arithmetic binds."""
    gain = (
        closed_loop(made("prefill_priority", None), UNIFORM, LOADS).tpot.mean
        / closed_loop(made("prefill_priority", Speculation("eagle", 3, 2.5)), UNIFORM, LOADS).tpot.mean
    )
    assert gain[0, 0] > 1.8
    assert gain[0, -1] < gain[0, 0]
