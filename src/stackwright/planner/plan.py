"""The main question: which stack serves this model under this traffic and promise at the lowest cost."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from stackwright.catalog import Catalog
from stackwright.economics import rent_usd_per_hour
from stackwright.errors import InputError
from stackwright.llm import Model
from stackwright.performance import Candidate, Candidates, Constants, candidates, check_layout, memory_budget
from stackwright.planner.answer import Answer, Plan
from stackwright.planner.compare import Today, changes
from stackwright.planner.evaluate import (
    CONFIDENT,
    NEAR_BEST,
    Chosen,
    Grid,
    choose,
    evaluate,
    excess,
    names,
)
from stackwright.planner.front import pareto_front
from stackwright.planner.offers.join import Deployment, deployments
from stackwright.planner.offers.limits import fits_power, within
from stackwright.planner.offers.marketplace import LeftOut, Marketplace
from stackwright.planner.question import Question
from stackwright.planner.rank import ranked, with_ties
from stackwright.planner.size import Context, Sized, size, unrented
from stackwright.planner.stacks.models import resolve_model
from stackwright.planner.stacks.space import Rejection, RejectionKind, Space, space
from stackwright.planner.stacks.ways import keeps_promise, more_stages, other_ways, wanted
from stackwright.planner.summary import plan_of
from stackwright.serving.prediction import fit_problem
from stackwright.serving.tokens import longest_request


def plan(q: Question, catalog: Catalog, constants: Constants, today: Today | None = None) -> Answer:
    """Answer a question; `today` is the stack to compare the first plan with.

    Raises `InputError` when an id is unknown, nothing fits, the budget excludes everything, or no stack comes near
    the promise (the message says what comes nearest).
    """
    cpu, wall = time.process_time(), time.perf_counter()
    model, entry = resolve_model(q.model, catalog)
    if longest_request(q.workload) > model.max_context:
        raise InputError(
            f"{model.id} takes {model.max_context} tokens at most; long requests of workload {q.workload.name!r} have "
            f"{longest_request(q.workload):.0f}: shorten them or choose another model"
        )
    marketplace = Marketplace(catalog, q.market)
    marketplace.check()
    found = space(q, model, entry, catalog)
    if q.allowed.way("pipelined"):
        found.entries += more_stages(model, found.entries)
    c = _fitting(found, candidates(model, found.entries, constants), q)
    grid = evaluate(c, q.workload, q.slo)
    chosen = choose(grid, q.slo)
    context = Context(q, marketplace, model, entry, grid, chosen)
    apart = other_ways(context, found.entries, constants)
    _reject_hopeless(found, grid, chosen, q, elsewhere=any(keeps_promise(x) for x in apart))

    sized = [(x, s) for x in (context, *apart) for s in size(x, _deployments(x))]
    home = [(x, s) for x, s in sized if wanted(x, s.candidates, s.index)]
    of_sized, priced = {id(s): x for x, s in home}, [s for _, s in home]
    left_out = marketplace.left_out(frozenset(s.deployment.offer.id for s in priced if s.deployment))
    order = ranked(within(q, priced), q)
    plans = with_ties([plan_of(of_sized[id(s)], s, rank) for rank, s in enumerate(order[: q.top], 1)], q)
    others = _unpriced(context, priced) if q.market.rents and q.limits.max_usd_per_hour is None else []
    unpriced = [plan_of(context, s, rank) for rank, s in enumerate(others, 1)]
    if not plans and not unpriced:
        raise InputError(_nothing_to_offer(q, context, left_out))
    points = grid.points + sum(x.grid.points for x in apart) + len(priced)
    running = _running_today(context, today, constants) if today else None
    return Answer(
        question=q,
        evaluated=points,
        cpu_s=time.process_time() - cpu,
        elapsed_s=time.perf_counter() - wall,
        plans=tuple(plans),
        unpriced=tuple(unpriced),
        front=tuple(pareto_front(context)),
        rejected=tuple(found.rejected),
        left_out_offers=left_out,
        assumptions=(*_unlisted(context, found.rejected), *_assumptions(q, model, constants)),
        comparison=running,
        comparison_changes=changes(running, plans[0]) if running and plans else (),
    )


def _deployments(x: Context) -> list[Deployment]:
    return deployments(x.question, x.marketplace, x.grid.candidates, x.chosen)


def _fitting(found: Space, c: Candidates, q: Question) -> Candidates:
    """Candidates whose weights and one long request fit; the others are rejected with the figures."""
    budget = memory_budget(c)
    kept = []
    for row, entry in enumerate(c.entries):
        kind: RejectionKind = "does not fit in memory"
        reason = fit_problem(c, budget, q.workload, row)
        if reason is None and q.limits.max_chips is not None and entry.layout.n_chips > q.limits.max_chips:
            kind, reason = (
                "over the chip limit",
                f"one replica takes {entry.layout.n_chips} chips, more than {q.limits.max_chips}",
            )
        if reason is None:
            kept.append(row)
        else:
            found.rejected.append(Rejection(kind, entry.chip.id, entry.engine.id, _layout_text(entry), reason))
    if not kept:
        nearest = found.rejected[-1]
        raise InputError(
            f"{c.model.id} fits none of the candidates, e.g. {nearest.chip} {nearest.layout}: {nearest.reason}"
        )
    return c.take(np.array(kept))


def _layout_text(entry: Candidate) -> str:
    return f"{entry.layout.weight_precision} {entry.layout}"


def _reject_hopeless(found: Space, grid: Grid, chosen: Chosen, q: Question, elsewhere: bool = False) -> None:
    """Count candidates that miss the promise at every load; raise with the nearest when all do, and `elsewhere` too."""
    worst = excess(grid.metrics, q.slo).min(axis=1)
    for missed in np.nonzero(worst > 1.0)[0]:
        entry = grid.candidates.entries[int(missed)]
        reason = f"misses {q.slo.describe()} at every load"
        text = _layout_text(entry)
        found.rejected.append(
            Rejection("misses the promise at every load", entry.chip.id, entry.engine.id, text, reason)
        )
    if worst.min() <= 1.0 or elsewhere:
        return
    best = int(np.argmax(chosen.p_meets[:, 0])) if chosen.p_meets.max() > 0.01 else int(np.argmin(worst))
    entry = grid.candidates.entries[int(chosen.rows[best])]
    ttft, tpot = (float(chosen.spread.value[n][best, 0]) for n in names(q.slo))
    raise InputError(
        f"no stack keeps {q.slo.describe()}; nearest: {entry.layout.n_chips} x {entry.chip.id}, {entry.engine.id} "
        f"{entry.layout.weight_precision} {entry.layout} with p{q.slo.percentile:g} TTFT {ttft * 1e3:.0f} ms, "
        f"TPOT {tpot * 1e3:.1f} ms (probability {float(chosen.p_meets[best, 0]):.0%}); relax --ttft or --tpot"
    )


def _running_today(x: Context, today: Today, constants: Constants) -> Plan:
    """The plan that the stack of today amounts to, under the same traffic."""
    q = x.question
    entry = today.candidate
    check_layout(entry.layout, x.model, entry.engine, entry.chip)
    c = candidates(x.model, [entry], constants)
    reason = fit_problem(c, memory_budget(c), q.workload, 0)
    if reason:
        raise InputError(f"the stack of today: {reason}")
    grid = evaluate(c, q.workload, q.slo)
    own = Context(q, x.marketplace, x.model, x.entry, grid, choose(grid, q.slo))
    if today.rented is None:
        return plan_of(own, unrented(own, [0])[0], 1)
    offer, price = today.rented
    usd = rent_usd_per_hour(today.units, price.usd_per_hour)
    sized = size(own, [Deployment(0, offer, price, today.replicas, today.units, usd)])[0]
    if not math.isfinite(sized.load):
        stable = np.isfinite(grid.metrics["ttft_mean_s"])
        most = float(grid.metrics["requests_per_s"][stable].max(initial=0.0)) * today.replicas
        raise InputError(
            f"the stack of today: {today.replicas} replicas sustain {most:.3g} requests/s, not the "
            f"{q.workload.rate_per_s:g} asked: lower --rate to what it serves, or correct its replicas"
        )
    return plan_of(own, sized, 1)


def _nothing_to_offer(q: Question, x: Context, left_out: Sequence[LeftOut]) -> str:
    """Why no plan is left although some stack can keep the promise."""
    if left_out:
        first = left_out[0]
        return (
            f"no plan: what could do it is left out ({len(left_out)} by constraint); nearest: {first.offer} "
            f"({'; '.join(first.reasons)}); relax --residency or --certified, name a region, or lower the load"
        )
    entries = x.grid.candidates.entries
    if not q.market.rents:
        least = min(entries, key=lambda e: e.layout.n_chips)
        return (
            f"no plan on what stands there ({', '.join(map(str, q.market.have))}): the smallest stack that fits takes "
            f"{least.layout.n_chips} x {least.chip.id} ({least.engine.id} {_layout_text(least)}), and the traffic may "
            "take more; lower the load, choose a smaller model or allow other clouds"
        )
    chips = ", ".join(dict.fromkeys(e.chip.id for e in entries))
    best = float(x.chosen.p_meets.max())
    unsure = f", and none keeps {q.slo.describe()} with {CONFIDENT:.0%} probability (best {best:.0%})"
    return (
        f"no plan: nobody rents {chips} under these clouds, contracts and regions in the form that a stack needs"
        f"{unsure if best < CONFIDENT else ''}; remove a filter or relax it"
    )


def _unpriced(x: Context, priced: Sequence[Sized]) -> list[Sized]:
    """The best stack of every chip that no offer covers, by throughput per chip; without price.

    Of a chip that the question names also one that is not sure to keep the promise: of the surest the best.
    """
    named, covered = _named(x), {s.candidate.chip.id for s in priced}
    p_meets = x.chosen.p_meets[:, 0]
    per_chip = x.chosen.spread.value["output_tokens_per_s_per_chip"][:, 0]
    of_chip: dict[str, list[int]] = {}
    for i, row in enumerate(x.chosen.rows):
        chip = x.grid.candidates.entries[int(row)].chip.id
        if chip not in covered and wanted(x, x.grid.candidates, int(row)):
            of_chip.setdefault(chip, []).append(i)
    best = []
    for chip, found in of_chip.items():
        least = min(CONFIDENT, max(p_meets[i] for i in found) - NEAR_BEST) if chip in named else CONFIDENT
        able = [i for i in found if p_meets[i] >= max(least, _HOPELESS)]
        best += [max(able, key=lambda i: per_chip[i])] if able else []
    surest = sorted(best, key=lambda i: (p_meets[i] < CONFIDENT, -per_chip[i]))
    return [s for s in unrented(x, surest) if fits_power(x.question.limits, s)]


_HOPELESS = 0.01  # a named chip below this probability is not shown: nothing of it comes near the promise


def _named(x: Context) -> frozenset[str]:
    """Ids of the chips that the question names."""
    return frozenset(x.catalog.chip(name).id for name in x.question.allowed.chips)


def _unlisted(x: Context, rejected: Sequence[Rejection]) -> list[str]:
    """Why chips that the question names run the model in no way."""
    able = {e.chip.id for e in x.grid.candidates.entries}
    found = []
    for chip in sorted(_named(x) - able):
        reasons = [r for r in rejected if r.chip == chip]
        near = [r for r in reasons if r.kind != "engine does not run on the chip"] or reasons
        found += [f"{chip} is not listed: {near[-1].reason}"] if near else []
    return found


def _assumptions(q: Question, model: Model, constants: Constants) -> tuple[str, ...]:
    found = [*q.assumed, *([model.note] if model.note else [])]
    if q.lora is not None:
        found.append(
            f"{q.lora}, all resident and chosen alike: counted from bytes and FLOP, no measured row has adapters"
        )
    if q.workload.rate_per_s is None and q.workload.concurrency is None:
        found.append(
            "no --rate or --concurrency given: each stack at the optimum of one replica, in the smallest whole rental"
        )
    if constants.status == "uncalibrated":
        found.append("constants are uncalibrated: intervals come from their stated spread, not from measured error")
    else:
        found.append(f"constants are {constants.status}")
    if q.limits.max_usd_per_hour is not None:
        found.append("a budget is given: chips whose price nobody publishes under these filters are not listed")
    if q.guarantee is not None:
        found.append(_PENALTY_NOTE)
    found.append("percentiles are a closed-form approximation, unvalidated until checked by simulation")
    found.append(
        "the load is there at all times; `used` is its share of what the replicas can carry within the promise; "
        f"contracts: {', '.join(q.market.contracts)}"
    )
    return tuple(found)


_PENALTY_NOTE = (
    "the probability of a penalty tier is about the error of the prediction, one draw for the deployment and the same "
    "in every month: the expected penalty is an average over such deployments, not over months"
)
