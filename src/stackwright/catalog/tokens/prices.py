"""Token prices of closed models by API, dated, from the public price lists collected in genai-prices (MIT)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from stackwright.errors import UnknownIdError, UnsupportedError


@dataclass(frozen=True)
class ApiPrice:
    """USD per million tokens of a model at a provider on a day; None where the list has no such price.

    `tier_above_input_tokens` is the prompt length beyond which another (higher) tier than this one holds.
    `read` is the day the list was fetched by `catalog refresh`; None for the list of the installed package, which
    is as old as that version.
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
    read: dt.date | None = None

    def age_days(self, on: dt.date) -> int | None:
        """Days from the fetching of the list to `on`; None where that day is not known."""
        return None if self.read is None else (on - self.read).days


@dataclass(frozen=True, eq=False)
class PriceList:
    """A list of token prices: the snapshot of genai-prices, what it is called, the day it was fetched.

    One list is equal to itself only, so that what is made of it can be kept beside it.
    """

    snapshot: Any
    name: str
    read: dt.date | None = None


def price_list() -> PriceList:
    """The list in use: the one that `catalog refresh genai` fetched for the installed package, else the package's own.

    After an upgrade of genai-prices its own list is the newer one. Raises `CatalogError` on a broken download.
    """
    from stackwright.catalog.refresh import user

    directory = user.directory_in_use()
    return _installed() if directory is None else _list_of(directory, user.stamp(directory))


@cache
def _installed() -> PriceList:
    from genai_prices import __version__
    from genai_prices.data_snapshot import get_snapshot

    return PriceList(get_snapshot(), f"genai-prices {__version__} (MIT)")


@lru_cache(maxsize=4)
def _list_of(directory: Path, stamp: object) -> PriceList:
    from genai_prices import __version__

    from stackwright.catalog.refresh import user

    entry = user.read_lock(directory).get("genai")
    if entry is None or entry.get("package_version") != __version__:
        return _installed()
    read = user.retrieved(entry).date()
    return PriceList(user.token_prices(directory, entry), f"genai-prices list of {read} (MIT)", read)


def api_price(model: str, provider: str | None, at: dt.date | None = None, input_tokens: int = 0) -> ApiPrice:
    """The list price of `model` at `provider` (None: its maker) on day `at` (default today), without network.

    `input_tokens` selects the tier of lists that charge long prompts more. Raises `UnknownIdError` for a model or
    provider the lists do not know and `UnsupportedError` for a model that is not priced by input and output token.
    """
    from genai_prices import Usage

    prices, day = price_list(), at or dt.date.today()
    noon = dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC)
    usage = Usage(input_tokens=input_tokens, output_tokens=1)
    try:
        found = prices.snapshot.calc(usage, model, provider, None, noon)
    except LookupError:
        providers = {p.id: p for p in prices.snapshot.providers}
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
        source=f"{prices.name}{f', {url}' if url else ''}",
        note="" if own else f"{found.provider.id} has no row of its own in the list: the maker's price",
        read=prices.read,
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
