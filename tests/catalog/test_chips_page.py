"""The page of chips has every chip once, with what the catalogue and the record know of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stackwright.catalog import Catalog
from stackwright.performance import load_constants

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from chips_page import level, offers, page  # noqa: E402


def rows(text: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {row[0]: row for row in cells if row[0] not in ("chip", "---")}


def test_every_chip_has_one_row_and_the_committed_page_has_the_same_chips(catalog: Catalog):
    found = rows(page(catalog, load_constants()))
    assert set(found) == set(catalog.chips)
    assert set(rows((ROOT / "docs" / "chips.md").read_text())) == set(catalog.chips), "run `make pages`"


@pytest.mark.parametrize(
    ("chip", "expected"),
    [("h100-sxm", "chip"), ("h200-nvl", "family"), ("rubin-vr200", "maker"), ("m4-max", "all")],
)
def test_the_level_is_that_of_the_nearest_measurements(catalog: Catalog, chip: str, expected: str):
    assert level(load_constants().calibration, catalog.chip(chip)) == expected


def test_the_price_is_the_cheapest_on_demand(catalog: Catalog):
    count, cheapest = offers(catalog, catalog.chip("h100-sxm"))
    assert count >= 10
    assert cheapest == min(p.usd_per_hour / o.chips for o, p in catalog.offers_for("h100-sxm"))
    assert rows(page(catalog, load_constants()))["vera-cpu"][-1] == "no published arithmetic rate"
