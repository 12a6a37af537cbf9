"""Matched pools carry the rate, and not with one worker fewer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.errors import InputError
from stackwright.serving.rate_matching import best_ratio, matched_to_rate

RATES = st.floats(0.01, 100.0)


@given(RATES, RATES, st.floats(0.01, 1000.0))
def test_both_pools_carry_the_rate_and_not_with_one_worker_fewer(prefill, decode, rate):
    m = matched_to_rate(prefill, decode, rate)
    assert m.requests_per_s >= rate * (1 - 1e-9)
    assert m.requests_per_s == min(m.prefill_workers * prefill, m.decode_workers * decode)
    assert m.prefill_workers == 1 or (m.prefill_workers - 1) * prefill < rate
    assert m.decode_workers == 1 or (m.decode_workers - 1) * decode < rate


@given(RATES, RATES, st.integers(1, 8), st.integers(1, 8), st.integers(2, 40))
def test_the_best_ratio_is_that_of_all_numbers_within_the_budget(prefill, decode, a, b, budget):
    found = best_ratio(prefill, decode, (a, b), budget)
    possible = [(p, d) for p in range(1, budget + 1) for d in range(1, budget + 1) if p * a + d * b <= budget]
    if not possible:
        assert found is None
        return
    assert found is not None
    assert found.prefill_workers * a + found.decode_workers * b <= budget
    best = max(min(p * prefill, d * decode) / (p * a + d * b) for p, d in possible)
    size = found.prefill_workers * a + found.decode_workers * b
    assert found.requests_per_s / size == pytest.approx(best, rel=1e-9)


def test_of_equal_ratios_the_smallest():
    found = best_ratio(1.0, 1.0, (2, 2), 64)
    assert found is not None
    assert (found.prefill_workers, found.decode_workers) == (1, 1)


def test_workers_that_carry_nothing_cannot_be_matched():
    with pytest.raises(InputError, match="positive"):
        matched_to_rate(0.0, 1.0, 1.0)
