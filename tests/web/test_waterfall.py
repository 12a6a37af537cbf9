from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.web.draw.waterfall import waterfall
from stackwright.web.words.numbers import rounded_to_sum
from tests.web.plan_documents import plan

shares = st.floats(0.0, 1.0)


@given(
    usd=st.integers(1, 10**8).map(lambda cents: cents / 100),
    utilisation=st.floats(0.0, 1.2),
    prompt=shares,
    idle=st.integers(0, 4),
)
def test_steps_sum_to_the_rent(usd: float, utilisation: float, prompt: float, idle: int) -> None:
    p = plan(usd=usd, utilisation=utilisation, idle_chips=idle)
    output, total = p["usd_per_mtok_output"]["value"], p["usd_per_mtok_total"]["value"]
    p["usd_per_mtok_input_by_engine_time"] = prompt * usd / (usd / total - usd / output)
    steps = waterfall(p)
    assert math.fsum(s.usd_per_hour for s in steps) == pytest.approx(usd, rel=1e-12)
    assert all(s.usd_per_hour >= -1e-9 * usd for s in steps)
    shown = rounded_to_sum([s.usd_per_hour for s in steps], 2)
    assert round(sum(shown), 2) == round(usd, 2)


def test_steps_by_hand() -> None:
    p = plan(usd=8.0, utilisation=0.75, idle_chips=1)  # 4 chips: 2 USD idle, 6 USD running
    output = p["usd_per_mtok_output"]["value"]
    input_mtok_per_hour = 8.0 / p["usd_per_mtok_total"]["value"] - 8.0 / output
    p["usd_per_mtok_input_by_engine_time"] = 0.25 * 8.0 / input_mtok_per_hour  # a quarter of the engine time
    found = {s.name: s.usd_per_hour for s in waterfall(p)}
    assert found == pytest.approx(
        {"Prompts (input)": 1.5, "Decoding (output)": 3.0, "Headroom": 1.5, "Idle chips": 2.0}
    )


def test_without_a_split_serving_is_one_step() -> None:
    steps = waterfall(plan(usd_per_mtok_input_by_engine_time=None))
    assert [s.name for s in steps] == ["Serving", "Headroom", "Idle chips"]
    assert math.fsum(s.usd_per_hour for s in steps) == pytest.approx(6.0)


def test_without_a_price_there_is_none() -> None:
    assert waterfall(plan(usd=None)) == []
