"""The main question as a Python function, with the names and defaults of `stackwright plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from stackwright import planner
from stackwright.api.own import with_own
from stackwright.api.questions import loaded, promise, traffic_named
from stackwright.api.validation import Files
from stackwright.catalog import Catalog, load_catalog
from stackwright.performance import Constants, load_constants
from stackwright.planner import Allowed, Answer, Limits, Market, Question, resolve_model
from stackwright.planner.compare import read_stack
from stackwright.planner.question import Grouping, Objective
from stackwright.workload import Workload

DEFAULT_WORKLOAD = "chat"


class TrafficOptions(TypedDict, total=False):
    """The traffic and the promise.

    Times in seconds, `rate` in requests/s for the whole deployment, `concurrency` in users. With neither `ttft` nor
    `tpot` the default promise applies (p95 TTFT 0.45 s, TPOT 0.04 s).
    """

    workload: str | Workload
    rate: float | None
    concurrency: float | None
    ttft: float | None
    tpot: float | None
    percentile: float


class AllowedOptions(TypedDict, total=False):
    """What a stack may be made of (`planner.Allowed`)."""

    chips: Sequence[str]
    vendors: Sequence[str]
    engines: Sequence[str]
    precisions: Sequence[str]
    kv_precision: str
    ways: Sequence[str]
    mixed_pools: bool


class MarketOptions(TypedDict, total=False):
    """Whose capacity may be used (`planner.Market`)."""

    clouds: Sequence[str]
    regions: Sequence[str]
    contracts: Sequence[str]


class LimitOptions(TypedDict, total=False):
    """What a deployment may take at most (`planner.Limits`)."""

    max_usd_per_hour: float | None
    max_chips: int | None


class PlanOptions(TrafficOptions, AllowedOptions, MarketOptions, LimitOptions, total=False):
    """Everything that narrows a question; the names are those of the command's options."""

    objective: Objective
    per: Grouping
    top: int


def plan(
    model: str,
    *,
    compare: str | Path | None = None,
    own: Files = (),
    data_dir: str | Path | None = None,
    catalog: Catalog | None = None,
    constants: Constants | None = None,
    **options: Unpack[PlanOptions],
) -> Answer:
    """Rank the stacks that serve `model` under this traffic and promise.

    `compare`: the stack of today (YAML file). `own`: tables of own measurements, which correct the stacks of the same
    engine, chip, network and weight precision. Raises `InputError` with one line to act on.
    """
    question = question_of(model, data_dir, **options)
    facts = catalog or load_catalog()
    today = read_stack(Path(compare), facts) if compare else None
    architecture, _ = resolve_model(model, facts)
    record, said = with_own(constants or load_constants(), own, facts, architecture.network or architecture.id)
    answer = planner.plan(question, facts, record, today)
    return replace(answer, assumptions=(*answer.assumptions, *said))


def question_of(model: str, data_dir: str | Path | None = None, **options: Unpack[PlanOptions]) -> Question:
    """The question of these options; raises `TypeError` for an option there is not, `InputError` for a bad value."""
    given: dict[str, Any] = dict(options)
    traffic = given.pop("workload", DEFAULT_WORKLOAD)
    load = {k: given.pop(k, None) for k in ("rate", "concurrency")}
    slo = promise(given.pop("ttft", None), given.pop("tpot", None), given.pop("percentile", 95.0))
    return Question(
        model=model,
        workload=loaded(traffic_named(traffic, data_dir), **load),
        slo=slo,
        allowed=_taken(Allowed, given),
        market=_taken(Market, given),
        limits=_taken(Limits, given),
        **given,
    )


def _taken(noun: type, given: dict[str, Any]) -> Any:
    """An `Allowed`, `Market` or `Limits` of its own options, which are removed from `given`."""
    own = {f.name: given.pop(f.name) for f in fields(noun) if f.name in given}
    return noun(**{k: tuple(v) if isinstance(v, list) else v for k, v in own.items()})
