from __future__ import annotations

import pytest

from stackwright.errors import UnknownIdError
from stackwright.workload import profile_names, sector, sector_names

OPTIONS = {"workload", "ttft", "tpot", "percentile", "residency", "certified", "contracts"}


@pytest.mark.parametrize("name", sector_names())
def test_every_assumption_has_a_reason_and_data_constraints_cite_something(name: str) -> None:
    found = sector(name)
    assert found.options["workload"] in profile_names()
    for a in found.assumptions:
        assert a.option in OPTIONS
        assert len(a.why) > 10
        if a.option == "residency" or a.where:
            assert a.source
    assert "spot" not in found.options["contracts"]
    assert "marketplace" not in found.options["contracts"]


def test_the_three_sectors_are_there() -> None:
    assert sector_names() == ("medical", "finance", "manufacturing")
    with pytest.raises(UnknownIdError, match="did you mean 'medical'"):
        sector("medicine")


def test_what_holds_elsewhere_only_is_left_out_and_the_more_special_wins() -> None:
    found = sector("medical")
    assert found.assumed((), ()).options["certified"] == ("iso27001",)
    assert found.assumed((), ("eu", "eea")).options["certified"] == ("iso27001", "gdpr-dpa")
    assert found.assumed((), ("de", "eu", "eea")).options["certified"] == ("c5", "gdpr-dpa")
    assert found.assumed((), ("us",)).options["certified"] == ("hipaa", "soc2")


def test_what_is_given_is_not_assumed() -> None:
    found = sector("finance").assumed(("ttft", "certified"), ("eu",))
    assert not {"ttft", "certified"} & set(found.options)
    assert found.options["residency"] == "eu"
    assert len({a.option for a in found.in_force}) == len(found.in_force) == len(found.options)


def test_citations_from_memory_say_so() -> None:
    looked_up = ("MLPerf loadgen", "SGB V § 393", "HIPAA, 45 CFR")
    for name in sector_names():
        for a in sector(name).assumptions:
            assert not a.source or a.source.startswith(looked_up) != a.source.endswith("(recalled, not looked up)")
