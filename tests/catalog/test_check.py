import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from stackwright.catalog import Catalog, Price
from stackwright.catalog.checks.rules import Finding, check_catalog

TODAY = dt.date(2026, 11, 23)
GIB = 2**30


def test_the_shipped_catalogue_has_no_errors(catalog: Catalog):
    findings = check_catalog(catalog, TODAY)
    assert [str(f) for f in findings if f.level == "error"] == []
    assert all("days old" in f.message for f in findings), findings


def planted(catalog: Catalog, kind: str, record: str, **groups: dict[str, Any] | Any) -> list[Finding]:
    """Findings that appear when fields of one record are changed; a dict changes fields of a group."""
    records = dict(getattr(catalog, kind))
    old = records[record]
    new = {k: getattr(old, k).model_copy(update=v) if isinstance(v, dict) else v for k, v in groups.items()}
    records[record] = old.model_copy(update=new)
    before = set(check_catalog(catalog, TODAY))
    after = check_catalog(dataclasses.replace(catalog, **{kind: records, "_names": {}}), TODAY)
    return [f for f in after if f not in before]


def fields(findings: list[Finding], level: str = "error") -> set[str]:
    return {f.field for f in findings if f.level == level}


CHIP_DEFECTS: list[tuple[str, dict[str, Any], str]] = [
    ("a100-sxm-80", {"compute": {"fp8": 624e12}}, "compute.fp8"),
    ("b300-hgx", {"compute": {"int8": 4500e12}, }, "compute.int8"),
    ("h100-sxm", {"compute": {"fp8": 3958e12}}, "compute.fp8"),
    ("h100-sxm", {"compute": {"bf16": 1978e12}}, "compute.bf16"),
    ("h100-sxm", {"compute": {"bf16": 1978e12, "fp8": 3957e12, "int8": None}}, "compute.bf16"),
    ("mi355x", {"compute": {"fp4": 20132e12}}, "compute.fp4"),
    ("h200-sxm", {"memory": {"capacity_bytes": 141.0 * GIB}}, "memory.capacity_bytes"),
    ("tpu-v7-ironwood", {"memory": {"capacity_bytes": 192e9}}, "memory.capacity_bytes"),
    ("h100-sxm", {"memory": {"visible_bytes": 140e9}}, "memory.visible_bytes"),
    ("h100-sxm", {"memory": {"bandwidth_bytes_per_s": 3.35}}, "memory.bandwidth_bytes_per_s"),
    ("h100-sxm", {"link": {"scale_up_bytes_per_s": 900e9}}, "link.scale_up_bytes_per_s"),
    ("h100-sxm", {"link": {"scale_up_bytes_per_s": 900e9, "note": ""}}, "link.scale_up_bytes_per_s"),
    ("l40s", {"link": {"scale_up_bytes_per_s": 64e9}}, "link.scale_up_bytes_per_s"),
    ("tpu-v6e", {"link": {"scale_up_bytes_per_s": 800e9}}, "link.scale_up_bytes_per_s"),
    ("h100-sxm", {"power": {"tdp_w": 0.7}}, "power.tdp_w"),
    ("h100-sxm", {"compute": {"source": ""}}, "compute.source"),
    ("gb300", {"power": {"low": {"tdp_w": 2000.0}}}, "power.low.tdp_w"),
    ("h100-sxm", {"power": {"high": {"watts": 1.0}}}, "power.high.watts"),
    ("h200-sxm", {"aliases": ("H100",)}, "aliases"),
]  # fmt: skip


@pytest.mark.parametrize(("chip", "defect", "field"), CHIP_DEFECTS, ids=lambda v: str(v)[:50])
def test_a_planted_chip_defect_is_rejected(catalog: Catalog, chip: str, defect: dict[str, Any], field: str):
    assert field in fields(planted(catalog, "chips", chip, **defect))


OFFER = "azure/standard_nd96isr_h100_v5"


def edit(contract: str, **update: Any) -> Callable[[Price], Price]:
    return lambda p: p.model_copy(update=update) if p.contract == contract else p


PRICE_DEFECTS: list[tuple[Callable[[Price], Price], str]] = [
    (edit("on_demand", usd_per_hour=700.0), "prices.on_demand"),
    (edit("on_demand", usd_per_hour=0.0), "prices.on_demand"),
    (edit("on_demand", usd_per_hour=999.0), "prices.on_demand"),
    (edit("on_demand", usd_per_hour=8 * 999.0), "prices.on_demand"),
    (edit("spot", usd_per_hour=98.32), "prices.spot"),
    (edit("spot", usd_per_hour=9.832), "prices.spot"),
    (edit("on_demand", date=None), "prices.on_demand.date"),
    (edit("on_demand", date=dt.date(2027, 1, 1)), "prices.on_demand.date"),
    (edit("on_demand", source=""), "prices.on_demand.source"),
    (edit("on_demand", confidence=""), "prices.on_demand.confidence"),
    (edit("on_demand", regions=()), "prices.on_demand.regions"),
    (edit("on_demand", note="accelerator only, host billed apart"), "prices.on_demand"),
    (edit("on_demand", source="vendor page, starting at"), "prices.on_demand"),
    (edit("on_demand", source="median of provider listings"), "prices.on_demand"),
]


@pytest.mark.parametrize(("change", "field"), PRICE_DEFECTS)
def test_a_planted_price_defect_is_rejected(catalog: Catalog, change: Callable[[Price], Price], field: str):
    prices = tuple(change(p) for p in catalog.offers[OFFER].prices)
    assert field in fields(planted(catalog, "offers", OFFER, prices=prices))


@pytest.mark.parametrize(
    ("kind", "record", "defect", "field"),
    [
        ("offers", OFFER, {"chip": "h100"}, "chip"),
        ("offers", OFFER, {"instance": "H100 SXM accelerator SKU (host billed apart)"}, "instance"),
        ("offers", OFFER, {"max_replica_chips": 4}, "max_replica_chips"),
        ("offers", OFFER, {"unit": "chip"}, "chips"),
        ("offers", OFFER, {"prices": ()}, "prices"),
        ("systems", "dgx-h100", {"chip": "h100x"}, "chip"),
        ("systems", "dgx-h100", {"power_w": 10.2}, "power_w"),
        ("systems", "dgx-h100", {"source": " "}, "source"),
        ("models", "Qwen/Qwen3-32B", {"config": {"model_type": "qwen3"}}, "config.hidden_size"),
        ("grids", "azure/swedencentral", {"source": "marginal grid intensity"}, "carbon_g_per_kwh"),
    ],
)
def test_a_planted_reference_or_unit_defect_is_rejected(
    catalog: Catalog, kind: str, record: str, defect: dict[str, Any], field: str
):
    records = dict(getattr(catalog, kind))
    records[record] = records[record].model_copy(update=defect)
    broken = dataclasses.replace(catalog, **{kind: records, "_names": {}})
    assert field in {f.field for f in check_catalog(broken, TODAY) if f.record == record and f.level == "error"}


def test_a_price_far_from_the_others_and_an_old_one_are_warned_about(catalog: Catalog):
    offer = catalog.offers[OFFER]
    dear = tuple(edit("on_demand", usd_per_hour=500.0)(p) for p in offer.prices)
    assert "prices.on_demand" in fields(planted(catalog, "offers", OFFER, prices=dear), "warning")
    later = check_catalog(catalog, TODAY + dt.timedelta(days=365))
    assert any(f.record == OFFER and "days old" in f.message for f in later)
    moved = tuple(edit("on_demand", regions=("moon",))(p) for p in offer.prices)
    assert "prices.regions" in fields(planted(catalog, "offers", OFFER, prices=moved), "warning")


def test_a_finding_reads_as_one_line():
    assert str(Finding("error", "x", "f", "bad")) == "error: x: f: bad"


@pytest.mark.parametrize(
    ("chip", "defect", "field"),
    [
        ("rubin-vr200", {"compute": {"low": {}, "high": {}}}, "compute.low"),
        ("rubin-vr200", {"memory": {"low": {}, "high": {}}}, "memory.low"),
        ("mi455x", {"power": {"low": {}, "high": {}}}, "power.low"),
        ("rtx-4090", {"compute": {"note": ""}}, "compute.int8"),
        ("m4-max", {"memory": {"capacity_bytes": 128e9}}, "memory.capacity_bytes"),
        ("m4-max", {"link": {"scale_up_domain": 4}}, "link.scale_up_domain"),
        ("arc-pro-b60", {"link": {"scale_up_bytes_per_s": 64e9}}, "link.scale_up_bytes_per_s"),
        ("wse-3", {"memory": {"kind": "HBM"}}, "memory.bandwidth_bytes_per_s"),
        ("maia-200", {"memory": {"capacity_bytes": 216.5e9}}, "memory.capacity_bytes"),
    ],
)
def test_a_planted_defect_of_an_announced_or_desk_chip_is_rejected(
    catalog: Catalog, chip: str, defect: dict[str, Any], field: str
):
    assert field in fields(planted(catalog, "chips", chip, **defect))
