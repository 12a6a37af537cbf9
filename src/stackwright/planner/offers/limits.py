"""Deployments within the limits of a question: money, chips, power."""

from __future__ import annotations

from collections.abc import Sequence

from stackwright.errors import InputError
from stackwright.planner.evaluate import CONFIDENT
from stackwright.planner.question import CONTRACTS, Limits, Question
from stackwright.planner.size import Sized
from stackwright.units import KILO


def within(q: Question, priced: Sequence[Sized]) -> list[Sized]:
    """Those within every limit; raises `InputError` with the nearest where all are over one.

    The nearest is one that keeps the promise where there is such, and the surer of two that take as much.
    """
    limits = q.limits
    kept = [s for s in priced if _excess(limits, s) <= 1.0]
    if kept or not priced:
        return kept
    nearest = min(priced, key=lambda s: (s.p_meets < CONFIDENT, round(_excess(limits, s), 9), -s.p_meets))
    offer = nearest.deployment.offer.id if nearest.deployment else ""
    chips = "chip" if nearest.n_chips == 1 else "chips"
    wider = "" if set(CONTRACTS) <= set(q.market.contracts) else ", allow more (--contracts all)"
    raise InputError(
        f"nothing within the limits: the nearest deployment takes {nearest.n_chips} {chips} at "
        f"{nearest.usd_per_hour:.2f} USD/hour and {_kw(nearest):.2f} kW ({offer}, "
        f"{nearest.p_meets:.0%} sure of the promise); raise the limit{wider} or lower the load"
    )


def fits_power(limits: Limits, s: Sized) -> bool:
    """True where a deployment draws no more than allowed, whatever it costs."""
    return limits.max_kw is None or _kw(s) <= limits.max_kw


def _excess(limits: Limits, s: Sized) -> float:
    """The largest ratio of what a deployment takes to what is allowed; at most 1 within the limits."""
    takes = (s.usd_per_hour, s.n_chips, _kw(s))
    most = (limits.max_usd_per_hour, limits.max_chips, limits.max_kw)
    return max(t / m if m else 0.0 for t, m in zip(takes, most, strict=True))


def _kw(s: Sized) -> float:
    """Kilowatts at the meter: chips at their load, idle chips, hosts and PUE, as the plan shows them."""
    return s.footprint.facility_w / KILO
