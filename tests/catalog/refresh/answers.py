"""Answers of price lists, written by hand to the published schemas; nothing here was recorded from a live list."""

from __future__ import annotations

import datetime as dt
import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from typing import Any

from stackwright.catalog.refresh.readings import Asked
from stackwright.catalog.refresh.web import Limits, Web
from stackwright.catalog.store import shipped_catalog

DAY = dt.date(2026, 11, 20)
NOW = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)
Body = bytes | str | dict[str, Any] | list[Any]
Answer = Callable[[urllib.request.Request], tuple[int, Mapping[str, str], Body]]


class _Response(io.BytesIO):
    def __init__(self, body: bytes, headers: Message) -> None:
        super().__init__(body)
        self.headers = headers


def opener(answer: Answer) -> Callable[[urllib.request.Request, float], Any]:
    """Opens nothing: asks `answer` for status, headers and body."""

    def opened(request: urllib.request.Request, timeout: float) -> Any:
        status, headers, body = answer(request)
        message = Message()
        for name, value in headers.items():
            message[name] = value
        content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        if status != 200:
            raise urllib.error.HTTPError(request.full_url, status, "refused", message, io.BytesIO(content))
        return _Response(content, message)

    return opened


def web(answer: Answer, waits: list[float] | None = None, limits: Limits | None = None) -> Web:
    """A reader of these answers that notes its waits instead of waiting."""
    return Web(limits, opener(answer), (waits if waits is not None else []).append)


def asked(answer: Answer, regions: frozenset[str] | None = None, **environment: str) -> Asked:
    """What a reader is asked, with the shipped catalogue, on the day of the answers."""
    return Asked(shipped_catalog(), web(answer), DAY, regions, environment)


def always(body: Body) -> Answer:
    """The same answer to everything."""
    return lambda request: (200, {}, body)


def azure_row(**given: Any) -> dict[str, Any]:
    """A row of the Retail Prices API: all fields of the published schema."""
    row = {
        "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": 98.32, "unitPrice": 98.32,
        "armRegionName": "eastus", "location": "US East", "effectiveStartDate": "2025-10-01T00:00:00Z",
        "meterId": "m-1", "meterName": "ND96isr H100 v5", "productId": "DZH318Z0", "skuId": "DZH318Z0/001",
        "productName": "Virtual Machines NDsrH100v5 Series", "skuName": "ND96isr H100 v5",
        "serviceName": "Virtual Machines", "serviceId": "DZH313Z7MMC8", "serviceFamily": "Compute",
        "unitOfMeasure": "1 Hour", "type": "Consumption", "isPrimaryMeterRegion": True,
        "armSkuName": "Standard_ND96isr_H100_v5",
    }  # fmt: skip
    return row | given


def azure_page(*rows: dict[str, Any], link: str | None = None) -> dict[str, Any]:
    """A page of the Retail Prices API."""
    return {
        "BillingCurrency": "USD", "CustomerEntityId": "Default", "CustomerEntityType": "Retail",
        "Items": list(rows), "NextPageLink": link, "Count": len(rows),
    }  # fmt: skip


def azure(*rows: dict[str, Any]) -> Answer:
    """The rows of the SKU that the filter names, one page; no rows for the others."""

    def answer(request: urllib.request.Request) -> tuple[int, Mapping[str, str], Body]:
        asked_for = urllib.request.unquote(request.full_url)
        return 200, {}, azure_page(*(r for r in rows if f"armSkuName+eq+'{r['armSkuName']}'" in asked_for))

    return answer


def google_sku(description: str, usd: float, unit: str = "h", usage: str = "OnDemand") -> dict[str, Any]:
    """A SKU of the Cloud Billing Catalog API."""
    units = int(usd)
    rate = {"currencyCode": "USD", "units": str(units), "nanos": round((usd - units) * 1e9)}
    expression = {"usageUnit": unit, "displayQuantity": 1, "tieredRates": [{"startUsageAmount": 0, "unitPrice": rate}]}
    return {
        "name": "services/6F81-5844-456A/skus/0000-0000-0000", "skuId": "0000-0000-0000", "description": description,
        "category": {"serviceDisplayName": "Compute Engine", "resourceFamily": "Compute", "resourceGroup": "GPU",
                     "usageType": usage},
        "serviceRegions": ["us-central1"], "serviceProviderName": "Google",
        "pricingInfo": [{"summary": "", "pricingExpression": expression, "currencyConversionRate": 1,
                         "effectiveTime": "2026-11-19T12:00:00.000Z"}],
    }  # fmt: skip


AWS_COLUMNS = (
    "SKU", "OfferTermCode", "RateCode", "TermType", "PriceDescription", "EffectiveDate", "StartingRange", "EndingRange",
    "Unit", "PricePerUnit", "Currency", "RelatedTo", "LeaseContractLength", "PurchaseOption", "OfferingClass",
    "Product Family", "serviceCode", "Location", "Location Type", "Instance Type", "Tenancy", "Operating System",
    "CapacityStatus", "Pre Installed S/W", "Region Code", "MarketOption",
)  # fmt: skip


def aws_row(**given: str) -> dict[str, str]:
    """A row of the regional price file of AmazonEC2: a plain on-demand hour."""
    plain = {
        "TermType": "OnDemand", "Unit": "Hrs", "PricePerUnit": "55.0400000000", "Currency": "USD",
        "Instance Type": "p5.48xlarge", "Tenancy": "Shared", "Operating System": "Linux", "CapacityStatus": "Used",
        "Pre Installed S/W": "NA", "Region Code": "us-east-1", "MarketOption": "OnDemand",
    }  # fmt: skip
    return plain | {name.replace("_", " "): value for name, value in given.items()}


def aws_csv(*rows: Mapping[str, str], columns: tuple[str, ...] = AWS_COLUMNS) -> str:
    """A price file: five rows of metadata, the names of the columns, the rows."""
    top = ["FormatVersion,v1.0", "Disclaimer,none", "Publication Date,2026-11-19", "Version,1", "OfferCode,AmazonEC2"]
    lines = [f'"{a}","{b}"' for a, b in (line.split(",") for line in top)]
    lines.append(",".join(f'"{c}"' for c in columns))
    lines += [",".join(f'"{row.get(c, "")}"' for c in columns) for row in rows]
    return "\n".join(lines) + "\n"


def aws(text: str) -> Answer:
    """The region index, and one price file."""
    path = "/offers/v1.0/aws/AmazonEC2/20261119000000/us-east-1/index.json"
    index = {"formatVersion": "v1.0", "disclaimer": "", "publicationDate": "2026-11-19T00:00:00Z",
             "regions": {"us-east-1": {"regionCode": "us-east-1", "currentVersionUrl": path}}}  # fmt: skip
    return lambda request: (200, {}, index if request.full_url.endswith("region_index.json") else text)
