"""Token prices of closed models by API, dated, from the public price lists collected in genai-prices (MIT)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from stackwright.errors import UnknownIdError, UnsupportedError


@dataclass(frozen=True)
class ApiPrice:
    """USD per million tokens of a model at a provider on a day; None where the list has no such price.

    `tier_above_input_tokens` is the prompt length beyond which another (higher) tier than this one holds.
    """

    model: str
    provider: str
    date: dt.date
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cache_read_usd_per_mtok: float | None
    cache_write_usd_per_mtok: float | None
    tier_above_input_tokens: int | None
    source: str
    note: str = ""


def api_price(model: str, provider: str | None, at: dt.date | None = None, input_tokens: int = 0) -> ApiPrice:
    """The list price of `model` at `provider` (None: its maker) on day `at` (default today), without network.

    `input_tokens` selects the tier of lists that charge long prompts more. Raises `UnknownIdError` for a model or
    provider the lists do not know and `UnsupportedError` for a model that is not priced by input and output token.
    """
    from genai_prices import Usage, __version__, calc_price
    from genai_prices.data_snapshot import get_snapshot

    day = at or dt.date.today()
    noon = dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC)
    usage = Usage(input_tokens=input_tokens, output_tokens=1)
    try:
        found = calc_price(usage, model, provider_id=provider, genai_request_timestamp=noon)
    except LookupError:
        providers = {p.id: p for p in get_snapshot().providers}
        if provider is not None and provider not in providers:
            raise UnknownIdError("API provider", provider, providers) from None
        searched = [providers[provider]] if provider else list(providers.values())
        known = [m.id for p in searched for m in p.models]
        raise UnknownIdError("API model", model, known, "see the providers of genai-prices") from None
    price, tiers = found.model_price, set[int]()

    def usd(key: str) -> float | None:
        return _tiered(getattr(price, key, None), input_tokens, tiers)

    input_price, output_price = usd("input_mtok"), usd("output_mtok")
    if input_price is None or output_price is None:
        raise UnsupportedError(f"{found.model.id} at {found.provider.id} is not priced by input and output token")
    own = any(m.id == found.model.id for m in found.provider.models)
    url = next(iter(found.provider.pricing_urls or ()), "")
    return ApiPrice(
        model=found.model.id,
        provider=found.provider.id,
        date=day,
        input_usd_per_mtok=input_price,
        output_usd_per_mtok=output_price,
        cache_read_usd_per_mtok=usd("cache_read_mtok"),
        cache_write_usd_per_mtok=usd("cache_write_mtok"),
        tier_above_input_tokens=min((t for t in tiers if t >= input_tokens), default=None),
        source=f"genai-prices {__version__} (MIT){f', {url}' if url else ''}",
        note="" if own else f"{found.provider.id} has no row of its own in the list: the maker's price",
    )


def _tiered(price: Any, input_tokens: int, tiers: set[int]) -> float | None:
    if price is None:
        return None
    steps = getattr(price, "tiers", None)
    if steps is None:
        return float(price)
    tiers.update(step.start for step in steps)
    reached = [step for step in steps if input_tokens > step.start]
    return float(max(reached, key=lambda step: step.start).price if reached else price.base)
