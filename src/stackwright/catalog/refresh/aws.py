"""AWS price list, bulk files: on-demand and reserved prices of EC2 instances, without a key.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-service-price-list-file-for-services.html: the
first five rows of the CSV are metadata (the third and fourth of them publication date and version), the sixth names
the columns. The region index gives the address of each regional file. A regional file has hundreds of megabytes: it
is read line by line, and only for the regions asked for. Spot prices and capacity blocks are not in it.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from stackwright.catalog.records import Contract, Offer
from stackwright.catalog.refresh.readings import HOURS_PER_CONTRACT_YEAR, Asked, Reading, Sheet, Snapshot, lists
from stackwright.errors import SourceError, UnknownIdError

SOURCE = "AWS price list (pricing.us-east-1.amazonaws.com)"
METADATA_ROWS = 5
MAX_BYTES = 6_000_000_000
RESERVED: dict[str, tuple[Contract, float]] = {"1yr": ("reserved_1y", 1.0), "3yr": ("reserved_3y", 3.0)}
PLAIN = {"Tenancy": "Shared", "Operating System": "Linux", "CapacityStatus": "Used", "Currency": "USD"}
NEEDED = ("TermType", "PricePerUnit", "Unit", "Instance Type", "Region Code", *PLAIN)

Row = Mapping[str, str]


def read(asked: Asked) -> Snapshot:
    """Prices of every AWS instance that the catalogue knows in the regions asked for. Raises `SourceError`."""
    config = lists()["aws"]
    index = asked.web.json(config["url"] + config["region_index"])
    known = index.get("regions") if isinstance(index, dict) else None
    if not isinstance(known, dict) or not known:
        raise SourceError("pricing.us-east-1.amazonaws.com: the region index names no region")
    sheet, offers = Sheet(), asked.instances("aws")
    for region in sorted(asked.regions or config["regions"]):
        if region not in known:
            raise UnknownIdError("AWS region", region, known, "see the price list's region index")
        path = str(known[region].get("currentVersionUrl", ""))
        if not path.endswith("/index.json"):
            raise SourceError(f"pricing.us-east-1.amazonaws.com: no address of a price file for {region}")
        url = asked.web.follow(config["url"], config["url"] + path.removesuffix(".json") + ".csv")
        _read_region(_rows(asked.web.lines(url, MAX_BYTES), offers), offers, region, sheet)
    return sheet.snapshot(SOURCE)


def _rows(lines: Iterable[str], offers: Mapping[str, Offer]) -> Iterator[Row]:
    """Rows that name one of the instances; the others are passed over unparsed."""
    each = iter(lines)
    for _ in range(METADATA_ROWS):
        next(each, None)
    columns = next(csv.reader([next(each, "")]), [])
    missing = [c for c in NEEDED if c not in columns]
    if missing:
        raise SourceError(f"pricing.us-east-1.amazonaws.com: the price file has no column {', '.join(missing)}")
    named = tuple(f'"{name}"' for name in offers)
    place = columns.index("Instance Type")
    for cells in csv.reader(line for line in each if any(name in line for name in named)):
        if len(cells) == len(columns) and cells[place] in offers:
            yield dict(zip(columns, cells, strict=True))


def _read_region(rows: Iterator[Row], offers: Mapping[str, Offer], region: str, sheet: Sheet) -> None:
    reserved: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    seen: set[str] = set()
    for row in rows:
        name = row["Instance Type"]
        what = f"{name} {row['Region Code']}"
        if row["Region Code"] != region:
            sheet.leave(what, "another place than the region of the file (local or wavelength zone)")
            continue
        seen.add(name)
        odd = next((f"{k} {row[k] or 'none'}" for k, v in PLAIN.items() if row[k] != v), None)
        software = row.get("Pre Installed S/W", "")
        if odd or software not in ("", "NA"):
            sheet.leave(what, odd or f"with {software}")
            continue
        try:
            usd = float(row["PricePerUnit"])
        except ValueError:
            sheet.leave(what, "no price")
            continue
        if row["TermType"] == "OnDemand":
            market = row.get("MarketOption", "OnDemand")
            if row["Unit"] == "Hrs" and market in ("", "OnDemand"):
                sheet.readings.append(Reading(offers[name], "on_demand", region, usd))
            else:
                sheet.leave(what, f"on demand by {row['Unit']}, market {market or 'none'}")
        elif row["TermType"] == "Reserved":
            if row.get("LeaseContractLength") in RESERVED and row.get("OfferingClass") == "standard":
                terms = (name, row["LeaseContractLength"], row.get("PurchaseOption", ""))
                reserved[terms]["hourly" if row["Unit"] == "Hrs" else "upfront"] = usd
            else:
                sheet.leave(what, f"reservation {row.get('LeaseContractLength')}, {row.get('OfferingClass')}")
        else:
            sheet.leave(what, f"term {row['TermType']!r} is not known")
    _read_reserved(reserved, offers, region, sheet)
    for name in offers.keys() - seen:
        sheet.leave(f"{name} {region}", "not in the price file")


def _read_reserved(
    reserved: Mapping[tuple[str, str, str], Mapping[str, float]], offers: Mapping[str, Offer], region: str, sheet: Sheet
) -> None:
    """One rate per term: without upfront payment where sold, else the upfront sum spread over the hours of the term."""
    for name, length in sorted({(n, y) for n, y, _ in reserved}):
        contract, years = RESERVED[length]
        for option in ("No Upfront", "Partial Upfront", "All Upfront"):
            parts = reserved.get((name, length, option))
            if parts is None:
                continue
            usd = parts.get("hourly", 0.0) + parts.get("upfront", 0.0) / (HOURS_PER_CONTRACT_YEAR * years)
            note = "" if option == "No Upfront" else f"{option.lower()}, spread over the term without interest"
            sheet.readings.append(Reading(offers[name], contract, region, round(usd, 6), note))
            break
