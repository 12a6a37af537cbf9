"""One operating point as a Python function, with the names and defaults of `predict` and `explain`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from stackwright.api.explanation import explain_document
from stackwright.api.given import (
    lengths_of,
    lora_given,
    native_precision,
    one_load,
    pools_of,
    prefix_cache,
    speculation_given,
    tensor_ranks,
    traffic_named,
)
from stackwright.api.own import with_own
from stackwright.api.validation import Files
from stackwright.catalog import Catalog, Chip, load_catalog
from stackwright.errors import InputError
from stackwright.llm import Model
from stackwright.performance import Candidate, Constants, Layout, load_constants
from stackwright.performance.candidates import context_of
from stackwright.performance.own_points import cell_of
from stackwright.performance.pools import Pools
from stackwright.planner import resolve_model
from stackwright.planner.stacks.space import default_kv_precision
from stackwright.serving.prediction import Prediction
from stackwright.serving.prediction import predict as predict_point
from stackwright.serving.tokens import longest_request
from stackwright.workload import Workload


class LayoutOptions(TypedDict, total=False):
    """Sizes and precisions of one replica.

    `tp` defaults to the chips that `pp`, `attention_dp` and `cp` leave, the precision to the published one.
    """

    n_chips: int | None
    tp: int | None
    pp: int
    ep: int
    attention_dp: int
    cp: int
    weight_precision: str | None
    kv_precision: str | None


class PoolOptions(TypedDict, total=False):
    """Prefill and decode pools in place of sizes: workers x layout (`4xtp4`, `2xtp1dp8ep8`).

    `prefill_chip` and `decode_chip`: their chips where they differ from `chip`.
    """

    prefill: str | None
    decode: str | None
    prefill_chip: str | None
    decode_chip: str | None


class DraftOptions(TypedDict, total=False):
    """Speculative decoding: a method (mtp, eagle, ngram, draft-model), tokens drafted per step.

    `acceptance_length`: mean tokens emitted per step, as the engine reports it; `draft_cost`: a draft pass as a share
    of a plain decode step.
    """

    speculative: str | None
    draft_tokens: int | None
    acceptance_length: float | None
    draft_cost: float | None


class AdapterOptions(TypedDict, total=False):
    """`lora_adapters` of `lora_rank` beside the model, on its `attention` projections or on `all` dense ones."""

    lora_adapters: int | None
    lora_rank: int | None
    lora_targets: str | None


class LoadOptions(TypedDict, total=False):
    """The traffic: `workload`, or `isl` and `osl` (tokens; spread by `length_dist`).

    And `rate` (requests/s) or `concurrency` (users), unless the workload has a load of its own.
    """

    workload: str | Workload | None
    isl: float | None
    osl: float | None
    length_dist: str
    prefix_hit_rate: float
    rate: float | None
    concurrency: float | None
    rounds: float | None


class CacheOptions(TypedDict, total=False):
    """What limits the prefixes found: their distinct tokens, and host memory per chip (decimal GB) beside the cache."""

    prefix_working_set_tokens: float | None
    kv_offload_gb: float | None


class PointOptions(LayoutOptions, PoolOptions, DraftOptions, AdapterOptions, LoadOptions, CacheOptions, total=False):
    """Everything that names an operating point; the names are those of the command's options."""


def predict(
    model: str,
    *,
    chip: str,
    engine: str,
    own: Files = (),
    data_dir: str | Path | None = None,
    catalog: Catalog | None = None,
    constants: Constants | None = None,
    **options: Unpack[PointOptions],
) -> Prediction:
    """Predict one operating point of one replica, or of disaggregated pools.

    `own`: tables of own measurements (1 to 50 rows of the same engine, chip, network, weight precision and draft),
    which correct the prediction and narrow its intervals. Raises `TypeError` for an option there is not, `InputError`
    with one line to act on.
    """
    _check_names(options)
    facts = catalog or load_catalog()
    architecture, entry = resolve_model(model, facts)
    chip_record, engine_record = facts.chip(options.get("decode_chip") or chip), facts.engine(engine)
    support = next((s for s in engine_record.supports if chip_record.family in s.families), None)
    if support is None:
        raise InputError(f"{engine_record.id} does not run on {chip_record.family} chips ({chip_record.id})")
    asked = (options.get("weight_precision") or "").lower(), (options.get("kv_precision") or "").lower()
    weights = asked[0] or native_precision(architecture, entry, support.weights, model)
    precisions = weights, asked[1] or default_kv_precision(weights, support.kv)
    pools = _pools(options, precisions, facts.chip(options.get("prefill_chip") or chip), chip_record)
    layout = pools.decode if pools else _layout(options, precisions)
    draft = options.get("draft_tokens"), options.get("acceptance_length"), options.get("draft_cost")
    speculation = speculation_given(options.get("speculative"), *draft)
    lora = lora_given(options.get("lora_adapters"), options.get("lora_rank"), options.get("lora_targets"))
    if own and (pools or lora):
        raise InputError(
            "--own corrects aggregated replicas only: leave it out beside --prefill and --decode"
            if pools
            else "--own corrects deployments without adapters: leave it out beside --lora-adapters"
        )
    traffic = _traffic(options, architecture, data_dir)
    candidate = Candidate(engine_record, chip_record, layout, speculation=speculation, lora=lora)
    cell = cell_of(context_of(architecture, candidate), speculation)
    record, said = with_own(constants or load_constants(), own, facts, cell[2], cell)
    keeper = (pools.prefill_chip if pools else None) or chip_record
    kept = options.get("prefix_working_set_tokens"), options.get("kv_offload_gb")
    cache = prefix_cache(facts, keeper, engine_record, *kept)
    found = predict_point(architecture, candidate, traffic, record, pools=pools, cache=cache)
    return replace(found, notes=(*found.notes, *said))


def explain(model: str, *, catalog: Catalog | None = None, **options: Any) -> dict[str, Any]:
    """Where the time and the dollar of one point go; arguments as for `predict`, answer as `explain --json`."""
    facts = catalog or load_catalog()
    return explain_document(predict(model, catalog=facts, **options), facts)


def _check_names(options: PointOptions) -> None:
    unknown = sorted(set(options) - set(PointOptions.__annotations__))
    if unknown:
        raise TypeError(f"predict() got an unexpected keyword argument {unknown[0]!r}")


def _sizes(o: PointOptions) -> tuple[int | None, int | None, int, int, int, int]:
    ones = o.get("pp", 1), o.get("ep", 1), o.get("attention_dp", 1), o.get("cp", 1)
    return (o.get("n_chips"), o.get("tp"), *ones)


def _pools(o: PointOptions, precisions: tuple[str, str], first: Chip, second: Chip) -> Pools | None:
    """The pools asked for, prefill on chip `first`; None where one replica is meant."""
    if o.get("prefill") is None and o.get("decode") is None:
        if o.get("prefill_chip") or o.get("decode_chip"):
            raise InputError("--prefill-chip and --decode-chip belong to the pools --prefill and --decode")
        return None
    pools = pools_of(o.get("prefill"), o.get("decode"), _sizes(o), precisions)
    return replace(pools, prefill_chip=None if first.id == second.id else first)


def _layout(o: PointOptions, precisions: tuple[str, str]) -> Layout:
    n_chips, tp, pp, ep, attention_dp, cp = _sizes(o)
    return Layout(tensor_ranks(n_chips, tp, pp, attention_dp, cp), pp, ep, attention_dp, *precisions, cp)


def _traffic(o: PointOptions, architecture: Model, data_dir: str | Path | None) -> Workload:
    """The traffic under its load; `InputError` where a long request is beyond the model's context."""
    named = o.get("workload")
    given = None if named is None else traffic_named(named, data_dir)
    lengths = lengths_of(
        given, o.get("isl"), o.get("osl"), o.get("length_dist", "fixed"), o.get("prefix_hit_rate", 0.0)
    )
    traffic = one_load(lengths, o.get("rate"), o.get("concurrency"), o.get("rounds"))
    if longest_request(traffic) > architecture.max_context:
        raise InputError(
            f"{architecture.id} takes {architecture.max_context} tokens at most; long requests have "
            f"{longest_request(traffic):g}: shorten them or choose another model"
        )
    return traffic
