"""Ways of serving beside a plain replica: drafts, more pipeline stages, context parallel ranks, separate pools.

Each way is a set of candidates with its own loads, evaluated like the plain ones and ranked beside them. More stages
are tried with the plain layouts: they may be the only ones that fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from stackwright.llm import Model, weight_bytes
from stackwright.performance import Candidate, Candidates, Constants, candidates, layout_problem, memory_budget
from stackwright.performance.pools import Pooled, Served
from stackwright.performance.recipes import recipes_for
from stackwright.planner.answer import way_of
from stackwright.planner.evaluate import choose, evaluate, excess
from stackwright.planner.question import Question
from stackwright.planner.size import Context
from stackwright.planner.stacks.pools import own_points, pool_grid
from stackwright.planner.stacks.space import LARGEST_REPLICA
from stackwright.serving.prediction import fit_problem

LONG_PROMPT = 32_768  # tokens from which context parallel layouts are tried
_TIGHT = 0.5  # weights beyond this share of the memory of two stages leave little cache
_MORE_STAGES = (4, 8)
_CONTEXT_RANKS = (2, 4, 8)
_LAYOUTS_TO_VARY = 2  # of each engine, chip and precision: the best by throughput per chip within the promise
_SMALL_DOMAIN = 8  # chips of a scale-up domain from which more than two stages are not worth a try


def other_ways(x: Context, tried: Sequence[Candidate], constants: Constants) -> list[Context]:
    """The other ways that the question allows, each with its grid and chosen loads; `tried` are all plain layouts.

    A way without a single candidate that fits is left out.
    """
    q = x.question
    entries: list[Candidate] = []
    if q.allowed.way("context-parallel") and q.workload.input.mean > LONG_PROMPT:
        entries += _context_parallel(x, tried)
    if q.allowed.way("speculative") and q.lora is None:  # engines rule the pair out (vLLM's table of features)
        entries += _speculative(x, constants)
    found = []
    fitting = _fitting(x, entries, constants)
    if fitting is not None:
        grid = evaluate(fitting, q.workload, q.slo)
        found.append(replace(x, grid=grid, chosen=choose(grid, q.slo)))
    if q.allowed.way("disaggregated"):
        for pools in pool_grid(x, constants):
            found.append(replace(x, grid=pools, chosen=choose(pools, q.slo)))
    return found


def wanted(x: Context, c: Served, row: int) -> bool:
    """Whether the question allows the way in which a candidate serves."""
    e = c.entries[row]
    return x.question.allowed.way(way_of(e.layout, e.speculation, c.pools(row) if isinstance(c, Pooled) else None))


def keeps_promise(x: Context) -> bool:
    """Whether the central prediction of any candidate keeps the promise at any load."""
    return bool((excess(x.grid.metrics, x.question.slo) <= 1.0).any())


def _speculative(x: Context, constants: Constants) -> list[Candidate]:
    """Drafts by published recipe on the best plain layouts of one stage, but those that own measurements correct."""
    found = []
    for e in best_layouts(x, _LAYOUTS_TO_VARY):
        if own_points(x.model, e, constants):
            continue
        found += [replace(e, speculation=s) for s in recipes_for(x.model, e.engine, e.chip, e.layout.attention_dp > 1)]
    return found


def more_stages(model: Model, tried: Sequence[Candidate]) -> list[Candidate]:
    """Four and eight stages of the widest plain stage, where scale-up domains are small and two stages hardly hold it.

    Pipelines are for what does not fit: their bubbles are not modelled, and no measured row has any.
    """

    def tight(e: Candidate) -> bool:
        return weight_bytes(model, e.layout.weight_precision) > _TIGHT * e.layout.n_chips * e.chip.store.capacity_bytes

    def varied(e: Candidate) -> Iterable[Candidate]:
        if e.layout.pp == 2 and e.chip.link.scale_up_domain <= _SMALL_DOMAIN and tight(e):
            for pp in _MORE_STAGES:
                yield replace(e, layout=replace(e.layout, pp=pp))

    return _valid(model, tried, varied)


def _context_parallel(x: Context, tried: Iterable[Candidate]) -> list[Candidate]:
    """Context parallel ranks beside the tensor ranks of plain layouts, inside one scale-up domain."""

    def varied(e: Candidate) -> Iterable[Candidate]:
        at = e.layout
        for cp in _CONTEXT_RANKS:
            if at.pp == at.attention_dp == 1 and at.tp * cp <= e.chip.link.scale_up_domain:
                yield replace(e, layout=replace(at, cp=cp, ep=at.ep if at.ep == 1 else at.tp * cp))

    return _valid(x.model, tried, varied)


def _valid(
    model: Model, tried: Iterable[Candidate], varied: Callable[[Candidate], Iterable[Candidate]]
) -> list[Candidate]:
    made = {(v.engine.id, v.chip.id, v.layout): v for e in tried for v in varied(e)}
    return [
        v
        for v in made.values()
        if v.layout.n_chips <= LARGEST_REPLICA and layout_problem(v.layout, model, v.engine, v.chip) is None
    ]


def _fitting(x: Context, entries: Sequence[Candidate], constants: Constants) -> Candidates | None:
    """Candidates with room for one long request and within the chip limit, or None."""
    q: Question = x.question
    allowed = [e for e in entries if q.limits.max_chips is None or e.layout.n_chips <= q.limits.max_chips]
    if not allowed:
        return None
    c = candidates(x.model, allowed, constants)
    budget = memory_budget(c)
    rows = [i for i in range(len(c)) if fit_problem(c, budget, q.workload, i) is None]
    return c.take(np.array(rows)) if rows else None


def best_layouts(x: Context, most: int) -> list[Candidate]:
    """Plain layouts of one stage with the most throughput per chip within the promise, `most` of each kind."""
    chosen = x.chosen
    per_chip = chosen.spread.value["output_tokens_per_s_per_chip"][:, 0]
    order = np.lexsort((-per_chip, -np.round(chosen.p_meets[:, 0], 2)))
    taken: dict[tuple[str, str, str], list[Candidate]] = {}
    for i in order:
        e = x.grid.candidates.entries[int(chosen.rows[i])]
        same = taken.setdefault((e.engine.id, e.chip.id, e.layout.weight_precision), [])
        if len(same) < most and e.layout.pp == 1:
            same.append(e)
    return [e for same in taken.values() for e in same]
