"""The main question as a Python function, with the names and defaults of `stackwright plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from stackwright import planner
from stackwright.api.defaults import DEFAULT_WORKLOAD, with_sector, with_small
from stackwright.api.given import loaded, lora_given, promise, traffic_named
from stackwright.api.own import with_own
from stackwright.api.validation import Files
from stackwright.catalog import Catalog, load_catalog
from stackwright.economics import parse_clause
from stackwright.errors import InputError
from stackwright.performance import Constants, load_constants
from stackwright.planner import Allowed, Answer, AtHand, Guarantee, Limits, Market, Question, resolve_model
from stackwright.planner.compare import read_stack
from stackwright.planner.question import DEFAULT_CONTRACTS, Grouping, Objective
from stackwright.units import parse_usd_per_hour
from stackwright.workload import Workload


class TrafficOptions(TypedDict, total=False):
    """The traffic, the promise, and the LoRA adapters that requests choose from.

    Times in seconds, `rate` in requests/s for the whole deployment, `concurrency` in users. With neither `ttft` nor
    `tpot` the default promise applies (p95 TTFT 0.45 s, TPOT 0.04 s).
    """

    workload: str | Workload
    rate: float | None
    concurrency: float | None
    ttft: float | None
    tpot: float | None
    percentile: float
    lora_adapters: int | None
    lora_rank: int | None
    lora_targets: str | None


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
    spot: bool | None
    residency: str
    certified: Sequence[str]
    have: Sequence[str]
    usd_per_kwh: float | None


class LimitOptions(TypedDict, total=False):
    """What a deployment may take at most (`planner.Limits`); `max_usd_per_hour` also as `20/day` or `500/month`."""

    max_usd_per_hour: float | str | None
    max_chips: int | None
    max_kw: float | None


class GuaranteeOptions(TypedDict, total=False):
    """What a missed promise costs (`planner.Guarantee`): a clause such as `10%<99,25%<95`, and the fee."""

    penalty: str
    fee_usd_per_month: float | None


class PlanOptions(TrafficOptions, AllowedOptions, MarketOptions, LimitOptions, GuaranteeOptions, total=False):
    """Everything that narrows a question; the names are those of the command's options.

    `sector` fills in what is not given, from a shipped profile.
    """

    sector: str
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
    facts = catalog or load_catalog()
    question = question_of(model, data_dir, facts, **options)
    if question.lora is not None and own:
        raise InputError("--own corrects deployments without adapters: leave it out beside --lora-adapters")
    today = read_stack(Path(compare), facts) if compare else None
    architecture, _ = resolve_model(model, facts)
    record, said = with_own(constants or load_constants(), own, facts, architecture.network or architecture.id)
    answer = planner.plan(question, facts, record, today)
    return replace(answer, assumptions=(*answer.assumptions, *said))


def question_of(
    model: str, data_dir: str | Path | None = None, catalog: Catalog | None = None, **options: Unpack[PlanOptions]
) -> Question:
    """The question of these options; raises `TypeError` for an option there is not, `InputError` for a bad value."""
    facts = catalog or load_catalog()
    given, assumed = with_sector(dict(options), facts)
    given, small = with_small(given, facts)
    traffic = given.pop("workload", DEFAULT_WORKLOAD)
    load = {k: given.pop(k, None) for k in ("rate", "concurrency")}
    slo = promise(given.pop("ttft", None), given.pop("tpot", None), given.pop("percentile", 95.0))
    lora = lora_given(*(given.pop(f"lora_{k}", None) for k in ("adapters", "rank", "targets")))
    return Question(
        model=model,
        workload=loaded(traffic_named(traffic, data_dir), **load),
        slo=slo,
        lora=lora,
        allowed=_taken(Allowed, given),
        market=_market(given),
        limits=_limits(given),
        guarantee=_guarantee(given),
        sector=assumed,
        assumed=small,
        **given,
    )


def _market(given: dict[str, Any]) -> Market:
    """The market of its options; `spot` adds that contract to the others, or removes it."""
    spot = given.pop("spot", None)
    contracts = tuple(given.pop("contracts", DEFAULT_CONTRACTS))
    if spot is False:
        contracts = tuple(c for c in contracts if c != "spot")
    elif spot and "spot" not in contracts:
        contracts = (*contracts, "spot")
    if not contracts:
        raise InputError("--no-spot leaves no contract of --contracts spot")
    given["contracts"], given["have"] = contracts, tuple(AtHand.parse(text) for text in given.get("have", ()))
    market: Market = _taken(Market, given)
    return market


def _limits(given: dict[str, Any]) -> Limits:
    most = given.get("max_usd_per_hour")
    if isinstance(most, str):
        given["max_usd_per_hour"] = parse_usd_per_hour(most)
    limits: Limits = _taken(Limits, given)
    return limits


def _guarantee(given: dict[str, Any]) -> Guarantee | None:
    clause, fee = given.pop("penalty", "") or "", given.pop("fee_usd_per_month", None)
    if not clause:
        if fee is not None:
            raise InputError("--fee-usd-per-month belongs to --penalty CLAUSE")
        return None
    return Guarantee(parse_clause(clause), fee)


def _taken(noun: type, given: dict[str, Any]) -> Any:
    """An `Allowed`, `Market` or `Limits` of its own options, which are removed from `given`."""
    own = {f.name: given.pop(f.name) for f in fields(noun) if f.name in given}
    return noun(**{k: tuple(v) if isinstance(v, list) else v for k, v in own.items()})
