"""Azure Retail Prices API: list prices of virtual machines, without a key.

https://learn.microsoft.com/en-us/rest/api/cost-management/retail-prices/azure-retail-prices describes the request
($filter, api-version 2023-01-01-preview for savings plans), the paging (NextPageLink) and the fields. The price of a
`Reservation` is that of its whole term although `unitOfMeasure` says 1 Hour.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from stackwright.catalog.records import Contract, Offer
from stackwright.catalog.refresh.readings import HOURS_PER_CONTRACT_YEAR, Asked, Reading, Sheet, Snapshot, lists
from stackwright.errors import SourceError

MOST_PAGES = 50
SOURCE = "Azure Retail Prices API (prices.azure.com)"
RESERVED: dict[str, tuple[Contract, float]] = {"1 Year": ("reserved_1y", 1.0), "3 Years": ("reserved_3y", 3.0)}
SAVINGS: dict[str, Contract] = {"1 Year": "savings_plan_1y", "3 Years": "savings_plan_3y"}
NOT_LINUX_VM = ("Windows", "CloudServices", "Cloud Services", "Dedicated Host")

Row = Mapping[str, Any]


def read(asked: Asked) -> Snapshot:
    """Prices of every Azure instance that the catalogue knows. Raises `SourceError`."""
    sheet = Sheet()
    for name, offer in asked.instances("azure").items():
        newest: dict[tuple[str, str, str, str], Row] = {}
        for row in _rows(asked, name):
            _keep_newest(row, newest, asked, sheet)
        if not newest:
            sheet.leave(name, "no meter in the answer")
        for row in newest.values():
            _read_row(row, offer, sheet)
    return sheet.snapshot(SOURCE)


def _rows(asked: Asked, sku: str) -> Iterator[Row]:
    config = lists()["azure"]
    where = f"serviceName eq 'Virtual Machines' and armSkuName eq '{sku}'"
    url = f"{config['url']}?{urlencode({'api-version': config['api_version'], '$filter': where})}"
    for _ in range(MOST_PAGES):
        page = asked.web.json(url)
        items = page.get("Items") if isinstance(page, dict) else None
        if not isinstance(items, list):
            raise SourceError("prices.azure.com: the answer has no list `Items`; the format may have changed")
        yield from items
        link = page.get("NextPageLink")
        if not link:
            return
        url = asked.web.follow(url, str(link))
    raise SourceError(f"prices.azure.com: more than {MOST_PAGES} pages for {sku}; not read further")


def _keep_newest(row: Row, newest: dict[tuple[str, str, str, str], Row], asked: Asked, sheet: Sheet) -> None:
    """Of several rows of one meter, the one in force: the latest start that is not in the future."""
    what = f"{row.get('armSkuName')} {row.get('armRegionName')} {row.get('meterName')}"
    if not asked.wants(str(row.get("armRegionName", ""))):
        return
    if any(word in str(row.get("productName", "")) for word in NOT_LINUX_VM):
        return sheet.leave(what, "Windows, cloud service or dedicated host")
    if str(row.get("type")) == "DevTestConsumption":
        return sheet.leave(what, "price for development and test subscriptions")
    start, end = _day(row.get("effectiveStartDate")), _day(row.get("effectiveEndDate"))
    if start and start > asked.on:
        return sheet.leave(what, "not in force yet")
    if end and end <= asked.on:
        return sheet.leave(what, "no longer in force")
    meter = (str(row.get("armRegionName")), str(row.get("type")), str(row.get("reservationTerm") or ""), _kind(row))
    other = newest.get(meter)
    if other is None or (_day(other.get("effectiveStartDate")) or dt.date.min) < (start or dt.date.min):
        newest[meter] = row


def _kind(row: Row) -> str:
    """Plain, spot or low priority: only the names of the meter and of the SKU say it."""
    text = f"{row.get('skuName', '')} {row.get('meterName', '')}"
    return next((kind for kind in ("Low Priority", "Spot") if kind in text), "")


def _read_row(row: Row, offer: Offer, sheet: Sheet) -> None:
    what = f"{offer.instance} {row.get('armRegionName')} {row.get('meterName')}"
    region, price, term = row.get("armRegionName"), row.get("retailPrice"), str(row.get("reservationTerm") or "")
    if not region or not isinstance(price, int | float):
        return sheet.leave(what, "no region or no price")
    if row.get("currencyCode") != "USD" or row.get("unitOfMeasure") != "1 Hour":
        return sheet.leave(what, f"in {row.get('currencyCode')} per {row.get('unitOfMeasure')}, not USD per 1 Hour")
    if _kind(row) == "Low Priority":
        return sheet.leave(what, "low-priority capacity of Batch, not rentable as such")
    if row.get("type") == "Reservation":
        if term not in RESERVED:
            return sheet.leave(what, f"reservation of {term or 'no stated term'}: no such contract in the catalogue")
        contract, years = RESERVED[term]
        usd = float(price) / (HOURS_PER_CONTRACT_YEAR * years)
        sheet.readings.append(Reading(offer, contract, str(region), round(usd, 4)))
        return
    if row.get("type") != "Consumption":
        return sheet.leave(what, f"price type {row.get('type')!r} is not known")
    spot = _kind(row) == "Spot"
    sheet.readings.append(Reading(offer, "spot" if spot else "on_demand", str(region), float(price)))
    for plan in row.get("savingsPlan") or () if not spot else ():
        if plan.get("term") in SAVINGS and isinstance(plan.get("retailPrice"), int | float):
            sheet.readings.append(Reading(offer, SAVINGS[plan["term"]], str(region), float(plan["retailPrice"])))
        else:
            sheet.leave(what, f"savings plan of {plan.get('term')!r}: no such contract in the catalogue")


def _day(text: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(text)[:10])
    except ValueError:
        return None
