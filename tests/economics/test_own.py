from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.catalog import Catalog, load_catalog
from stackwright.economics import Ownership, capital_recovery, owned_cost, owned_offers, owned_range, ownership
from stackwright.errors import UnknownIdError
from stackwright.units import HOURS_PER_YEAR

BARE = Ownership(
    price_usd=100_000.0, provisioned_w=10_000.0, drawn_w=8_000.0, pue=1.25, life_years=5.0, resale_share=0.0,
    cost_of_capital=0.0, network_share=0.0, electricity_usd_per_kwh=0.0, colocation_usd_per_kw_month=0.0,
    operations_share=0.0, availability=1.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@given(st.floats(0.001, 0.5), st.floats(1, 30))
def test_the_annuity_repays_the_sum(rate: float, years: float) -> None:
    present = (1 - (1 + rate) ** -years) / rate  # of one unit a year
    assert capital_recovery(rate, years) * present == pytest.approx(1.0)
    assert capital_recovery(0.0, years) == pytest.approx(1 / years)
    assert capital_recovery(rate, years) > capital_recovery(rate / 2, years) > 1 / years


def test_each_part_by_hand() -> None:
    assert owned_cost(BARE).usd_per_hour == pytest.approx(100_000 / (5 * 8766))
    power = dataclasses.replace(BARE, electricity_usd_per_kwh=0.10)
    assert owned_cost(power).electricity == pytest.approx(8 * 1.25 * 0.10)  # 8 kW drawn, 10 kW billed
    site = dataclasses.replace(BARE, colocation_usd_per_kw_month=150.0)
    assert owned_cost(site).site == pytest.approx(150 * 12 * 10 / 8766)  # of the power it may draw, not of the mean
    staff = dataclasses.replace(BARE, operations_share=0.05, network_share=0.2)
    assert owned_cost(staff).operations == pytest.approx(0.05 * 120_000 / 8766)
    sold = dataclasses.replace(BARE, resale_share=0.25)
    assert owned_cost(sold).capital == pytest.approx(0.75 * owned_cost(BARE).capital)
    half = dataclasses.replace(power, availability=0.5)
    assert owned_cost(half).usd_per_hour == pytest.approx(2 * owned_cost(power).usd_per_hour)


def test_the_resale_is_discounted() -> None:
    """At full resale value the machine costs its interest: I r a year."""
    kept = dataclasses.replace(BARE, resale_share=1.0, cost_of_capital=0.08)
    assert owned_cost(kept).capital == pytest.approx(0.08 * 100_000 / HOURS_PER_YEAR)


def test_the_published_break_even_of_a_server_against_a_cloud() -> None:
    """Lenovo LP2225 (2025-05-23): 833,806 USD and 0.87 USD an hour against 98.32 USD an hour breaks even at 8,556 h."""
    hours = 8556.0
    server = dataclasses.replace(
        BARE, price_usd=833_806.0, life_years=hours / HOURS_PER_YEAR, drawn_w=1_000.0, pue=1.0,
        electricity_usd_per_kwh=0.87,
    )  # fmt: skip
    assert owned_cost(server).usd_per_hour == pytest.approx(98.32, rel=1e-4)


SUMS = (
    "price_usd provisioned_w drawn_w pue cost_of_capital network_share electricity_usd_per_kwh "
    "colocation_usd_per_kw_month operations_share"
)


@given(st.sampled_from(SUMS.split()), st.floats(1.01, 3.0))
def test_dearer_inputs_never_make_it_cheaper(name: str, factor: float) -> None:
    usual = Ownership(3e5, 1e4, 8e3, 1.25, 5.0, 0.1, 0.1, 0.1, 0.08, 180.0, 0.05, 0.97)
    dearer = dataclasses.replace(usual, **{name: getattr(usual, name) * factor})
    assert owned_cost(dearer).usd_per_hour > owned_cost(usual).usd_per_hour


def test_owned_offers_are_whole_machines_with_price_and_power(catalog: Catalog) -> None:
    offers = {o.instance: o for o in owned_offers(catalog)}
    priced = {s.id for s in catalog.systems.values() if s.price_usd and s.power_w and s.chip in catalog.chips}
    assert set(offers) == priced
    rack = offers["gb200-nvl72"]
    assert (rack.unit, rack.chips, rack.max_replica_chips) == ("rack", 72, 72)
    for offer in offers.values():
        (price,) = offer.prices
        assert price.contract == offer.provider == "owned"
        assert price.low["usd_per_hour"] < price.usd_per_hour < price.high["usd_per_hour"]
    assert [o.instance for o in owned_offers(catalog, "gb200")] == ["gb200-nvl72"]


def test_owning_lies_near_the_cost_that_a_public_model_states(catalog: Catalog) -> None:
    """Hyperscaler and neocloud cost of SemiAnalysisAI/InferenceX-app@77ca49a (2026-04-03), USD per GPU-hour."""
    for system, low, high in (("gb200-nvl72", 2.21, 2.75), ("mi300x-8", 1.12, 1.40), ("hgx-h100-server", 1.30, 1.69)):
        found = owned_range(catalog, catalog.system(system))
        assert found is not None
        _, least, most = (usd / catalog.system(system).chips for usd in found)
        assert least <= high, system
        assert most >= low, system


def test_a_desk_pays_neither_site_nor_staff(catalog: Catalog) -> None:
    server = catalog.system("hgx-h100-server")
    desk = server.model_copy(update={"form": "desk", "chips": 1, "price_usd": 4000.0, "power_w": 240.0})
    o = ownership(catalog, desk)
    assert o is not None
    cost = owned_cost(o)
    assert cost.site == cost.operations == 0.0
    assert o.pue == 1.0
    assert o.network_share == 0.0
    assert o.electricity_usd_per_kwh == catalog.ownership["electricity-desk"].value
    assert cost.electricity < 0.05 < cost.capital < 0.2


def test_without_price_or_power_nothing_is_owned(catalog: Catalog) -> None:
    assert ownership(catalog, catalog.system("trn2-instance")) is None
    assert owned_range(catalog, catalog.system("trn2-instance")) is None
    bare = dataclasses.replace(catalog, ownership={}, _names={})
    with pytest.raises(UnknownIdError, match="term of ownership"):
        owned_offers(bare, "gb200")
