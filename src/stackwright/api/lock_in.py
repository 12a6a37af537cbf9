"""The lock-in of a choice as a document: names and counts of what exists elsewhere, and what moving would take."""

from __future__ import annotations

from typing import Any

from stackwright.catalog.porting import porting
from stackwright.economics.lock_in import LockIn


def lock_in_document(x: LockIn, porting_usd: float | None = None) -> dict[str, Any]:
    """Counts with names (null where nobody looked), months bound, and each move with engineer-days and USD.

    `porting_usd`: the user's own estimate of a move to another maker, engine or model, in place of the assumption.
    """
    e = x.elsewhere
    facts = porting()
    moves = []
    for identifier in x.moves:
        step = facts.step(identifier)
        low, high = facts.usd(step)
        own = porting_usd is not None and identifier in ("engine", "maker", "model")
        moves.append(
            {
                "to": step.name,
                "touches": list(step.touches),
                "engineer_days": None if own else {"low": step.engineer_days.low, "high": step.engineer_days.high},
                "usd": {"low": porting_usd, "high": porting_usd} if own else {"low": low, "high": high},
                "basis": "given by the user" if own else facts.source,
                "confidence": "given" if own else facts.confidence,
            }
        )
    return {
        "weights_open": e.weights_open,
        "providers_of_the_chip": _named(e.providers),
        "chips_of_other_makers_in_its_class": _named(e.similar_chips),
        "other_engines_on_the_chip": _named(e.engines),
        "other_makers_the_engine_runs_on": _named(e.engine_makers),
        "other_makers_that_load_the_weights": _named(e.checkpoint_makers),
        "api_sellers_of_the_model": _named(e.sellers),
        "commitment_months": x.months,
        "bound": list(x.bound),
        "moves": moves,
    }


def _named(names: tuple[str, ...] | None) -> dict[str, Any] | None:
    return None if names is None else {"count": len(names), "names": list(names)}
