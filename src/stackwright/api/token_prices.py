"""What the same model costs per token from API providers, beside self-hosting."""

from __future__ import annotations

import datetime as dt
from typing import Any

from stackwright.catalog import Catalog, load_catalog
from stackwright.catalog.tokens.offers import ApiOffer, api_offers_of
from stackwright.economics.api_cost import ApiCost, api_cost
from stackwright.planner import Market
from stackwright.planner.offers.marketplace import Marketplace
from stackwright.workload import Workload


def api_offers(
    model: str, w: Workload, market: Market | None = None, catalog: Catalog | None = None
) -> list[dict[str, Any]]:
    """API list prices of a model, cheapest first for this traffic; of a `market` those that its constraints leave.

    `usd_per_mtok_output` charges input and output tokens of a mean request to its output tokens, the definition that
    self-hosted plans use; cached input is priced at the cache-read rate where the list has one.
    """
    marketplace = Marketplace(catalog or load_catalog(), market or Market())
    permitted = [offer for offer in api_offers_of([model]) if not marketplace.lacks(offer)]
    found = [api_document(offer, api_cost(offer.tiers, w), w) for offer in permitted]
    return sorted(found, key=lambda r: float(r["usd_per_mtok_output"]))


def api_document(offer: ApiOffer, cost: ApiCost, w: Workload) -> dict[str, Any]:
    """An API offer with what it costs for a traffic; the rates are those of the shortest prompts.

    `date` is the day the price is asked for, `list_read` the day the list was fetched (None: the installed package's).
    """
    rates = offer.tiers[0].rates
    return {
        "provider": offer.seller.id,
        "provider_name": offer.seller.name,
        "provider_kind": offer.seller.kind,
        "model": offer.model,
        "endpoint": offer.endpoint or None,
        "usd_per_mtok_input": rates.input,
        "usd_per_mtok_output_list": rates.output,
        "usd_per_mtok_cache_read": rates.cache_read,
        "long_prompt_tiers": [
            {
                "above_input_tokens": t.above_input_tokens,
                "usd_per_mtok_input": t.rates.input,
                "usd_per_mtok_output_list": t.rates.output,
            }
            for t in offer.tiers[1:]
        ],
        "usd_per_mtok_output": cost.usd_per_mtok_output,
        "usd_per_mtok_output_batch": api_cost(offer.batch, w).usd_per_mtok_output if offer.batch else None,
        "usd_per_request": cost.usd_per_request,
        "context_tokens": offer.context_tokens,
        "date": offer.date.isoformat(),
        "list_read": offer.read.isoformat() if offer.read else None,
        "list_age_days": offer.age_days(dt.date.today()),
        "source": offer.source,
        "confidence": offer.confidence,
        "note": offer.note,
    }
