"""What the same model costs per token from API providers, beside self-hosting."""

from __future__ import annotations

import datetime as dt
from typing import Any

from stackwright.catalog.api_prices import api_prices_of
from stackwright.workload import Workload


def api_offers(model: str, w: Workload) -> list[dict[str, Any]]:
    """API list prices of a model, cheapest first for this traffic.

    `usd_per_mtok_output` charges input and output tokens of a mean request to its output tokens, the definition that
    self-hosted plans use; cached input is priced at the cache-read rate where the list has one.
    `date` is the day the price is asked for, `list_read` the day the list was fetched (None: the installed package's).
    """
    found = []
    for price in api_prices_of(model):
        cached = w.prefix_hit_rate if price.cache_read_usd_per_mtok is not None else 0.0
        read = price.cache_read_usd_per_mtok or 0.0
        per_input = (1.0 - cached) * price.input_usd_per_mtok + cached * read
        per_request = w.input.mean * per_input + w.output.mean * price.output_usd_per_mtok
        found.append(
            {
                "provider": price.provider,
                "model": price.model,
                "usd_per_mtok_input": price.input_usd_per_mtok,
                "usd_per_mtok_output_list": price.output_usd_per_mtok,
                "usd_per_mtok_output": per_request / w.output.mean,
                "date": price.date.isoformat(),
                "source": price.source,
                "list_read": price.read.isoformat() if price.read else None,
                "list_age_days": price.age_days(dt.date.today()),
            }
        )
    return sorted(found, key=lambda r: float(r["usd_per_mtok_output"]))
