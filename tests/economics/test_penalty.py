from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.economics import expected_penalty_usd, parse_clause
from stackwright.errors import InputError

# aws.amazon.com/bedrock/sla, last updated 2023-10-04: an availability clause, here as an example of the form.
BEDROCK = "10%<99.9,25%<99,100%<95"


def test_a_published_clause_is_read() -> None:
    clause = parse_clause(BEDROCK)
    assert clause.percents == (99.9, 99.0, 95.0)
    assert [t.usd(1000.0) for t in clause.tiers] == [100.0, 250.0, 1000.0]
    assert str(clause) == BEDROCK
    assert parse_clause(" 100% < 95, 25% <99%, 10%<99.9 ") == clause


def test_a_sum_does_not_depend_on_the_fee() -> None:
    clause = parse_clause("500USD<99")
    assert expected_penalty_usd(clause, 10.0, (0.5,)) == expected_penalty_usd(clause, 1e6, (0.5,)) == 250.0


def test_by_hand() -> None:
    # 7.2 % below 95, 3.4 % between 95 and 99, 6.5 % between 99 and 99.9: 4,405 (0.072 + 0.25 0.034 + 0.1 0.065)
    usd = expected_penalty_usd(parse_clause(BEDROCK), 4405.0, (0.171, 0.106, 0.072))
    assert usd == pytest.approx(4405.0 * (0.072 + 0.25 * 0.034 + 0.1 * 0.065))


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0.01, 1e9))
def test_certainty_bounds_the_penalty(p: list[float], fee: float) -> None:
    clause = parse_clause(BEDROCK)
    usd = expected_penalty_usd(clause, fee, sorted(p, reverse=True))
    assert -1e-9 * fee <= usd <= fee * (1 + 1e-9)
    assert expected_penalty_usd(clause, fee, (0.0, 0.0, 0.0)) == 0.0
    assert expected_penalty_usd(clause, fee, (1.0, 1.0, 1.0)) == pytest.approx(fee)


@given(st.floats(0, 1), st.floats(0, 1))
def test_one_tier_is_probability_times_credit_and_grows_with_it(p: float, q: float) -> None:
    clause = parse_clause("20%<95")
    low, high = sorted((p, q))
    assert expected_penalty_usd(clause, 100.0, (p,)) == pytest.approx(20.0 * p)
    assert expected_penalty_usd(clause, 100.0, (low,)) <= expected_penalty_usd(clause, 100.0, (high,))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot read ''"),
        ("10", "cannot read '10'"),
        ("10%<", "cannot read"),
        ("10%<99,", "cannot read ''"),
        ("1.2.3%<99", "cannot read"),
        ("-5%<99", "cannot read"),
        ("0%<99", "above 0"),
        ("101%<99", "at most 100 %"),
        ("10%<100", "above 50 and at most at 99.9"),
        ("10%<40", "not at 40 %"),
        ("10%<99,20%<99", "two tiers begin at 99 %"),
        ("10%<99,5usd<95", "or all in usd"),
        ("25%<99,10%<95", "credits less than the milder"),
    ],
)
def test_a_clause_that_is_none_says_why(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_clause(text)
    assert said in str(refused.value)
    assert "--penalty" in str(refused.value)
