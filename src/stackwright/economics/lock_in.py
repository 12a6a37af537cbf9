"""What of a choice exists elsewhere, for how long it binds, and what moving away would touch; no index of it all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Move = Literal["provider", "engine", "maker", "model", "seller"]


@dataclass(frozen=True)
class Elsewhere:
    """What else could carry the same service, by name; None where nobody looked.

    `providers`: others who rent the same chip; `similar_chips`: chips of other makers in the same class; `engines`:
    other engines on the same chip; `engine_makers`: other makers on whose chips the engine runs;
    `checkpoint_makers`: other makers whose chips take the weights as they are quantised; `sellers`: API sellers of
    the same model (without the one chosen).
    """

    weights_open: bool
    providers: tuple[str, ...] | None = None
    similar_chips: tuple[str, ...] | None = None
    engines: tuple[str, ...] | None = None
    engine_makers: tuple[str, ...] | None = None
    checkpoint_makers: tuple[str, ...] | None = None
    sellers: tuple[str, ...] | None = None


@dataclass(frozen=True)
class LockIn:
    """What a choice binds to: what exists elsewhere, months of commitment, the moves there are, and what is bound.

    `bound`: what exists nowhere else, in words, empty where every part has another source.
    """

    elsewhere: Elsewhere
    months: int
    moves: tuple[Move, ...]
    bound: tuple[str, ...]


def lock_in(elsewhere: Elsewhere, contract: str = "") -> LockIn:
    """The lock-in of a choice under a contract (empty for an API: paid by use)."""
    e = elsewhere
    moves: list[Move] = []
    if e.providers:
        moves.append("provider")
    if e.engines:
        moves.append("engine")
    if e.similar_chips:
        moves.append("maker")
    if e.sellers:
        moves.append("seller")
    moves.append("model")
    months = commitment_months(contract)
    bound = []
    if e.providers is not None and not e.providers:
        bound.append("the chip is rented by one provider")
    if e.engine_makers is not None and not e.engine_makers:
        bound.append("the engine runs on one maker's chips")
    if e.checkpoint_makers is not None and not e.checkpoint_makers:
        bound.append("the quantised weights load on one maker's chips")
    if not e.weights_open:
        bound.append("the weights are closed" + ("" if e.sellers else " and sold by one seller"))
    if months:
        bound.append(f"paid for {months} months, used or not")
    if contract == "reserved":
        bound.append("reserved for a term that the price list does not state")
    return LockIn(e, months, tuple(moves), tuple(bound))


def commitment_months(contract: str) -> int:
    """Months that a contract binds; 0 where it ends with use or within days.

    >>> [commitment_months(c) for c in ("on_demand", "reserved_3y", "savings_plan_1y", "reserved_6m", "monthly")]
    [0, 36, 12, 6, 1]
    """
    if contract == "monthly":
        return 1
    head, _, term = contract.rpartition("_")
    months = {"y": 12, "m": 1}.get(term[-1:], 0)
    return months * int(term[:-1]) if head and months and term[:-1].isdigit() else 0
