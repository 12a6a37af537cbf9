import datetime as dt

import pytest

from stackwright.catalog.tokens.prices import api_price
from stackwright.errors import UnknownIdError, UnsupportedError


def test_prices_carry_the_day_and_the_source():
    price = api_price("claude-opus-5-5", "anthropic", dt.date(2026, 11, 1))
    assert (price.input_usd_per_mtok, price.output_usd_per_mtok, price.cache_read_usd_per_mtok) == (4.0, 20.0, 0.2)
    assert price.date == dt.date(2026, 11, 1)
    assert price.source.startswith("genai-prices ")
    assert price.note == ""


def test_the_price_of_the_day_is_taken():
    before = api_price("gpt-5.6-luna", "openai", dt.date(2026, 7, 1), input_tokens=1_000_000)
    after = api_price("gpt-5.6-luna", "openai", dt.date(2026, 9, 1), input_tokens=1_000_000)
    assert (before.input_usd_per_mtok, after.input_usd_per_mtok) == (2.0, 0.4)


def test_long_prompts_cost_more_where_the_list_says_so():
    short = api_price("gpt-5.6-luna", "openai", dt.date(2026, 9, 1))
    assert (short.input_usd_per_mtok, short.tier_above_input_tokens) == (0.2, 272_000)


def test_a_price_taken_from_the_maker_says_so():
    assert "maker's price" in api_price("claude-opus-5-5", "azure", dt.date(2026, 11, 1)).note


def test_the_unknown_is_an_error_with_near_names():
    with pytest.raises(UnknownIdError, match="did you mean 'claude-opus-5'"):
        api_price("claude-opus-9", "anthropic")
    with pytest.raises(UnknownIdError, match="'openai'"):
        api_price("gpt-5.6-luna", "opnai")


def test_a_model_without_token_prices_is_refused():
    with pytest.raises(UnsupportedError, match="not priced by input and output"):
        api_price("text-embedding-3-small", "openai")
