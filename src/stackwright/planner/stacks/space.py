"""Every stack worth evaluating: engines x chips x precisions x layouts, with the reason for each one left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from stackwright.catalog import Catalog, Chip, Engine, ModelEntry
from stackwright.catalog.records import Support
from stackwright.errors import InputError, UnknownIdError
from stackwright.llm import Model
from stackwright.performance import Candidate, Layout, layout_problem
from stackwright.performance.lora import check_adapters, lora_problem
from stackwright.planner.offers.at_hand import standing
from stackwright.planner.question import Question

LARGEST_REPLICA = 64
CONVERTIBLE = frozenset({"bf16", "fp8"})  # what converters of engines read

R = TypeVar("R", Chip, Engine)

RejectionKind = Literal[
    "engine does not run on the chip",
    "no published figures of the chip",
    "used by its maker only",
    "engine lacks the precision on the chip",
    "engine serves no adapters on the chip",
    "layout does not divide or is not supported",
    "does not fit in memory",
    "over the chip limit",
    "misses the promise at every load",
]


@dataclass(frozen=True)
class Rejection:
    """A stack that was left out: the kind of reason (for counting) and the reason with its figures."""

    kind: RejectionKind
    chip: str
    engine: str
    layout: str
    reason: str


@dataclass
class Space:
    """Candidates, and what was rejected on the way."""

    entries: list[Candidate] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)


def space(q: Question, model: Model, entry: ModelEntry | None, catalog: Catalog) -> Space:
    """Candidates for a question. Raises when a named chip, engine or precision is unknown or nothing is left."""
    if q.lora is not None:
        check_adapters(q.lora, model)
    found = Space()
    for chip in _chips(q, catalog):
        if chip.unpublished:
            found.rejected.append(Rejection("no published figures of the chip", chip.id, "", "", chip.unpublished))
            continue
        if chip.status == "internal" and not (q.allowed.chips or q.allowed.vendors):
            reason = f"{chip.id} is used by its maker only; name it in --chips to see what it would do"
            found.rejected.append(Rejection("used by its maker only", chip.id, "", "", reason))
            continue
        for engine in _engines(q, catalog):
            _add(found, q, model, entry, engine, chip)
    if not found.entries:
        telling = [r for r in found.rejected if r.kind != "engine does not run on the chip"] or found.rejected
        reasons = {r.reason for r in telling}
        asked = " or ".join(q.allowed.precisions)
        unpublished = f"no {asked} weights of it are published" if asked else "no chip is left"
        raise InputError(f"no stack can run {model.id}: {'; '.join(sorted(reasons)[:3]) or unpublished}")
    return found


def _chips(q: Question, catalog: Catalog) -> list[Chip]:
    named = q.allowed.chips or (() if q.market.rents else tuple(standing(q.market, catalog)))
    chips = _once(catalog.chip(c) for c in named) if named else list(catalog.chips.values())
    known = {c.vendor.lower() for c in catalog.chips.values()}
    wanted = {v.lower() for v in q.allowed.vendors}
    for strange in sorted(wanted - known):
        raise UnknownIdError("vendor", strange, sorted(known), f"one of {', '.join(sorted(known))}")
    kept = [c for c in chips if not wanted or c.vendor.lower() in wanted]
    if not kept:
        raise InputError(
            f"none of the chips {', '.join(q.allowed.chips)} is made by {', '.join(q.allowed.vendors)}: "
            "contradictory filters"
        )
    return kept


def _engines(q: Question, catalog: Catalog) -> list[Engine]:
    return _once(catalog.engine(e) for e in q.allowed.engines) if q.allowed.engines else list(catalog.engines.values())


def _once(records: Iterable[R]) -> list[R]:
    """The records in order, each once however often it was named."""
    return list({r.id: r for r in records}.values())


def _add(found: Space, q: Question, model: Model, entry: ModelEntry | None, engine: Engine, chip: Chip) -> None:
    support = next((s for s in engine.supports if chip.family in s.families), None)
    if support is None:
        found.rejected.append(
            Rejection(
                "engine does not run on the chip",
                chip.id,
                engine.id,
                "",
                f"{engine.id} does not run on {chip.family} chips",
            )
        )
        return
    if q.lora is not None and (problem := lora_problem(engine, chip)):
        found.rejected.append(Rejection("engine serves no adapters on the chip", chip.id, engine.id, "", problem))
        return
    published = _available(entry, model, engine, chip, support)
    for precision in sorted(published):
        if q.allowed.precisions and precision not in q.allowed.precisions:
            continue
        if precision not in support.weights:
            reason = f"{engine.id} has no {precision} weights on {chip.family}"
            found.rejected.append(
                Rejection("engine lacks the precision on the chip", chip.id, engine.id, precision, reason)
            )
            continue
        kv = q.allowed.kv_precision or default_kv_precision(precision, support.kv)
        for layout in layouts(model, chip, engine, precision, kv):
            problem = layout_problem(layout, model, engine, chip)
            if problem:
                found.rejected.append(
                    Rejection("layout does not divide or is not supported", chip.id, engine.id, str(layout), problem)
                )
            else:
                found.entries.append(Candidate(engine, chip, layout, lora=q.lora))


def _available(entry: ModelEntry | None, model: Model, engine: Engine, chip: Chip, support: Support) -> set[str]:
    """Precisions of the published checkpoints that load on this chip, and what the engine makes of them.

    Its converter makes others beforehand, or it quantises a BF16 checkpoint while loading.
    """
    published = {model.native_precision}
    if entry is not None:
        published = {str(c.precision) for c in entry.checkpoints if not c.families or chip.family in c.families}
    made = set(engine.quantises) if published & CONVERTIBLE else set()
    return published | made | (set(support.online) if "bf16" in published else set())


def default_kv_precision(weight_precision: str, supported: tuple[str, ...]) -> str:
    """FP8 cache with weights of 8 bits or fewer where the engine has it, else BF16."""
    return "fp8" if weight_precision != "bf16" and "fp8" in supported else "bf16"


def layouts(model: Model, chip: Chip, engine: Engine, weight_precision: str, kv_precision: str) -> Iterator[Layout]:
    """Layouts worth trying: powers of two, experts either sharded inside or spread over the whole group.

    Attention data parallelism is for mixture-of-experts models (a dense model gains the same from more replicas);
    pipeline stages span scale-up domains, or, where the engine splits a model by layers only, the chips of one.
    """
    domain = chip.link.scale_up_domain
    if not engine.tensor_parallel:
        for stages in (1, 2, 4, 8) if engine.pipeline_parallel else (1,):
            if stages <= domain:
                yield Layout(1, stages, 1, 1, weight_precision, kv_precision)
        return
    groups = [g for g in (1, 2, 4, 8, 16, 32, 64) if g <= min(max(domain, 1), LARGEST_REPLICA)]
    moe = bool(model.experts) and engine.expert_parallel != "none"
    for group in groups:
        for tp in (t for t in (1, 2, 4, 8, 16, 32, 64) if t <= group):
            dp = group // tp
            if dp > 1 and not (moe and engine.attention_data_parallel != "none"):
                continue
            for ep in {1, group} if moe else {1}:
                if dp > 1 and ep == 1:
                    continue
                yield Layout(tp, 1, ep, dp, weight_precision, kv_precision)
                spans = engine.pipeline_parallel and chip.link.scale_up_kind != "none"
                if group == groups[-1] and dp == 1 and spans and 2 * group <= LARGEST_REPLICA:
                    yield Layout(tp, 2, ep, 1, weight_precision, kv_precision)
