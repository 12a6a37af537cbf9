from __future__ import annotations

from stackwright.catalog import load_catalog
from stackwright.planner import Question
from stackwright.planner.offers import offers_of
from stackwright.workload import profile


def ask(**terms: object) -> Question:
    return Question("llama-3.3-70b", profile("chat"), **terms)  # type: ignore[arg-type]


def test_machines_bought_stand_beside_rented_ones_when_asked_for() -> None:
    catalog = load_catalog()
    rented = offers_of(ask(), catalog, "h200-sxm")
    assert rented == catalog.offers_for("h200-sxm", contracts=ask().contracts)
    both = offers_of(ask(contracts=("on_demand", "owned")), catalog, "h200-sxm")
    assert {o.provider for o, _ in both} >= {"owned", "azure"}
    per_chip = [p.usd_per_hour / o.chips for o, p in both]
    assert per_chip == sorted(per_chip)
    own = offers_of(ask(contracts=("owned",)), catalog, "H200")
    assert {o.id for o, _ in own} == {"owned/hgx-h200-server", "owned/dgx-h200"}


def test_filters_hold_for_machines_bought_too() -> None:
    catalog = load_catalog()
    contracts = ("on_demand", "owned")
    assert {o.provider for o, _ in offers_of(ask(contracts=contracts, clouds=("azure",)), catalog, "h200-sxm")} == {
        "azure"
    }
    assert {o.provider for o, _ in offers_of(ask(contracts=contracts, clouds=("owned",)), catalog, "h200-sxm")} == {
        "owned"
    }
    eastus = offers_of(ask(contracts=contracts, regions=("eastus",)), catalog, "h100-sxm")
    assert eastus
    assert "owned" not in {o.provider for o, _ in eastus}
