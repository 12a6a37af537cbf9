"""A whole refresh: what is written, what the store then reads, and that a failure leaves everything as it was."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackwright.catalog import STALE_PRICE_DAYS, Offer, load_catalog
from stackwright.catalog.checks.rules import check_catalog
from stackwright.catalog.refresh import genai, history, run, user
from stackwright.catalog.refresh.readings import lists
from stackwright.catalog.store import prices_in_force, shipped_catalog
from stackwright.catalog.tokens.offers import api_offers_of
from stackwright.catalog.tokens.prices import api_price, price_list
from stackwright.catalog.yaml_files import read_file
from stackwright.errors import CatalogError, InputError, UnknownIdError
from tests.catalog.refresh import answers
from tests.catalog.refresh.answers import NOW, Answer, always, aws_csv, azure_row, web

OFFER = "azure/standard_nd96isr_h100_v5"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user's directory that the store reads."""
    monkeypatch.setenv(user.VARIABLE, str(tmp_path / "mine"))
    return tmp_path / "mine"


def go(folder: Path, answer: Answer, *sources: str, days: int = 0, **more: Any) -> dict[str, Any]:
    options = run.Options(folder, now=NOW + dt.timedelta(days=days), web=lambda s: web(answer), environment={}, **more)
    return run.refresh(sources or ("azure",), options)


def rows(*usd: float) -> Answer:
    return answers.azure(*(azure_row(retailPrice=p) for p in usd))


def on_demand(region: str = "eastus") -> tuple[float, dt.date | None]:
    prices = prices_in_force(load_catalog().offers[OFFER].prices)
    [found] = [p for p in prices if p.contract == "on_demand" and region in p.regions]
    return found.usd_per_hour, found.date


def test_the_store_reads_refreshed_prices_beside_the_shipped_ones(folder: Path) -> None:
    assert load_catalog() is shipped_catalog()
    assert on_demand() == (98.32, dt.date(2026, 9, 19))
    [source] = go(folder, rows(91.5))["sources"]
    assert (source["status"], source["rows_kept"], source["offers"]) == ("refreshed", 1, 1)
    assert on_demand() == (91.5, dt.date(2026, 11, 20))
    shipped, joined = shipped_catalog().offers[OFFER].prices, load_catalog().offers[OFFER].prices
    assert joined[: len(shipped)] == shipped  # history is added to, not replaced
    assert on_demand("westus2")[0] == 98.32  # a region that was not in the answer keeps its price
    assert not [f for f in check_catalog(load_catalog(), NOW.date()) if f.level == "error"]


def test_the_switch_leaves_refreshed_prices_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(folder, rows(91.5))
    monkeypatch.setenv(user.VARIABLE, "none")
    assert load_catalog() is shipped_catalog()


def test_the_directory_reads_as_a_catalogue_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(folder, rows(91.5))
    monkeypatch.setenv(user.VARIABLE, "none")
    [price] = load_catalog(folder).offers[OFFER].prices
    assert (price.usd_per_hour, price.source, price.confidence) == (
        91.5, "Azure Retail Prices API (prices.azure.com)", "datasheet",
    )  # fmt: skip


def test_the_lock_file_says_what_was_read(folder: Path) -> None:
    go(folder, rows(91.5))
    entry = json.loads((folder / user.LOCK).read_text())["sources"]["azure"]
    assert entry["retrieved"] == "2026-11-20T09:30:00+00:00"
    assert entry["files"] == {"offers/azure.yaml": user.sha256((folder / "offers/azure.yaml").read_bytes())}
    assert len(entry["sha256"]) == 64
    assert all(url.startswith("https://prices.azure.com/api/retail/prices?api-version=") for url in entry["urls"])
    assert sum(entry["left_out"].values()) == len(entry["urls"]) - 1  # the other instances had no meter


def test_history_keeps_the_ends_of_a_run_of_equal_prices(folder: Path) -> None:
    for day, usd in enumerate((91.5, 91.5, 91.5, 80.0, 80.0)):
        go(folder, rows(usd), days=day)
    kept = user.read_offers(folder, user.read_lock(folder))[0].prices
    assert [(p.date.day, p.usd_per_hour) for p in kept if p.date] == [(20, 91.5), (22, 91.5), (23, 80.0), (24, 80.0)]
    go(folder, rows(79.0), days=4)  # a second reading of one day takes the place of the first
    assert on_demand() == (79.0, dt.date(2026, 11, 24))


def test_readings_of_several_regions_share_a_line() -> None:
    [price] = shipped_catalog().offers["azure/standard_nd96is_h100_v5"].prices[:1]
    east, west = (price.model_copy(update={"regions": (r,)}) for r in ("east", "west"))
    [both] = history.with_history([east], [west])
    assert both.regions == ("east", "west")


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    [source] = go(folder, rows(91.5), dry_run=True)["sources"]
    assert source["status"] == "read"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (always("<html>down for maintenance</html>"), "a web page"),
        (always('{"Items": ['), "no complete JSON"),
        (always({"Items": []}), "no usable price in the answer"),
        (rows(700.0), "no usable price"),
        (lambda request: (429, {"Retry-After": "1"}, ""), "HTTP status 429"),
        (lambda request: (403, {}, ""), "HTTP status 403"),
    ],
)
def test_a_failure_leaves_the_earlier_prices(folder: Path, answer: Answer, said: str) -> None:
    go(folder, rows(91.5))
    before = {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    [source] = go(folder, answer, days=1)["sources"]
    assert source["status"] == "failed"
    assert said in source["message"]
    assert {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()} == before
    assert on_demand() == (91.5, dt.date(2026, 11, 20))


def test_nothing_half_written_where_the_disk_refuses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(folder, rows(91.5))
    before = {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stackwright.catalog.refresh.run.os.fsync", full)
    [source] = go(folder, rows(80.0), days=1)["sources"]
    assert source["message"].endswith("cannot write (No space left on device)")
    assert {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()} == before


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: (d / "offers/azure.yaml").write_text((d / "offers/azure.yaml").read_text().replace("91.5", "9.15")),
        lambda d: (d / "offers/azure.yaml").unlink(),
        lambda d: (d / "offers/other.yaml").write_text("provider: other\noffers: []\n"),
        lambda d: (d / user.LOCK).write_text('{"version": 1}'),
    ],
)
def test_a_changed_directory_is_refused_in_one_line(folder: Path, edit: Callable[[Path], None]) -> None:
    go(folder, rows(91.5))
    edit(folder)
    with pytest.raises(CatalogError, match="refresh") as caught:
        load_catalog()
    assert "\n" not in str(caught.value)


def test_a_price_of_another_unit_than_the_shipped_one_is_refused() -> None:
    offer = shipped_catalog().offers[OFFER]
    with pytest.raises(CatalogError, match="refreshed for 4 x h100-sxm, the catalogue now has 8"):
        user.joined({OFFER: offer}, [offer.model_copy(update={"chips": 4})])


def test_a_price_far_from_the_one_before_is_to_be_looked_at(folder: Path) -> None:
    [source] = go(folder, rows(9.832), dry_run=True)["sources"]
    assert source["warnings"] == [f"{OFFER} on_demand eastus: 9.832 USD/h, was 98.32 on 2026-09-19"]


def test_rows_left_out_count_by_reason_whatever_the_region(folder: Path) -> None:
    spot = {"skuName": "ND96isr H100 v5 Spot", "retailPrice": 98.32}
    given = [azure_row(armRegionName=r, **more) for r in ("eastus", "westus3") for more in ({}, spot)]
    [source] = go(folder, answers.azure(*given))["sources"]
    assert source["left_out"]["spot is not below on demand"] == 2


def test_one_limit_of_age() -> None:
    price = shipped_catalog().offers[OFFER].prices[0].model_copy(update={"date": NOW.date()})
    assert not price.stale(NOW.date() + dt.timedelta(days=STALE_PRICE_DAYS))
    assert price.stale(NOW.date() + dt.timedelta(days=STALE_PRICE_DAYS + 1))
    assert not price.model_copy(update={"date": None}).stale(NOW.date())


def test_written_files_read_back_the_same(tmp_path: Path) -> None:
    """Notes and sources with the signs that YAML gives a meaning survive the writing."""
    offers = [o for o in shipped_catalog().offers.values() if o.provider in ("azure", "gcp")]
    odd = offers[0].model_copy(update={"note": "a: b # c, {d} 'e' \"f\" - %"})
    for provider in ("azure", "gcp"):
        mine = [o for o in (odd, *offers[1:]) if o.provider == provider]
        file = tmp_path / f"{provider}.yaml"
        file.write_text(history.as_yaml(provider, mine))
        assert [Offer.model_validate(raw) for raw in read_file(file, "offers")] == mine


def test_what_is_held_is_told_without_network_and_with_its_age(folder: Path) -> None:
    assert run.held(folder, NOW)["sources"] == []
    go(folder, rows(91.5))
    [young] = run.held(folder, NOW + dt.timedelta(days=90))["sources"]
    [old] = run.held(folder, NOW + dt.timedelta(days=91))["sources"]
    assert (young["age_days"], young["message"]) == (90, "")
    assert (old["age_days"], old["message"]) == (91, "older than 90 days")


def test_all_passes_over_what_needs_more_and_names_are_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: Any) -> Any:
        if "azure" in request.full_url:
            return rows(91.5)(request)
        if "amazonaws" in request.full_url:
            return answers.aws(aws_csv(answers.aws_row()))(request)
        return 503, {}, ""

    monkeypatch.setitem(__import__("sys").modules, "gpuhunt", None)
    status = {s["source"]: s["status"] for s in go(folder, answer, "all")["sources"]}
    assert status == {
        "azure": "refreshed", "aws": "refreshed", "gcp": "passed over", "genai": "failed", "gpuhunt": "passed over",
    }  # fmt: skip
    with pytest.raises(InputError, match="GOOGLE_API_KEY"):
        go(folder, answer, "gcp")
    with pytest.raises(UnknownIdError, match="'azure'"):
        go(folder, answer, "azur")
    with pytest.raises(InputError, match="name what to refresh"):
        run.refresh((), run.Options(folder))


def test_token_prices_come_from_the_refreshed_list(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genai, "LEAST_SHARE", 0.0)
    acme = {"id": "acme", "name": "Acme", "api_pattern": "https://api\\.acme\\.test", "models": [
        {"id": "acme-1", "match": {"equals": "acme-1"}, "prices": {"input_mtok": 1.5, "output_mtok": 6}}]}  # fmt: skip
    assert price_list().read is None
    [source] = go(folder, always([acme]), "genai")["sources"]
    assert source["urls"] == [lists()["genai"]["url"]]
    price = api_price("acme-1", "acme", dt.date(2026, 11, 21))
    assert (price.output_usd_per_mtok, price.read, price.age_days(dt.date(2026, 11, 30))) == (6.0, NOW.date(), 10)
    assert price.source == "genai-prices list of 2026-11-20 (MIT)"
    [offer] = api_offers_of(["acme-1"], dt.date(2026, 11, 21))
    assert (offer.tiers[0].rates.output, offer.read, offer.source) == (6.0, price.read, price.source)
    assert api_offers_of(["claude-sonnet-5-5"]) == []
    lock = json.loads((folder / user.LOCK).read_text())
    lock["sources"]["genai"]["package_version"] = "0.0.1"  # after an upgrade the package's own list is the newer one
    (folder / user.LOCK).write_text(json.dumps(lock))
    assert price_list().read is None


def test_an_offer_nobody_knew_is_added(folder: Path) -> None:
    known = shipped_catalog().offers[OFFER]
    mine = replace(shipped_catalog(), offers={})
    new = known.model_copy(update={"id": "azure/new", "instance": "new"})
    assert [o.id for o in user.joined(dict(mine.offers), [new])] == ["azure/new"]
