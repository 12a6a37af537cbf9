from __future__ import annotations

import datetime as dt

import pytest

from stackwright.catalog import load_catalog
from stackwright.catalog.tokens.names import is_variant, name_keys
from stackwright.catalog.tokens.offers import ApiOffer, api_offers_of, model_listed, unknown_model
from stackwright.catalog.tokens.sellers import sellers
from stackwright.errors import UnknownIdError

DAY = dt.date(2026, 11, 1)


def rows(model: str, **where: object) -> list[ApiOffer]:
    found = api_offers_of([model], DAY)
    return [o for o in found if all(getattr(o, k) == v for k, v in where.items() if k != "seller")
            and o.seller.id == where.get("seller", o.seller.id)]  # fmt: skip


@pytest.mark.parametrize(
    ("hub_id", "listed"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", "meta.llama3-3-70b-instruct-v1:0"),
        ("meta-llama/Llama-3.3-70B-Instruct", "databricks-meta-llama-3-3-70b-instruct"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b-versatile"),
        ("deepseek-ai/DeepSeek-R1", "deepseek.r1-v1:0"),
        ("Qwen/Qwen3-32B", "qwen-3-32b"),
        ("claude-sonnet-5-5", "regional.anthropic.claude-sonnet-5-5"),
        ("nova-pro", "amazon.nova-pro-v1:0"),
    ],
)
def test_one_model_under_the_names_of_different_lists(hub_id: str, listed: str) -> None:
    makers_own = {"deepseek-ai/DeepSeek-R1": {"deepseekr1"}}.get(hub_id, set())
    assert (name_keys(hub_id) | makers_own) & name_keys(listed)


@pytest.mark.parametrize(
    ("one", "other"),
    [("zai-org/GLM-5", "z-ai/glm-5-turbo"), ("deepseek-v3", "deepseek-v3.2"), ("gpt-5.4", "gpt-5.4-mini"),
     ("Qwen/Qwen3-32B", "qwen3-30b-a3b")],
)  # fmt: skip
def test_different_models_stay_apart(one: str, other: str) -> None:
    assert not name_keys(one) & name_keys(other)


def test_a_way_of_selling_is_not_a_model() -> None:
    assert is_variant("openai/gpt-oss-120b:batch")
    assert not any(":batch" in o.model or ":free" in o.model for o in api_offers_of(["gpt-oss-120b"], DAY))


def test_a_closed_model_on_each_cloud_with_its_endpoints() -> None:
    by = {(o.seller.id, o.endpoint): o.tiers[0].rates for o in rows("claude-sonnet-5-5")}
    assert set(by) == {("anthropic", ""), ("aws", "global"), ("aws", "regional"), ("google", ""),
                       ("google", "regional"), ("azure", "global")}  # fmt: skip
    maker = by["anthropic", ""]
    assert (maker.input, maker.output, maker.cache_read) == (2.0, 10.0, 0.1)
    assert by["azure", "global"] == by["aws", "global"] == maker
    for regional in (("aws", "regional"), ("google", "regional")):
        assert by[regional].output == pytest.approx(1.1 * maker.output)


def test_azure_has_rows_of_its_own_that_name_their_source() -> None:
    by = {o.endpoint: o for o in rows("gpt-6.1-sol", seller="azure")}
    assert {k: v.tiers[0].rates.output for k, v in by.items()} == pytest.approx(
        {"global": 10.0, "US data zone": 11.0, "EU data zone": 12.0}
    )
    assert "litellm" in by["EU data zone"].source
    assert by["EU data zone"].confidence == "press"
    assert "1.2 x that of openai" in by["EU data zone"].note
    assert by["global"].tiers[1].rates == rows("gpt-6.1-sol", seller="openai")[0].tiers[1].rates


def test_batch_is_half_where_the_list_has_it_and_nowhere_else() -> None:
    maker = rows("claude-sonnet-5-5", seller="anthropic")[0]
    assert maker.batch[0].rates == maker.tiers[0].rates.times(0.5)
    assert rows("claude-sonnet-5-5", seller="aws")[0].batch == ()


def test_long_prompts_have_a_tier() -> None:
    short, long = rows("claude-haiku-5-5", seller="anthropic")[0].tiers
    assert (short.above_input_tokens, long.above_input_tokens) == (0, 100_000)
    assert long.rates.input == pytest.approx(5 * short.rates.input)


def test_an_announced_price_is_said_before_it_comes() -> None:
    before = next(o for o in api_offers_of(["gemini-4-argon"], dt.date(2026, 11, 24)) if o.seller.id == "google")
    after = next(o for o in api_offers_of(["gemini-4-argon"], dt.date(2026, 12, 1)) if o.seller.id == "google")
    assert "output 10 -> 20" in before.note
    assert (before.tiers[0].rates.output, after.tiers[0].rates.output) == (10.0, 20.0)
    assert "announces" not in after.note


def test_routers_and_subscriptions_only_when_named() -> None:
    kinds = {o.seller.kind for o in api_offers_of(["claude-sonnet-5-5"], DAY)}
    assert kinds <= {"maker", "cloud", "host"}
    assert {o.seller.id for o in api_offers_of(["claude-sonnet-5-5"], DAY, ["openrouter"])} == {"openrouter"}


def test_a_router_s_row_yields_to_the_host_s_own() -> None:
    ids = {o.seller.id for o in api_offers_of(["openai/gpt-oss-120b"], DAY)}
    assert {"groq", "novita"} <= ids
    assert not {"huggingface_groq", "huggingface_novita", "huggingface_fireworks-ai"} & ids


def test_a_maker_that_does_not_serve_its_open_weights() -> None:
    assert "openai" not in {o.seller.id for o in api_offers_of(["gpt-oss-120b"], DAY)}


def test_the_file_of_sellers_names_sellers_and_models_of_the_lists() -> None:
    from genai_prices.data_snapshot import get_snapshot

    listed = {p.id for p in get_snapshot().providers}
    facts = sellers()
    assert {s.id for s in facts.sellers} | {d.of for d in facts.derived} | {d.seller for d in facts.derived} <= listed
    for d in facts.derived:
        for model in d.models:
            assert any(o.seller.id == d.of for o in api_offers_of([model], DAY)), (d.seller, model)


def test_the_unknown_is_refused_with_what_there_is() -> None:
    with pytest.raises(UnknownIdError, match=r"unknown API provider 'opnai'.*'openai'"):
        api_offers_of(["gpt-5.4"], DAY, ["opnai"])
    assert not model_listed("claude-sonnet")
    said = str(unknown_model("claude-sonnet", list(load_catalog().models)))
    assert said.index("claude-sonnet-5-5") < said.index("claude-sonnet-4-5")
    assert "did you mean" in str(unknown_model("claude-sonet-5-5", []))
