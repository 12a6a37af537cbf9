"""Every offer of a model by API: rates by prompt length, cache and batch rates, dated; no network.

From the price lists collected in genai-prices (MIT) and the rows that follow from them (`data/api/sellers.yaml`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from stackwright.catalog.tokens.names import endpoint_of, is_variant, name_keys
from stackwright.catalog.tokens.prices import PriceList, price_list
from stackwright.catalog.tokens.sellers import Derived, Seller, behind, sellers
from stackwright.errors import InputError, UnknownIdError

UNUSUAL = ("router", "subscription")
_SOON_DAYS = 30


@dataclass(frozen=True)
class Rates:
    """USD per million tokens; `cache_read` is that of input found in the prefix cache, None where not sold apart."""

    input: float
    output: float
    cache_read: float | None = None

    def times(self, factor: float) -> Rates:
        """All rates times a factor."""
        return Rates(
            self.input * factor, self.output * factor, None if self.cache_read is None else self.cache_read * factor
        )


@dataclass(frozen=True)
class Tier:
    """Rates of requests whose prompt is longer than `above_input_tokens` (and not above the next tier's)."""

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True)
class ApiOffer:
    """A model sold by API at one endpoint, as listed on a day; `tiers` by rising prompt length, the first from 0.

    `read`: the day the list was fetched by `catalog refresh`, None for the installed package's own.
    `batch`: the rates of requests answered within a day instead of at once; empty where the list has none.
    `context_tokens`: what the list says the seller accepts, None where it says nothing. `place`: the country or group
    within which requests are processed, empty where it is not known.
    """

    model: str
    seller: Seller
    endpoint: str
    tiers: tuple[Tier, ...]
    batch: tuple[Tier, ...]
    date: dt.date
    context_tokens: int | None
    source: str
    confidence: str
    note: str = ""
    read: dt.date | None = None
    place: str = ""

    def age_days(self, on: dt.date) -> int | None:
        """Days from the fetching of the list to `on`; None for the list of the installed package."""
        return None if self.read is None else (on - self.read).days


def api_offers_of(names: Sequence[str], at: dt.date | None = None, among: Sequence[str] = ()) -> list[ApiOffer]:
    """Offers of the model that all of `names` stand for, on day `at` (default today), in the order of the lists.

    `among`: only these sellers; empty: all but routers and subscriptions. Rows that are not priced by input and
    output token, and rows of a router whose host has one of its own, are left out. Raises `UnknownIdError` for a
    seller the lists do not know.
    """
    day = at or dt.date.today()
    _known_sellers(among)
    wanted = frozenset(k for name in names for k in name_keys(name))
    own = [o for o in _listed(price_list(), day) if name_keys(o.model) & wanted]
    follow = [_follow(d, o) for d in sellers().derived for o in own if _follows(d, o)]
    found = [o for o in [*own, *follow] if not _refused(o)]
    found = list({(o.seller.id, o.endpoint, o.tiers): o for o in found}.values())
    if among:
        return [o for o in found if o.seller.id in among]
    direct = {o.seller.id for o in found}
    return [
        o
        for o in found
        if o.seller.kind not in UNUSUAL and (behind(o.seller.id) == o.seller.id or behind(o.seller.id) not in direct)
    ]


def model_listed(name: str, among: Sequence[str] = ()) -> bool:
    """Whether any of the sellers (`among`; empty: all but routers and subscriptions) has a row of the model."""
    keys = name_keys(name)
    rows = ((p.id, m.id) for p in _snapshot() for m in p.models)
    usual = {p.id for p in _snapshot() if sellers().seller(p.id).kind not in UNUSUAL}
    return any(seller in (among or usual) and name_keys(listed) & keys for seller, listed in rows)


def unknown_model(name: str, others: Sequence[str]) -> InputError:
    """The refusal of a name that neither the catalogue (`others`) nor a list knows: its versions, or near names."""
    start = "-".join(part for part in name.lower().split("-") if part)
    makers = [m for m in _maker_models() if m.startswith(f"{start}-")]
    if makers:
        newest = sorted(makers, key=_version, reverse=True)
        return InputError(f"model {name!r} names {len(newest)} versions: give one of {', '.join(newest[:6])}")
    return UnknownIdError("model", name, [*others, *_maker_models()], "see `stackwright catalog list models`")


def _maker_models() -> tuple[str, ...]:
    makers = {s.id for s in sellers().sellers if s.kind == "maker"} | {"google", "aws"}
    return tuple(dict.fromkeys(m.id for p in _snapshot() if p.id in makers for m in p.models))


def _version(name: str) -> tuple[float, ...]:
    return tuple(float(part) for part in name.replace(".", "-").split("-") if part.isdigit())


def _known_sellers(among: Sequence[str]) -> None:
    known = {p.id for p in _snapshot()}
    for name in among:
        if name not in known:
            raise UnknownIdError("API provider", name, known, f"known: {', '.join(sorted(known))}"[:400])


def _snapshot() -> Sequence[Any]:
    providers: Sequence[Any] = price_list().snapshot.providers
    return providers


@lru_cache(maxsize=8)
def _listed(prices: PriceList, day: dt.date) -> tuple[ApiOffer, ...]:
    """Every row of a list on a day."""
    noon = dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC)
    soon = noon + dt.timedelta(days=_SOON_DAYS)
    found = []
    for provider in prices.snapshot.providers:
        seller = sellers().seller(provider.id)
        url = next(iter(provider.pricing_urls or ()), "")
        source = f"{prices.name}{f', {url}' if url else ''}"
        for model in provider.models:
            if is_variant(model.id):
                continue
            tiers = _tiers(model.get_prices(noon))
            if not tiers:
                continue
            batch = _tiers(model.get_prices(noon, {"processing": "batch"}))
            found.append(
                ApiOffer(
                    model=model.id,
                    seller=seller,
                    endpoint=endpoint_of(model.id),
                    tiers=tiers,
                    batch=() if batch == tiers else batch,
                    date=day,
                    context_tokens=model.context_window,
                    source=source,
                    confidence="datasheet",
                    read=prices.read,
                    note="; ".join(_notes(model.deprecated, tiers, _tiers(model.get_prices(soon)))),
                )
            )
    return tuple(found)


def _notes(deprecated: bool | None, now: tuple[Tier, ...], soon: tuple[Tier, ...]) -> list[str]:
    found = ["deprecated by the seller"] if deprecated else []
    if soon and soon[0] != now[0]:
        a, b = now[0].rates, soon[0].rates
        found.append(
            f"the list announces another price within {_SOON_DAYS} days: input {a.input:g} -> {b.input:g}, "
            f"output {a.output:g} -> {b.output:g} USD/Mtok"
        )
    return found


def _tiers(prices: Any) -> tuple[Tier, ...]:
    """The rates by prompt length; empty where the row is not priced by input and output token."""
    kinds = [getattr(prices, key, None) for key in ("input_mtok", "output_mtok", "cache_read_mtok")]
    if kinds[0] is None or kinds[1] is None:
        return ()
    starts = {0} | {step.start for price in kinds for step in getattr(price, "tiers", None) or ()}
    made = []
    for start in sorted(starts):
        each = [_rate(price, start) for price in kinds]
        assert each[0] is not None
        assert each[1] is not None
        made.append(Tier(start, Rates(each[0], each[1], each[2])))
    rates = made[0].rates
    return tuple(made) if rates.output > 0 and rates.input > 0 else ()


def _rate(price: Any, above: int) -> float | None:
    if price is None:
        return None
    steps = getattr(price, "tiers", None)
    if steps is None:
        return float(price)
    reached = [step for step in steps if step.start <= above]
    return float(max(reached, key=lambda step: step.start).price if reached else price.base)


def _follows(d: Derived, o: ApiOffer) -> bool:
    if o.seller.id != d.of or o.endpoint not in ("", "global"):
        return False
    return any(name_keys(m) & name_keys(o.model) for m in d.models)


def _follow(d: Derived, o: ApiOffer) -> ApiOffer:
    return replace(
        o,
        seller=sellers().seller(d.seller),
        endpoint=d.endpoint,
        tiers=_times(o.tiers, d.factor),
        batch=_times(o.batch, d.factor) if d.batch else (),
        source=f"{d.factor:g} x the list price of {d.of} ({o.source}): {d.source}",
        confidence=d.confidence,
        place=d.place,
        note="; ".join(n for n in (o.note, f"the price lists have no such row: {d.factor:g} x that of {d.of}") if n),
    )


def _times(tiers: tuple[Tier, ...], factor: float) -> tuple[Tier, ...]:
    return tuple(Tier(t.above_input_tokens, t.rates.times(factor)) for t in tiers)


def _refused(o: ApiOffer) -> bool:
    rows = (r for r in sellers().refused if r.seller == o.seller.id)
    return any(name_keys(m) & name_keys(o.model) for r in rows for m in r.models)
