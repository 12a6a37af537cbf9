"""The options of a choice of model side by side: their order, the Pareto front, and what beats the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stackwright.catalog.quality import Score
from stackwright.catalog.tokens.offers import ApiOffer
from stackwright.economics.api_cost import ApiCost
from stackwright.economics.lock_in import LockIn
from stackwright.planner.answer import Plan
from stackwright.planner.choose.versus import SURE, p_less
from stackwright.planner.question import Question
from stackwright.serving.prediction import Interval


@dataclass(frozen=True)
class Dominator:
    """Another option that is no worse in anything compared and better in something; how surely it is cheaper."""

    model: str
    how: str
    p_cheaper: float
    compared: tuple[str, ...]


@dataclass(frozen=True)
class Option:
    """A model, and either the plan that runs it on rented chips or the API that sells it.

    USD per million output tokens with input and output charged to output, USD per hour at the load asked (None
    without a request rate, for an API). `keeps`: whether the promise is kept; None where the latency is not known.
    """

    model: str
    plan: Plan | None
    api: ApiOffer | None
    cost: ApiCost | None
    score: Score | None
    usd_per_mtok_output: Interval
    usd_per_hour: float | None
    keeps: bool | None
    lock_in: LockIn
    on_front: bool = False
    dominated_by: Dominator | None = None

    @property
    def how(self) -> str:
        """The stack or the seller in a few words."""
        if self.plan is not None:
            s = self.plan.stack
            where = f" at {s.offer.provider}" if s.offer else ""
            return f"{self.plan.n_chips} x {s.chip.id}, {s.engine.id}{where}"
        assert self.api is not None
        return api_name(self.api)


def api_name(offer: ApiOffer) -> str:
    """The seller and, where it has several, the endpoint."""
    return f"{offer.seller.name} API{f' ({offer.endpoint})' if offer.endpoint else ''}"


def compared(found: Sequence[Option], scored: bool, q: Question) -> list[Option]:
    """The options in order, each with its place on the Pareto front or what dominates it."""
    group = {True: 0, None: 1, False: 2}
    order = sorted(found, key=lambda o: (group[o.keeps], *_place(o)))
    able = [o for o in order if o.keeps is not False and (o.score is not None or not scored)]
    made = []
    for o in order:
        if o not in able:
            made.append(replace(o, on_front=False, dominated_by=None))
            continue
        better = next((b for b in able if b is not o and _dominates(b, o, q)), None)
        made.append(replace(o, on_front=better is None, dominated_by=_dominator(better, o, q) if better else None))
    return made


def _place(o: Option) -> tuple[float, str, int, str]:
    """Cost first; of equal prices the maker's own API before others."""
    own = o.api is not None and o.api.seller.kind == "maker"
    return _cost(o), o.model, 0 if own else 1, o.how


def _cost(o: Option) -> float:
    """USD per million output tokens to compare by: sums of the same list prices differ in their last bits."""
    return round(o.usd_per_mtok_output.value, 9)


def _dominates(a: Option, b: Option, q: Question) -> bool:
    """Whether `a` is no worse than `b` in cost, score and (where both are known) latency, and better in one.

    Of two latencies one is better only where that holds with more than 90 % probability. What is not known to keep
    the promise dominates nothing that is.
    """
    if a.keeps is None and b.keeps:
        return False
    pairs = [(_cost(a), _cost(b))]
    if a.score is not None and b.score is not None:
        pairs.append((-a.score.score, -b.score.score))
    slower = faster = False
    if a.plan is not None and b.plan is not None:
        p = [p_less(a.plan.metrics[n], b.plan.metrics[n]) for n in _latencies(q)]
        slower, faster = min(p) < 1.0 - SURE, max(p) > SURE
    return not slower and all(x <= y for x, y in pairs) and (faster or any(x < y for x, y in pairs))


def _dominator(a: Option, b: Option, q: Question) -> Dominator:
    terms = ["cost"]
    if a.score is not None and b.score is not None:
        terms.append("quality")
    if a.plan is not None and b.plan is not None:
        terms.append("latency")
    return Dominator(a.model, a.how, p_less(a.usd_per_mtok_output, b.usd_per_mtok_output), tuple(terms))


def _latencies(q: Question) -> tuple[str, str]:
    return f"ttft_p{q.slo.percentile:g}_s", f"tpot_p{q.slo.percentile:g}_s"
