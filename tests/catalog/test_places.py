import dataclasses

import pytest

from stackwright.catalog import Catalog, certification, countries_in, country_of, lacking, regions_in
from stackwright.catalog.checks.rules import check_catalog
from stackwright.catalog.store import UNSPECIFIED
from stackwright.errors import UnknownIdError


def test_groups_hold_the_countries_of_their_treaties(catalog: Catalog):
    eu, eea = countries_in(catalog, "eu"), countries_in(catalog, "EEA")
    assert len(eu) == 27
    assert "GBR" not in eu
    assert "CHE" not in eu
    assert eea - eu == {"ISL", "LIE", "NOR"}
    assert countries_in(catalog, "uk") == countries_in(catalog, "GB") == countries_in(catalog, "gbr") == {"GBR"}
    assert countries_in(catalog, "united states") == {"USA"}
    assert countries_in(catalog, "EST") == {"EST"}  # in no record of its own, but a member of a group
    assert countries_in(catalog, "no") == {"NOR"}  # not the YAML word for false
    with pytest.raises(UnknownIdError, match="unknown place 'europ'"):
        countries_in(catalog, "europ")


def test_every_region_of_an_offer_lies_in_a_country_or_is_unspecified(catalog: Catalog):
    for offer in catalog.offers.values():
        assert offer.provider in catalog.providers, offer.provider
        for region in {r for price in offer.prices for r in price.regions}:
            country = country_of(catalog, offer.provider, region)
            assert (country is None) == (region == UNSPECIFIED), (offer.id, region)


def test_regions_in_a_group_leave_out_what_nobody_knows(catalog: Catalog):
    assert regions_in(catalog, "azure", "eu") >= {"swedencentral", "westeurope"}
    assert not regions_in(catalog, "azure", "eu") & {"uksouth", "switzerlandnorth", "norwayeast", "eastus"}
    assert regions_in(catalog, "azure", "eea") - regions_in(catalog, "azure", "eu") == {"norwayeast"}
    assert "eu-west-2" in regions_in(catalog, "aws", "uk")
    assert "eu-west-2" not in regions_in(catalog, "aws", "eu")
    assert regions_in(catalog, "hyperstack", "eea") == {"NORWAY-1"}
    assert regions_in(catalog, "verda", "eu") == frozenset()  # a Finnish firm; where the machines stand was not read
    assert regions_in(catalog, "a new cloud", "eu") == frozenset()


def test_a_certificate_is_held_not_held_or_unknown(catalog: Catalog):
    held, refused = certification(catalog, "aws", "SOC 2"), certification(catalog, "modal", "pci-dss")
    assert held is not None
    assert held.held
    assert held.source
    assert refused is not None
    assert not refused.held
    assert certification(catalog, "hotaisle", "soc2") is None
    assert certification(catalog, "a new cloud", "soc2") is None
    with pytest.raises(UnknownIdError, match="unknown certification 'soc3'"):
        certification(catalog, "aws", "soc3")
    assert lacking(catalog, "aws", ["soc2", "HIPAA"]) == ()
    assert [reason.split(" (")[0] for reason in lacking(catalog, "modal", ["soc2", "pci-dss", "iso27001"])] == [
        "no pci-dss",
        "iso27001 unknown",
    ]


def test_recalled_certificates_say_so(catalog: Catalog):
    for provider in catalog.providers.values():
        for known in provider.certifications:
            assert ("recalled" in known.source) == (known.confidence == "assumption"), (provider.id, known.name)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"jurisdiction": "US"}, "jurisdiction"),
        ({"regions": {"swedencentral": "NOR"}}, "regions.swedencentral"),  # its electricity record says SWE
        ({"regions": {"eastus": "usa"}}, "regions.eastus"),
        ({"regions": {UNSPECIFIED: "USA"}}, "regions"),
        ({"source": ""}, "source"),
    ],
    ids=str,
)
def test_a_planted_provider_defect_is_rejected(catalog: Catalog, change: dict[str, object], field: str):
    broken = catalog.providers["azure"].model_copy(update=change)
    planted = dataclasses.replace(catalog, providers={**catalog.providers, "azure": broken}, _names={})
    assert field in {f.field for f in check_catalog(planted) if f.level == "error" and f.record == "azure"}


def test_an_offer_of_an_unknown_provider_or_in_an_unknown_region_is_a_warning(catalog: Catalog):
    without = {k: v for k, v in catalog.providers.items() if k != "verda"}
    found = check_catalog(dataclasses.replace(catalog, providers=without, _names={}))
    assert any(f.level == "warning" and f.record == "verda" and f.field == "providers" for f in found)
    moved = catalog.providers["aws"].model_copy(update={"regions": {}})
    found = check_catalog(dataclasses.replace(catalog, providers={**catalog.providers, "aws": moved}, _names={}))
    assert any(f.level == "warning" and f.field == "regions.us-east-1" for f in found)
