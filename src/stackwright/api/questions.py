"""One operating point as a Python function, with the names and defaults of `predict` and `explain`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackwright.api.explanation import explain_document
from stackwright.api.own import with_own
from stackwright.api.validation import Files
from stackwright.catalog import Catalog, Chip, Engine, ModelEntry, load_catalog
from stackwright.catalog.yaml_files import KINDS, list_files
from stackwright.errors import InputError
from stackwright.llm import Model
from stackwright.performance import Candidate, Constants, Layout, Lora, Speculation, load_constants
from stackwright.performance.candidates import context_of
from stackwright.performance.own_points import cell_of
from stackwright.performance.pools import Pools, parse_workers
from stackwright.planner import DEFAULT_SLO, resolve_model
from stackwright.planner.stacks.space import default_kv_precision
from stackwright.serving.prediction import Prediction
from stackwright.serving.prediction import predict as predict_point
from stackwright.serving.prefix_cache import PrefixCache
from stackwright.serving.tokens import longest_request
from stackwright.units import GIGA
from stackwright.workload import PUBLISHED, SLO, Workload, load_trace, parse_lengths
from stackwright.workload import workload as find_workload


def predict(
    model: str,
    *,
    chip: str,
    engine: str,
    n_chips: int | None = None,
    tp: int | None = None,
    pp: int = 1,
    ep: int = 1,
    attention_dp: int = 1,
    cp: int = 1,
    prefill: str | None = None,
    decode: str | None = None,
    prefill_chip: str | None = None,
    decode_chip: str | None = None,
    weight_precision: str | None = None,
    kv_precision: str | None = None,
    speculative: str | None = None,
    draft_tokens: int | None = None,
    acceptance_length: float | None = None,
    draft_cost: float | None = None,
    lora_adapters: int | None = None,
    lora_rank: int | None = None,
    lora_targets: str | None = None,
    workload: str | Workload | None = None,
    isl: float | None = None,
    osl: float | None = None,
    length_dist: str = "fixed",
    prefix_hit_rate: float = 0.0,
    prefix_working_set_tokens: float | None = None,
    kv_offload_gb: float | None = None,
    rate: float | None = None,
    concurrency: float | None = None,
    rounds: float | None = None,
    own: Files = (),
    data_dir: str | Path | None = None,
    catalog: Catalog | None = None,
    constants: Constants | None = None,
) -> Prediction:
    """Predict one operating point of one replica, or of disaggregated pools.

    `prefill` and `decode` name the pools, workers x layout (`4xtp4`, `2xtp1dp8ep8`), in place of `n_chips`, `tp`, `pp`,
    `ep`, `attention_dp` and `cp`; `prefill_chip` and `decode_chip` their chips where they differ from `chip`.
    `prefix_working_set_tokens` distinct prefix tokens limit the prefix hits to those that fit the free cache and
    `kv_offload_gb` of host memory per chip (decimal GB).

    Give `workload`, or `isl` and `osl` (tokens; spread by `length_dist`), and `rate` (requests/s) or `concurrency`
    (users), unless the workload has a load of its own. `tp` defaults to the chips that `pp`, `attention_dp`
    and `cp` leave; the precision to the published one. `speculative` names a method (mtp, eagle,
    ngram, draft-model), with `draft_tokens` per step and the `acceptance_length` that the engine reports.
    `lora_adapters` of `lora_rank` are served beside the model, on its `attention` projections or on `all` dense ones.
    `own`: tables of own measurements (1 to 50 rows of the same engine, chip, network, weight precision and draft),
    which correct the prediction and narrow its intervals.
    """
    facts = catalog or load_catalog()
    architecture, entry = resolve_model(model, facts)
    chip_record, engine_record = facts.chip(decode_chip or chip), facts.engine(engine)
    support = next((s for s in engine_record.supports if chip_record.family in s.families), None)
    if support is None:
        raise InputError(f"{engine_record.id} does not run on {chip_record.family} chips ({chip_record.id})")
    weights = (weight_precision or "").lower() or native_precision(architecture, entry, support.weights, model)
    kv = (kv_precision or "").lower() or default_kv_precision(weights, support.kv)
    pools = None
    if prefill is not None or decode is not None:
        if own:
            raise InputError("--own corrects aggregated replicas only: leave it out beside --prefill and --decode")
        pools = pools_of(prefill, decode, (n_chips, tp, pp, ep, attention_dp, cp), (weights, kv))
        first = facts.chip(prefill_chip or chip)
        pools = replace(pools, prefill_chip=None if first.id == chip_record.id else first)
        layout = pools.decode
    else:
        if prefill_chip or decode_chip:
            raise InputError("--prefill-chip and --decode-chip belong to the pools --prefill and --decode")
        layout = Layout(tensor_ranks(n_chips, tp, pp, attention_dp, cp), pp, ep, attention_dp, weights, kv, cp)
    given = None if workload is None else traffic_named(workload, data_dir)
    traffic = lengths_of(given, isl, osl, length_dist, prefix_hit_rate)
    traffic = one_load(traffic, rate, concurrency, rounds)
    if longest_request(traffic) > architecture.max_context:
        raise InputError(
            f"{architecture.id} takes {architecture.max_context} tokens at most; long requests have "
            f"{longest_request(traffic):g}: shorten them or choose another model"
        )
    speculation = speculation_given(speculative, draft_tokens, acceptance_length, draft_cost)
    lora = lora_given(lora_adapters, lora_rank, lora_targets)
    if lora is not None and own:
        raise InputError("--own corrects deployments without adapters: leave it out beside --lora-adapters")
    candidate = Candidate(engine_record, chip_record, layout, speculation=speculation, lora=lora)
    cell = cell_of(context_of(architecture, candidate), speculation)
    record, said = with_own(constants or load_constants(), own, facts, cell[2], cell)
    keeper = (pools.prefill_chip if pools else None) or chip_record
    cache = prefix_cache(facts, keeper, engine_record, prefix_working_set_tokens, kv_offload_gb)
    found = predict_point(architecture, candidate, traffic, record, pools=pools, cache=cache)
    return replace(found, notes=(*found.notes, *said))


def pools_of(
    prefill: str | None, decode: str | None, sizes: tuple[int | None, ...], precisions: tuple[str, str]
) -> Pools:
    """Prefill and decode pools as given; `sizes` of one replica contradict them."""
    if prefill is None or decode is None:
        raise InputError("--prefill and --decode belong together: give both pools, such as 2xtp4 and 1xtp1dp8ep8")
    if any(n not in (None, 1) for n in sizes):
        raise InputError("--prefill and --decode name the layouts: leave out --n-chips, --tp, --ep and the like")
    (n_prefill, first), (n_decode, second) = (parse_workers(text, *precisions) for text in (prefill, decode))
    return Pools(first, n_prefill, second, n_decode)


def prefix_cache(
    facts: Catalog, chip: Chip, engine: Engine, working_set_tokens: float | None, offload_gb: float | None
) -> PrefixCache | None:
    """What may be kept of shared prefixes; None where no working set is given, and every reusable token is found."""
    if working_set_tokens is None:
        if offload_gb is not None:
            raise InputError("--kv-offload-gb needs --prefix-working-set-tokens: how many distinct tokens to keep")
        return None
    if offload_gb is None:
        return PrefixCache(working_set_tokens)
    if engine.ways is None or not engine.ways.kv_offload:
        raise InputError(f"{engine.id} documents no cache in host memory: leave out --kv-offload-gb")
    systems = [s for s in facts.systems.values() if s.chip == chip.id and s.host is not None]
    if not systems:
        raise InputError(f"the catalogue has no host memory and host link of {chip.id}: add a system with `host` to it")
    system = max(systems, key=lambda s: s.host.memory_bytes / s.chips if s.host else 0.0)
    assert system.host is not None
    most = system.host.memory_bytes / system.chips
    if offload_gb * GIGA > most:
        raise InputError(f"--kv-offload-gb {offload_gb:g}: hosts of {system.id} have {most / GIGA:.0f} GB per chip")
    return PrefixCache(working_set_tokens, offload_gb * GIGA, system.host.link_bytes_per_s)


def speculation_given(
    method: str | None, draft_tokens: int | None, acceptance_length: float | None, draft_cost: float | None
) -> Speculation | None:
    """The speculative decoding of the arguments; None without a method (or with `none`)."""
    name = (method or "none").lower()
    if name == "none":
        if (draft_tokens, acceptance_length, draft_cost) != (None, None, None):
            raise InputError("--draft-tokens, --acceptance-length and --draft-cost belong to --speculative METHOD")
        return None
    if draft_tokens is None:
        raise InputError("--speculative needs --draft-tokens: how many tokens are drafted per step")
    return Speculation(name, draft_tokens, acceptance_length, draft_cost)


def lora_given(adapters: int | None, rank: int | None, targets: str | None) -> Lora | None:
    """The LoRA adapters of the arguments; None without any. Targets default to the attention projections."""
    if adapters is None:
        if rank is not None or targets is not None:
            raise InputError("--lora-rank and --lora-targets belong to --lora-adapters N")
        return None
    if rank is None:
        raise InputError("--lora-adapters needs --lora-rank, such as 16")
    where = (targets or "attention").lower()
    if where not in ("attention", "all"):
        raise InputError(f"unknown --lora-targets {where!r}; known: attention, all")
    return Lora(adapters, rank, "attention" if where == "attention" else "all")


def one_load(traffic: Workload, rate: float | None, concurrency: float | None, rounds: float | None) -> Workload:
    """The traffic under the load given here, else under its own; an operating point needs one."""
    if rate is not None or concurrency is not None:
        return traffic.with_load(rate_per_s=rate, concurrency=concurrency, rounds=rounds)
    if traffic.rate_per_s is None and traffic.concurrency is None:
        raise InputError("give --rate or --concurrency: one operating point needs a load")
    if rounds is not None:
        return traffic.with_load(rate_per_s=traffic.rate_per_s, concurrency=traffic.concurrency, rounds=rounds)
    return traffic


def explain(model: str, *, catalog: Catalog | None = None, **options: Any) -> dict[str, Any]:
    """Where the time and the dollar of one point go; arguments as for `predict`, answer as `explain --json`."""
    facts = catalog or load_catalog()
    return explain_document(predict(model, catalog=facts, **options), facts)


def tensor_ranks(n_chips: int | None, tp: int | None, pp: int, attention_dp: int, cp: int = 1) -> int:
    """Tensor parallel ranks from the chips of a replica, or as given; contradictions are errors."""
    others = pp * attention_dp * cp
    context = f" x cp {cp}" if cp > 1 else ""
    if tp is None:
        chips = n_chips or others
        if chips % others:
            raise InputError(f"--n-chips {chips} does not divide by pp {pp} x attention_dp {attention_dp}{context}")
        return chips // others
    if n_chips is not None and tp * others != n_chips:
        raise InputError(
            f"contradictory layout: tp {tp} x attention_dp {attention_dp} x pp {pp}{context} is {tp * others} chips, "
            f"--n-chips says {n_chips}"
        )
    return tp


def native_precision(model: Model, entry: ModelEntry | None, supported: Sequence[str], asked: str = "") -> str:
    """The precision of the checkpoint asked for, that the model is published in, or the first one that runs here."""
    checkpoints = entry.checkpoints if entry else ()
    published: list[str] = [c.precision for c in checkpoints]
    named = [c.precision for c in checkpoints if entry and c.hub_id.lower() == asked.lower() != entry.id.lower()]
    wanted = [*named, model.native_precision, *published]
    for precision in wanted:
        if precision in supported:
            return precision
    raise InputError(
        f"{model.id} is published in {', '.join(dict.fromkeys(wanted))}; this engine and chip have none of these"
    )


def loaded(workload: str | Workload, *, rate: float | None, concurrency: float | None) -> Workload:
    """A workload by profile name, file, trace or object, under the load given here (which replaces its own)."""
    found = traffic_named(workload)
    if rate is None and concurrency is None:
        return found
    return found.with_load(rate_per_s=rate, concurrency=concurrency)


def traffic_named(workload: str | Workload, data_dir: str | Path | None = None) -> Workload:
    """A workload object as it is; a profile name, a workload file, a trace name or a trace file as a workload.

    Named traces are looked up in `data_dir`, STACKWRIGHT_DATA and the user cache.
    """
    if isinstance(workload, Workload):
        return workload
    if workload in PUBLISHED or workload.removesuffix(".gz").endswith((".csv", ".jsonl")):
        return load_trace(workload, data_dir).to_workload()
    return find_workload(workload)


def lengths_of(
    workload: str | Workload | None, isl: float | None, osl: float | None, length_dist: str, prefix_hit_rate: float
) -> Workload:
    """The workload named, or lengths around `isl` and `osl`; giving both is contradictory."""
    if workload is not None:
        if isl is not None or osl is not None:
            raise InputError("--workload and --isl/--osl contradict: give one of them")
        if length_dist != "fixed" or prefix_hit_rate:
            raise InputError("--length-dist and --prefix-hit-rate belong to --isl and --osl; a workload has its own")
        return traffic_named(workload)
    if isl is None or osl is None:
        raise InputError("give --isl and --osl (tokens), or --workload")
    lengths = parse_lengths(length_dist, isl), parse_lengths(length_dist, osl)
    return Workload(f"{isl:g}/{osl:g}", *lengths, prefix_hit_rate=prefix_hit_rate)


def promise(ttft: float | None, tpot: float | None, percentile: float) -> SLO:
    """The SLO of the arguments, or the default one where neither limit is given."""
    if ttft is None and tpot is None:
        return SLO(DEFAULT_SLO.ttft_s, DEFAULT_SLO.tpot_s, percentile)
    return SLO(ttft, tpot, percentile)


def catalog_with(directory: str | Path | None) -> Catalog:
    """The shipped catalogue, with a user's directory on top where given."""
    if directory is None:
        return load_catalog()
    if not list_files(Path(directory)):
        raise InputError(f"{directory}: no catalogue files; expected YAML files in {', '.join(f'{k}/' for k in KINDS)}")
    return load_catalog(Path(directory))


def constants_from(file: str | Path | None) -> Constants:
    """The shipped record of constants, or a user's."""
    try:
        return load_constants(Path(file) if file else None)
    except UnicodeDecodeError:
        raise InputError(f"{file}: not a UTF-8 text file; give a record of constants") from None
