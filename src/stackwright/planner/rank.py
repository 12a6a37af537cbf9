"""The ranking rule: stacks that keep the promise first, by cost; then the rest by their probability of keeping it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from stackwright.planner.answer import Plan, describe
from stackwright.planner.evaluate import CONFIDENT
from stackwright.planner.question import Question
from stackwright.planner.size import Sized
from stackwright.serving.prediction import Interval
from stackwright.units import TOKENS_PER_MTOK


def ranked(sized: Iterable[Sized], q: Question) -> list[Sized]:
    """The best deployment of each group (`q.per`), in ranking order."""
    order = sorted(sized, key=lambda s: _key(s, q))
    kept: dict[tuple[str, ...], Sized] = {}
    for s in order:
        kept.setdefault(_group(s, q), s)
    return list(kept.values())


def objective_value(s: Sized, q: Question) -> float:
    """What is minimised: per output token for money, energy and carbon; infinite where nothing is known of it."""
    w = q.workload
    if q.objective == "chips":
        return float(s.n_chips)
    if q.objective == "tpot":
        return s.metric("tpot_mean_s")
    if q.objective == "energy":
        return s.footprint.joules_per_output_token
    if q.objective == "carbon":
        carbon = s.footprint.kgco2_per_mtok_output
        return math.inf if carbon is None else carbon / TOKENS_PER_MTOK
    usd_per_hour = s.usd_per_hour_with_penalty if q.objective == "expected_cost" else s.usd_per_hour
    per_output = usd_per_hour / s.output_tokens_per_s
    if q.objective == "usd_per_mtok_total":
        return per_output * w.output.mean / (w.output.mean + w.input.mean)
    return per_output


def _key(s: Sized, q: Question) -> tuple[float, ...]:
    meets = s.p_meets >= CONFIDENT
    if meets:
        return (0.0, round(objective_value(s, q), 12), s.usd_per_hour, s.metric("e2e_mean_s"))
    return (1.0, -round(s.p_meets, 3), objective_value(s, q), s.metric("e2e_mean_s"))


def _group(s: Sized, q: Question) -> tuple[str, ...]:
    chip = s.candidate.chip
    if q.per == "vendor":
        return (chip.vendor,)
    if q.per == "chip" or s.deployment is None:
        return (chip.id,)
    offer = (chip.id, s.deployment.offer.provider)
    if q.per == "offer":
        return offer
    layout = s.candidate.layout
    how = describe(layout, s.candidate.speculation, s.pools)
    return (*offer, s.deployment.price.contract, s.candidate.engine.id, layout.weight_precision, how)


def with_ties(plans: Sequence[Plan], q: Question) -> list[Plan]:
    """The plans, marked where they keep the promise and their interval of what is minimised meets the first's."""
    if not plans:
        return []
    first = _interval(plans[0], q)
    return [replace(p, tied_with_first=p.meets_slo and _overlaps(_interval(p, q), first)) for p in plans]


def _interval(p: Plan, q: Question) -> Interval | None:
    """The interval of what is minimised."""
    of: dict[str, Interval | None] = {
        "usd_per_mtok_output": p.usd_per_mtok_output,
        "usd_per_mtok_total": p.usd_per_mtok_total,
        "expected_cost": p.usd_per_mtok_output_with_penalty,
        "chips": Interval(*(float(p.n_chips),) * 3),
        "energy": p.joules_per_output_token,
        "carbon": p.kgco2_per_mtok,
        "tpot": p.metrics["tpot_mean_s"],
    }
    return of[q.objective]


def _overlaps(a: Interval | None, b: Interval | None) -> bool:
    return a is not None and b is not None and a.low <= b.high and b.low <= a.high
