"""The simulator itself, on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.serving import event_simulation as events


def steps(chunked=False, budget=100, prompt_s=1.0, decode_s=0.1, aside_s=0.0):
    """A prompt of 100 tokens takes 1 s, in proportion; a decode step 0.1 s for any number."""
    n = np.full(1001, decode_s)
    tokens = np.array([0.0, 1000.0])
    return events.Steps(n, np.full(1001, aside_s), tokens, tokens / 100 * prompt_s, chunked, budget)


def fixed(tokens, output):
    return lambda n: (np.full(n, tokens), np.full(n, output))


def test_one_user():
    r = events.closed(steps(), 1, 3, fixed(100, 11), delay=0.5)
    np.testing.assert_allclose(r.ttft, 1.5)
    np.testing.assert_allclose(r.tpot, 0.1)
    assert r.span == pytest.approx(3 * (0.5 + 1.0 + 10 * 0.1))


def test_fixed_lengths_stay_in_lock_step_when_prompts_come_first():
    r = events.closed(steps(), 4, 5, fixed(100, 11))
    np.testing.assert_allclose(r.ttft, [1, 2, 3, 4] * 5)
    np.testing.assert_allclose(r.tpot, (10 * 0.1 + np.array([3, 2, 1, 0] * 5)) / 10)


def test_prompts_share_a_batch_up_to_the_budget():
    r = events.closed(steps(budget=200), 4, 1, fixed(100, 11))
    np.testing.assert_allclose(r.ttft, [2, 2, 4, 4])


def test_a_chunked_engine_decodes_meanwhile():
    r = events.closed(steps(chunked=True, budget=101, aside_s=0.05), 2, 1, fixed(100, 3))
    # A step of 101 tokens: one prompt and a token of the next. Then the other 99 beside one decode token (with
    # 0.05 s of attention), then decode steps.
    np.testing.assert_allclose(r.ttft, [1.01, 1.01 + 1.00 + 0.05])
    np.testing.assert_allclose(sorted(r.tpot), [0.1, (1.05 + 0.1) / 2])


def test_a_long_prompt_takes_several_steps():
    r = events.closed(steps(chunked=True, budget=50), 1, 1, fixed(120, 2))
    np.testing.assert_allclose(r.ttft, [1.2])


def test_slots_hold_requests_back():
    r = events.closed(steps(), 2, 1, fixed(100, 11), slots=1)
    np.testing.assert_allclose(r.ttft, [1.0, 1.0 + 1.0 + 1.0])


def test_open_arrivals_wait_for_an_idle_engine():
    r = events.open_(steps(), np.array([0.0, 10.0]), fixed(100, 2))
    np.testing.assert_allclose(r.ttft, [1.0, 1.0])
    assert r.span == pytest.approx(11.1)
