"""Ecosystem against ecosystem: the best way each has to serve one workload, and where the order can be told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from stackwright.catalog import Catalog
from stackwright.errors import InputError, UnknownIdError
from stackwright.performance import Constants
from stackwright.planner.choose.choice import Choice, Progress, Shortlist, choose_model
from stackwright.planner.choose.option import Option
from stackwright.planner.choose.versus import SURE, p_less
from stackwright.planner.question import Question

_LIKELY = 0.5  # a stack below it is no answer, even marked as unsure


@dataclass(frozen=True)
class Ecosystem:
    """A named set of what may be used: models and sellers (`shortlist`), makers, clouds, limits (`question`)."""

    name: str
    shortlist: Shortlist
    question: Question
    note: str = ""


@dataclass(frozen=True)
class Standing:
    """What an ecosystem answers: its options, the best of them, or why there is none.

    Where nothing keeps the promise with 90 % probability, but something more likely than not, that is `best`, and
    `refusal` says so.
    """

    ecosystem: Ecosystem
    choice: Choice | None
    best: Option | None
    refusal: str = ""


@dataclass(frozen=True)
class Comparison:
    """Standings in order of cost, those without an answer last; `p_cheaper[i][j]`: that i costs less than j.

    The matrix is over the standings that have an answer, in their order.
    """

    standings: tuple[Standing, ...]
    p_cheaper: tuple[tuple[float, ...], ...]
    evaluated: int
    cpu_s: float
    elapsed_s: float

    @property
    def answered(self) -> tuple[Standing, ...]:
        """The standings with an answer."""
        return tuple(s for s in self.standings if s.best is not None)

    def verdicts(self) -> tuple[str, ...]:
        """One line for each pair: who is cheaper where the probability is above 90 %, else too close to say."""
        rows, lines = self.answered, []
        for i, a in enumerate(rows):
            for j in range(i + 1, len(rows)):
                lines.append(verdict(a, rows[j], self.p_cheaper[i][j]))
        return tuple(lines)


def verdict(a: Standing, b: Standing, p: float) -> str:
    """Which of two is cheaper, in words."""
    assert a.best is not None
    assert b.best is not None
    if p < 0.5:
        return verdict(b, a, 1.0 - p)
    ratio = b.best.usd_per_mtok_output.value / a.best.usd_per_mtok_output.value
    if p > SURE:
        times = f"{ratio:.2g} times" if ratio < 100 else f"{ratio:.0f} times"
        return f"{a.ecosystem.name} is cheaper than {b.ecosystem.name} ({times}, probability {_percent(p)})"
    return f"{a.ecosystem.name} against {b.ecosystem.name}: too close to say ({_percent(p)} that the first is cheaper)"


def compare_ecosystems(
    ecosystems: Sequence[Ecosystem], catalog: Catalog, constants: Constants, progress: Progress | None = None
) -> Comparison:
    """The best of each ecosystem, cheapest first: those that keep the promise before those of unknown latency.

    Raises `InputError` naming the ecosystem where an id is unknown; an ecosystem that has no way is a refusal.
    """
    cpu, wall = time.process_time(), time.perf_counter()
    standings = []
    for e in ecosystems:
        if progress is not None:
            progress(e.name)
        standings.append(_standing(e, catalog, constants))
    order = sorted(standings, key=_key)
    costs = [s.best.usd_per_mtok_output for s in order if s.best is not None]
    return Comparison(
        standings=tuple(order),
        p_cheaper=tuple(tuple(p_less(a, b) for b in costs) for a in costs),
        evaluated=sum(s.choice.evaluated for s in standings if s.choice),
        cpu_s=time.process_time() - cpu,
        elapsed_s=time.perf_counter() - wall,
    )


def _standing(e: Ecosystem, catalog: Catalog, constants: Constants) -> Standing:
    try:
        choice = choose_model(e.shortlist, e.question, catalog, constants)
    except UnknownIdError as error:
        raise InputError(f"ecosystem {e.name!r}: {error}") from None
    except InputError as error:
        return Standing(e, None, None, str(error).removeprefix("no model is left: "))
    if choice.best is None:
        nearest = max((o for o in choice.options if o.plan), key=lambda o: o.plan.p_meets_slo if o.plan else 0.0)
        assert nearest.plan is not None
        return Standing(
            e,
            choice,
            nearest if nearest.plan.p_meets_slo >= _LIKELY else None,
            f"nothing keeps {e.question.slo.describe()} with 90 % probability; nearest: {nearest.model} on "
            f"{nearest.how} with {nearest.plan.p_meets_slo:.0%}",
        )
    return Standing(e, choice, choice.best)


def _key(s: Standing) -> tuple[int, float]:
    if s.best is None:
        return 3, 0.0
    return {True: 0, None: 1, False: 2}[s.best.keeps], s.best.usd_per_mtok_output.value


def _percent(p: float) -> str:
    return "above 99 %" if p > 0.99 else f"{100.0 * p:.0f} %"
