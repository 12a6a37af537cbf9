"""Google Cloud Billing Catalog API: machine types put together from their parts. Needs an API key.

https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list describes request, paging (nextPageToken)
and fields. Google sells core, RAM, accelerator and local SSD apart: a machine type is the sum of its parts, and where a
part is missing there is no price (an accelerator without its host is not an offer). The key comes from the environment
(GOOGLE_API_KEY), travels in a header and is written nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from stackwright.catalog.records import Contract, Offer
from stackwright.catalog.refresh.readings import Asked, Reading, Sheet, Snapshot, lists
from stackwright.errors import InputError, SourceError

KEY = "GOOGLE_API_KEY"
MOST_PAGES = 50
SOURCE = "Google Cloud Billing Catalog API (cloudbilling.googleapis.com), sum of parts"
HOURS_PER_MONTH = 730.0  # the month of Google's price lists
CONTRACTS: tuple[Contract, ...] = ("on_demand", "spot")
UNITS = {"h": 1.0, "GiBy.h": 1.0, "GiBy.mo": HOURS_PER_MONTH}

Sku = Mapping[str, Any]
Rates = dict[str, dict[str, set[float]]]  # description before " running in" -> region -> USD per hour and unit


def read(asked: Asked) -> Snapshot:
    """Prices of the machine types whose parts the catalogue knows. Raises `InputError` without a key."""
    if not asked.environment.get(KEY):
        raise InputError(f"gcp: needs an API key of the Cloud Billing Catalog API in the environment ({KEY})")
    sheet, rates = Sheet(), _rates(asked)
    machines = lists()["gcp"]["machines"]
    for name, offer in asked.instances("gcp").items():
        if name not in machines:
            sheet.leave(name, "the parts of this machine type are not in the catalogue")
            continue
        for contract in CONTRACTS:
            _read_machine(offer, contract, machines[name], rates, asked, sheet)
    return sheet.snapshot(SOURCE)


def _skus(asked: Asked) -> Iterator[Sku]:
    config, token = lists()["gcp"], ""
    for _ in range(MOST_PAGES):
        query = urlencode({"pageSize": 5000, "currencyCode": "USD", **({"pageToken": token} if token else {})})
        page = asked.web.json(f"{config['url']}?{query}", {"X-Goog-Api-Key": asked.environment[KEY]})
        skus = page.get("skus") if isinstance(page, dict) else None
        if not isinstance(skus, list):
            raise SourceError("cloudbilling.googleapis.com: the answer has no list `skus`; the format may have changed")
        yield from skus
        token = str(page.get("nextPageToken") or "")
        if not token:
            return
    raise SourceError(f"cloudbilling.googleapis.com: more than {MOST_PAGES} pages; not read further")


def _rates(asked: Asked) -> Rates:
    """Rates of every part, by the words of its description that stand before the place."""
    rates: Rates = defaultdict(lambda: defaultdict(set))
    for sku in _skus(asked):
        usage = (sku.get("category") or {}).get("usageType")
        words = str(sku.get("description", "")).split(" running in ")[0].split(" in ")[0]
        usd = _usd_per_hour(sku)
        if usage in ("OnDemand", "Preemptible") and usd is not None:
            for region in sku.get("serviceRegions") or ():
                if asked.wants(str(region)):
                    rates[words][str(region)].add(usd)
    return rates


def _usd_per_hour(sku: Sku) -> float | None:
    """USD per hour of one unit (core, GiB or accelerator) in the newest price; None where it is none."""
    try:
        expression = sku["pricingInfo"][-1]["pricingExpression"]
        price = expression["tieredRates"][-1]["unitPrice"]
        usd = float(price.get("units") or 0) + float(price.get("nanos") or 0) / 1e9
        if price.get("currencyCode", "USD") != "USD" or expression["usageUnit"] not in UNITS:
            return None
        return usd / UNITS[expression["usageUnit"]]
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _read_machine(
    offer: Offer, contract: Contract, parts: Mapping[str, Any], rates: Rates, asked: Asked, sheet: Sheet
) -> None:
    wanted = parts[contract]
    regions = {region for part in wanted for region in rates.get(part["sku"], {})}
    if not regions:
        sheet.leave(f"{offer.instance} {contract}", "none of its parts is in the answer")
    for region in sorted(regions):
        what, usd = f"{offer.instance} {region} {contract}", 0.0
        for part in wanted:
            found = rates.get(part["sku"], {}).get(region, set())
            if len(found) != 1:
                why = "is missing" if not found else "has several prices"
                sheet.leave(what, f"{part['sku']!r} {why}: not the price of a whole machine")
                break
            usd += part["quantity"] * next(iter(found))
        else:
            sheet.readings.append(Reading(offer, contract, region, round(usd, 6)))
