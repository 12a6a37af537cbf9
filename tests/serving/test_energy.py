"""Power follows the work done: pace, shares and their ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackwright.serving import Use, closed_loop, replica_chip_power_w, replica_use, use_power_w
from stackwright.workload import Workload, parse_lengths
from tests.llm.configs import LLAMA_8B
from tests.performance.parts import model, one

C = one(model(LLAMA_8B))
share = st.floats(0.0, 1.0)


def served(users: float):
    w = Workload("w", parse_lengths("fixed", 1024), parse_lengths("fixed", 256), concurrency=users)
    return closed_loop(C, w, np.array([[users]]))


def test_power_of_a_service_is_that_of_its_use_and_rises_with_load():
    watts = [replica_chip_power_w(C, served(n)).item() for n in (1, 8, 64)]
    assert watts == sorted(watts)
    use = replica_use(C, served(8))
    assert use_power_w(C, use).item() == watts[1]
    assert use_power_w(C, use.paced(np.array([[1.0]]))).item() == pytest.approx(watts[1])


@given(share, share, share, st.floats(0.1, 1.0))
def test_slower_work_takes_no_more_power(prompts, memory, compute, ratio):
    busy = np.array([[memory]]), np.array([[compute]])
    use = Use(np.array([[prompts]]), np.array([[1.0 - prompts]]), (np.array([[0.2]]), np.array([[1.0]])), busy)
    slow = use_power_w(C, use.paced(np.array([[ratio]]))).item()
    idle = 0.15 * 700.0
    assert idle - 1e-9 <= slow
    if memory <= 0.3 and compute <= 0.3:  # prompts take more than the decode steps that replace them
        assert slow <= use_power_w(C, use).item() + 1e-9


def test_energy_of_uncapped_work_is_the_same_at_any_pace():
    """Joules above idle: the same memory traffic and arithmetic, only spread over more time."""
    use = Use(*(np.array([[v]]) for v in (0.0, 1.0)), *((np.array([[0.4]]), np.array([[0.1]])) for _ in range(2)))
    idle = 0.15 * 700.0
    fast, slow = (use_power_w(C, use.paced(np.array([[r]]))).item() - idle for r in (1.0, 0.5))
    assert fast == pytest.approx(2.0 * slow)
