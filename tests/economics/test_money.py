from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.economics import Packing, footprint, rent_usd_per_hour, token_cost, usd_per_mtok
from stackwright.errors import InputError

chips = st.integers(1, 128)
replicas = st.integers(1, 5000)
positive = st.floats(1e-3, 1e6)


@given(chips, chips, replicas)
def test_units_rented_hold_every_replica_and_not_one_unit_more_than_needed(replica: int, unit: int, n: int) -> None:
    p = Packing(replica, unit)
    units = p.units(n)
    assert units * unit >= n * replica
    assert p.idle_chips(n) == units * unit - n * replica >= 0
    if replica <= unit:
        assert (units - 1) * (unit // replica) < n <= units * (unit // replica)
    else:
        assert units == n * math.ceil(replica / unit)


@given(chips, chips, replicas)
def test_filling_paid_units_costs_nothing(replica: int, unit: int, n: int) -> None:
    p = Packing(replica, unit)
    full = p.filled(n)
    assert full >= n
    assert p.units(full) == p.units(n)
    assert p.filled(full) == full
    assert p.smallest_replicas == p.filled(1)


@given(chips, chips, replicas, replicas)
def test_two_deployments_never_need_fewer_units_than_one_of_both(replica: int, unit: int, a: int, b: int) -> None:
    p = Packing(replica, unit)
    assert max(p.units(a), p.units(b)) <= p.units(a + b) <= p.units(a) + p.units(b)


@pytest.mark.parametrize(("replica", "unit"), [(0, 8), (8, 0), (-1, 8)])
def test_a_packing_needs_chips(replica: int, unit: int) -> None:
    with pytest.raises(InputError, match="at least one chip"):
        Packing(replica, unit)


def test_rent_by_hand() -> None:
    assert rent_usd_per_hour(3, 55.04) == pytest.approx(165.12)
    # 55.04 USD/h at 20,000 tokens/s: 72 Mtok an hour
    assert usd_per_mtok(55.04, 20_000.0) == pytest.approx(55.04 / 72.0)


@given(positive, positive, positive, st.floats(0, 1))
def test_every_definition_of_a_token_price_accounts_for_all_cost(
    usd: float, input_rate: float, output_rate: float, share: float
) -> None:
    c = token_cost(usd, input_rate, output_rate, share)
    hour = 3600 / 1e6
    assert c.output * output_rate * hour == pytest.approx(usd)
    assert c.total * (input_rate + output_rate) * hour == pytest.approx(usd)
    assert (c.input_by_time * input_rate + c.output_by_time * output_rate) * hour == pytest.approx(usd)
    assert c.total <= c.output
    assert c.output_by_time <= c.output * (1 + 1e-12)


@pytest.mark.parametrize(("share", "kept"), [(-0.2, 0.0), (1.7, 1.0)])
def test_a_share_of_time_stays_between_none_and_all(share: float, kept: float) -> None:
    assert token_cost(1.0, 10.0, 10.0, share) == token_cost(1.0, 10.0, 10.0, kept)


@given(positive, st.floats(1.0, 2.0), positive, positive, positive)
def test_footprint_identities(it_w: float, pue: float, rate: float, carbon: float, water: float) -> None:
    f = footprint(it_w, pue, rate, carbon, water)
    assert f.facility_w == pytest.approx(it_w * pue)
    assert f.joules_per_output_token * rate == pytest.approx(f.facility_w)
    assert f.kgco2_per_mtok_output is not None
    assert f.litres_per_mtok_output is not None
    kwh_per_mtok = f.joules_per_output_token * 1e6 / 3.6e6
    assert f.kgco2_per_mtok_output == pytest.approx(kwh_per_mtok * carbon / 1000)
    assert f.litres_per_mtok_output == pytest.approx(kwh_per_mtok / pue * water)  # WUE counts IT energy


def test_what_is_unknown_of_a_site_stays_unknown() -> None:
    f = footprint(1000.0, 1.2, 100.0)
    assert f.kgco2_per_mtok_output is None
    assert f.litres_per_mtok_output is None
