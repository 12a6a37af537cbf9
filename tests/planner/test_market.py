"""Whose capacity a question may use: places, certificates, contracts, machines bought and machines at hand."""

from __future__ import annotations

from typing import Any

import pytest

from stackwright import api
from stackwright.api.plans import question_of
from stackwright.catalog import certification, country_of, load_catalog
from stackwright.errors import InputError
from stackwright.planner import AtHand, Market
from stackwright.planner.offers.marketplace import Marketplace
from tests.planner.questions import MODEL, SMALL, ask

EVERYTHING = ("on_demand", "spot", "capacity_block", "reserved_1y", "reserved_3y")


def market(**terms: Any) -> Marketplace:
    return Marketplace(load_catalog(), Market(**terms))


def test_without_constraints_the_offers_are_those_of_the_catalogue() -> None:
    found = market()
    assert found.of("h200-sxm") == load_catalog().offers_for("h200-sxm", contracts=Market().contracts)
    assert found.left_out() == ()


def test_machines_bought_stand_beside_rented_ones_when_asked_for() -> None:
    both = market(contracts=("on_demand", "owned")).of("h200-sxm")
    assert {o.provider for o, _ in both} >= {"owned", "azure"}
    per_chip = [p.usd_per_hour / o.chips for o, p in both]
    assert per_chip == sorted(per_chip)
    own = market(contracts=("owned",)).of("h200-sxm")
    assert {o.id for o, _ in own} == {"owned/hgx-h200-server", "owned/dgx-h200"}


def test_clouds_and_regions_hold_for_machines_bought_too() -> None:
    contracts = ("on_demand", "owned")
    for cloud in ("azure", "owned"):
        assert {o.provider for o, _ in market(contracts=contracts, clouds=(cloud,)).of("h200-sxm")} == {cloud}
    eastus = market(contracts=contracts, regions=("eastus",)).of("h100-sxm")
    assert {o.provider for o, _ in eastus} == {"azure"}


def test_residency_keeps_regions_that_are_known_to_lie_there_and_counts_the_rest() -> None:
    facts, found = load_catalog(), market(residency="eu", contracts=EVERYTHING)
    everything = market(contracts=EVERYTHING).of("h100-sxm")
    offers = found.of("h100-sxm")
    assert offers
    for offer, price in offers:
        places = {country_of(facts, offer.provider, r) for r in price.regions}
        assert places <= {"AUT", "BEL", "DEU", "ESP", "FIN", "FRA", "IRL", "ITA", "NLD", "POL", "SWE"}
    left = {x.offer: x.reasons for x in found.left_out()}
    assert set(left) | {o.id for o, _ in offers} == {o.id for o, _ in everything}
    assert not set(left) & {o.id for o, _ in offers}
    unknown = [o for o, p in everything if p.regions == ("unspecified",) and o.id in left]
    assert unknown
    assert all(left[o.id] == ("country of its region unknown",) for o in unknown)
    assert any(reasons == ("not in eu",) for reasons in left.values())


def test_a_certificate_must_be_known_to_be_held() -> None:
    facts, found = load_catalog(), market(certified=("SOC 2", "hipaa"))
    for offer, _ in found.of("h100-sxm"):
        for name in ("soc2", "hipaa"):
            known = certification(facts, offer.provider, name)
            assert known is not None
            assert known.held
    left = found.left_out()
    assert left
    for x in left:
        assert all(r.endswith(" unknown") or r.startswith("no ") for r in x.reasons)
    lengths = [len(x.reasons) for x in left]
    assert lengths == sorted(lengths)


@pytest.mark.parametrize("terms", [{"residency": "atlantis"}, {"certified": ("iso9",)}])
def test_an_unknown_place_or_certificate_is_refused_before_anything_is_computed(terms: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"unknown (place|certification)"):
        api.plan(MODEL, **{**SMALL, **terms})


def test_more_constraints_never_offer_more() -> None:
    plain = {(o.id, p.contract) for o, p in market().of("h100-sxm")}
    placed = {(o.id, p.contract) for o, p in market(residency="eu").of("h100-sxm")}
    both = {(o.id, p.contract) for o, p in market(residency="eu", certified=("c5",)).of("h100-sxm")}
    assert both <= placed < plain


def test_other_contracts_of_an_offer_keep_to_the_same_place() -> None:
    answer = ask(chips=("h100-sxm",), clouds=("aws", "gcp", "azure"), residency="eu", rate=20.0)
    assert answer.plans
    facts = load_catalog()
    for p in answer.plans:
        assert p.stack.offer is not None
        for _, _, region in p.other_contracts:
            assert country_of(facts, p.stack.offer.provider, region) not in (None, "USA")


def test_an_answer_without_offers_names_the_nearest_left_out() -> None:
    answer = ask(clouds=("aws",), residency="ch", rate=20.0)
    assert not answer.plans
    document = api.plan_document(answer)["left_out_offers"]
    assert document["count"] == len(answer.left_out_offers) == sum(r["offers"] for r in document["by_reason"])
    assert document["nearest"]["offer"].startswith("aws/")
    assert document["nearest"]["reasons"] == ["not in ch"]


def test_spot_is_added_or_removed() -> None:
    def contracts(**given: Any) -> tuple[str, ...]:
        return question_of(MODEL, **given).market.contracts

    assert contracts() == contracts(spot=False) == ("on_demand", "capacity_block")
    assert contracts(spot=True) == ("on_demand", "capacity_block", "spot")
    assert contracts(spot=False, contracts=("spot", "on_demand")) == ("on_demand",)
    with pytest.raises(InputError, match="leaves no contract"):
        contracts(spot=False, contracts=("spot",))


@pytest.mark.parametrize(
    ("text", "chip", "count"),
    [("l40s", "l40s", 1), ("l40sx2", "l40s", 2), ("mi300xx8", "mi300x", 8), ("mi300x", "mi300x", 1)],
)
def test_what_stands_there_is_a_chip_and_a_number(text: str, chip: str, count: int) -> None:
    assert AtHand.parse(text) == AtHand(chip, count)
    assert str(AtHand.parse(text)) == text


@pytest.mark.parametrize("text", ["", "l40sx0"])
def test_what_stands_there_is_not_nothing(text: str) -> None:
    with pytest.raises(InputError, match="--have"):
        AtHand.parse(text)


def test_what_stands_there_costs_its_electricity() -> None:
    found = market(have=(AtHand("l40s", 2),), usd_per_kwh=0.25)
    offer, price = found.of("l40s")[0]
    facts = load_catalog()
    system = facts.system_for("l40s", 2)
    assert system is not None
    assert system.power_w is not None
    share = facts.ownership["load-share"].value if system.nameplate else 1.0
    grid = facts.grid_for("owned", "unspecified")
    assert grid is not None
    assert price.usd_per_hour == pytest.approx(system.power_w / system.chips * share * grid.pue / 1000 * 0.25)
    assert (offer.provider, offer.chips, offer.max_replica_chips) == ("at-hand", 1, 2)
    assert found.has(offer, 2)
    assert not found.has(offer, 3)


def test_a_machine_at_hand_is_its_chips() -> None:
    found = market(have=(AtHand("dgx-h100"), AtHand("h100-sxm", 2)))
    assert found.at_hand["h100-sxm"].chips == 10


def test_no_more_is_used_than_stands_there() -> None:
    here = ask(have=("l40sx2",), clouds=("at-hand",), chips=(), per="stack", top=100, rate=1.0)
    assert here.plans
    assert all(p.n_chips <= 2 and p.stack.chip.id == "l40s" for p in here.plans)
    assert not here.unpriced
    for promise in ({}, {"ttft": 10.0, "tpot": 0.5}):
        with pytest.raises(InputError, match="2 at hand, more needed"):
            ask(have=("l40sx2",), clouds=("at-hand",), chips=(), rate=500.0, **promise)


def test_what_stands_there_ranks_beside_what_is_rented() -> None:
    answer = ask(have=("l40s",), concurrency=2.0, ttft=2.0, tpot=0.2)
    providers = [p.stack.offer.provider for p in answer.plans if p.stack.offer]
    assert providers[0] == "at-hand"
    assert {"aws", "gcp"} & set(providers)
    note = ask(have=("l40s",), residency="eu", concurrency=2.0, ttft=2.0, tpot=0.2).plans[0].notes
    assert any(n.startswith("own premises: residency eu is yours") for n in note)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"clouds": ("at-hand",)}, "needs --have"),
        ({"usd_per_kwh": 0.2}, "give both"),
        ({"have": ("h2000",)}, "unknown chip 'h2000'"),
        ({"have": ("l40s",), "usd_per_kwh": -1.0}, "positive"),
    ],
)
def test_contradictions_are_refused(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        api.plan(MODEL, **{**SMALL, **terms})


def test_booking_ahead_and_quotas_are_noted() -> None:
    answer = ask(chips=("h100-sxm", "tpu-v6e"), clouds=("aws", "gcp"), per="offer", rate=5.0)
    notes = {
        (p.stack.offer.provider, p.stack.chip.id, p.stack.price.contract): [n for n in p.notes if "availability" in n]
        for p in answer.plans
        if p.stack.offer and p.stack.price
    }
    assert any("eight weeks" in n for n in notes["aws", "h100-sxm", "capacity_block"])
    assert any("quota" in n for n in notes["gcp", "tpu-v6e", "on_demand"])
    assert all(
        not found for (_, chip, contract), found in notes.items() if contract == "on_demand" and chip != "tpu-v6e"
    )
