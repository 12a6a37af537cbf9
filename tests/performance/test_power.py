"""Power stays between idle and the larger level, and rises with work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.performance.power import chip_power_w, host_power_w, utilisation
from stackwright.performance.step import step_time
from tests.llm.configs import LLAMA_8B
from tests.performance.parts import model, one
from tests.performance.test_step import decode, prompt

C = one(model(LLAMA_8B))
share = st.floats(0, 1)


@given(share, share)
def test_between_idle_and_full(memory, compute):
    watts = chip_power_w(C, np.array(memory), np.array(compute)).item()
    assert 0.15 * 700 <= watts <= 700 * (1 + 1e-12)


def test_levels_at_the_ends():
    assert chip_power_w(C, np.array(0.0), np.array(0.0)).item() == pytest.approx(0.15 * 700)
    assert chip_power_w(C, np.array(1.0), np.array(0.0)).item() == pytest.approx(0.70 * 700)
    assert chip_power_w(C, np.array(0.0), np.array(1.0)).item() == pytest.approx(700)


def test_decode_is_memory_bound_and_prompts_compute_bound():
    memory, compute = utilisation(step_time(C, decode(4.0)))
    assert 0.3 < memory.item() <= 1
    assert compute.item() < 0.2
    memory, compute = utilisation(step_time(C, prompt(8192.0)))
    assert memory.item() < 0.5 < compute.item() <= 1


def test_host_power_from_the_system_or_a_share():
    seen, nameplate = np.array(False), np.array(True)
    assert host_power_w(C, np.array(1200.0), seen).item() == pytest.approx(1200 - 0.7 * 700)
    assert host_power_w(C, np.array(1200.0), nameplate).item() == pytest.approx(1200 - 700)
    assert host_power_w(C, np.array(100.0), seen).item() == 0
    assert host_power_w(C, np.array(np.nan), seen).item() == pytest.approx(0.35 * 700)
