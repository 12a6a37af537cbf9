from __future__ import annotations

from stackwright.catalog.porting import porting
from stackwright.economics.lock_in import Elsewhere, lock_in

FREE = Elsewhere(
    weights_open=True, providers=("a", "b"), similar_chips=("x",), engines=("e",), engine_makers=("M",),
    checkpoint_makers=("M",), sellers=("s",),
)  # fmt: skip


def test_a_stack_whose_every_part_exists_elsewhere_is_bound_to_nothing() -> None:
    found = lock_in(FREE, "on_demand")
    assert (found.bound, found.months) == ((), 0)
    assert set(found.moves) == {"provider", "engine", "maker", "seller", "model"}


def test_what_exists_once_only_is_said() -> None:
    alone = Elsewhere(True, (), (), (), (), (), ())
    assert len(lock_in(alone).bound) == 3
    assert lock_in(alone).moves == ("model",)
    closed = lock_in(Elsewhere(weights_open=False, sellers=()))
    assert closed.bound == ("the weights are closed and sold by one seller",)


def test_nobody_looked_is_not_nothing_there() -> None:
    assert lock_in(Elsewhere(weights_open=True)).bound == ()


def test_a_commitment_binds() -> None:
    found = lock_in(FREE, "reserved_3y")
    assert found.months == 36
    assert found.bound == ("paid for 36 months, used or not",)


def test_months_and_unstated_terms_bind_too() -> None:
    assert lock_in(FREE, "reserved_6m").bound == ("paid for 6 months, used or not",)
    assert lock_in(FREE, "reserved").bound == ("reserved for a term that the price list does not state",)


def test_porting_is_a_labelled_range() -> None:
    facts = porting()
    assert facts.confidence == "assumption"
    for step in facts.steps:
        low, high = facts.usd(step)
        assert 0 < low < high
        assert low == step.engineer_days.low * facts.engineer_day_usd.low
        assert step.touches
