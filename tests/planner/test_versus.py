from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.planner.choose.versus import p_less
from stackwright.serving.intervals import Z
from stackwright.serving.prediction import Interval


def spread(value: float, factor: float) -> Interval:
    return Interval(value, value / factor, value * factor)


@given(st.floats(0.01, 100), st.floats(1, 5), st.floats(0.01, 100), st.floats(1, 5))
def test_one_of_two_is_lower(a: float, fa: float, b: float, fb: float) -> None:
    x, y = spread(a, fa), spread(b, fb)
    assert p_less(x, y) + p_less(y, x) == pytest.approx(1.0)
    assert p_less(x.scaled(7.0), y.scaled(7.0)) == pytest.approx(p_less(x, y), abs=1e-9)


def test_against_draws_of_two_log_normal_laws() -> None:
    rng = np.random.default_rng(0)
    x, y = spread(1.0, 2.0), spread(1.5, 1.5)
    draws = [v.value * np.exp(rng.normal(size=200_000) * math.log(v.high / v.value) / Z) for v in (x, y)]
    assert p_less(x, y) == pytest.approx(float(np.mean(draws[0] < draws[1])), abs=0.005)


def test_exact_prices_are_in_order_and_equal_ones_in_none() -> None:
    one, two = spread(1.0, 1.0), spread(2.0, 1.0)
    assert (p_less(one, two), p_less(two, one), p_less(one, one)) == (1.0, 0.0, 0.5)


def test_the_half_towards_the_other_counts() -> None:
    """A cost that can only rise: against a dearer price its upper half matters, against a cheaper one its lower."""
    rising = Interval(1.0, 1.0, 4.0)
    assert p_less(rising, spread(2.0, 1.0)) < 0.9
    assert p_less(spread(0.5, 1.0), rising) == 1.0
