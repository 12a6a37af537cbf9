import datetime as dt
import re
from pathlib import Path

import pytest

from stackwright.catalog import Catalog
from stackwright.catalog.checks.rules import check_catalog
from stackwright.catalog.store import prices_in_force
from stackwright.planner.question import DEFAULT_CONTRACTS

DOCS = Path(__file__).parents[2] / "docs" / "offers.md"


def test_prices_keep_their_history_and_the_newest_is_in_force(catalog: Catalog):
    offer = catalog.offers["hyperstack/h100-sxm5x8"]
    on_demand = [p for p in offer.prices if p.contract == "on_demand"]
    assert [p.usd_per_hour for p in on_demand] == [8 * 2.4, 8 * 3.2]
    assert [p.usd_per_hour for p in prices_in_force(offer.prices) if p.contract == "on_demand"] == [8 * 3.2]
    before = prices_in_force(offer.prices, dt.date(2026, 6, 1))
    assert [p.usd_per_hour for p in before] == [8 * 2.4]


def test_a_part_of_a_machine_is_no_offer(catalog: Catalog):
    per_chip = {
        round(p.usd_per_hour / o.chips, 4)
        for o in catalog.offers.values()
        if o.provider == "gcp"
        for p in o.prices
        if p.date == dt.date(2026, 6, 15)
    }
    assert not per_chip  # that day's pull of the Google list holds accelerators without their host


def test_hosts_of_third_parties_are_only_used_when_asked_for(catalog: Catalog):
    hosts = [o for o in catalog.offers.values() if o.provider == "vast" or o.instance.startswith("community")]
    assert len(hosts) > 10
    assert {p.contract for o in hosts for p in o.prices} == {"marketplace"}
    assert "marketplace" not in DEFAULT_CONTRACTS
    assert "owned" not in DEFAULT_CONTRACTS
    for contract in ("on_demand", "spot"):
        relabelled = hosts[0].model_copy(
            update={"prices": tuple(p.model_copy(update={"contract": contract}) for p in hosts[0].prices)}
        )
        offers = {**catalog.offers, hosts[0].id: relabelled}
        changed = type(catalog)(**{**{k: getattr(catalog, k) for k in KINDS}, "offers": offers})
        errors = {f.field for f in check_catalog(changed) if f.level == "error" and f.record == hosts[0].id}
        assert "instance" in errors


KINDS = ("chips", "systems", "engines", "models", "offers", "grids", "providers", "countries", "ownership")


def test_no_offer_of_the_files_is_owned(catalog: Catalog):
    assert not [o.id for o in catalog.offers.values() for p in o.prices if p.contract == "owned"]


def test_a_replica_never_spans_more_than_the_provider_sells(catalog: Catalog):
    for offer in catalog.offers.values():
        assert offer.chips <= offer.max_replica_chips, offer.id
        if offer.unit == "chip" and offer.max_replica_chips > 1:
            assert offer.note, f"{offer.id}: say why a replica may take {offer.max_replica_chips} single chips"


@pytest.mark.skipif(not DOCS.exists(), reason="documentation is not part of this tree")
def test_the_table_of_rows_left_out_adds_up():
    text = DOCS.read_text()
    total, carried, left = map(int, re.search(r"(\d+) rows: (\d+) carried, (\d+) left out", text).groups())  # type: ignore[union-attr]
    section = text.split("## Rows left out")[1].split("\n## ")[0]
    assert sum(int(n) for n in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)) == left == total - carried
    section = text.split("## Rows by provider")[1].split("\n## ")[0]
    rows = [tuple(map(int, r)) for r in re.findall(r"^\| [a-z-]+ \| (\d+) \| (\d+) \| (\d+) \|", section, re.MULTILINE)]
    assert [sum(column) for column in zip(*rows, strict=True)][:2] == [carried, left]
