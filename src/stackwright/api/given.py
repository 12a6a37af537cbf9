"""From the options of a command to the nouns they mean: layouts, pools, drafts, adapters, traffic, promise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stackwright.catalog import Catalog, Chip, Engine, ModelEntry
from stackwright.errors import InputError
from stackwright.llm import Model
from stackwright.performance import Lora, Speculation
from stackwright.performance.pools import Pools, parse_workers
from stackwright.planner import DEFAULT_SLO
from stackwright.serving.prefix_cache import PrefixCache
from stackwright.units import GIGA
from stackwright.workload import PUBLISHED, SLO, Workload, load_trace, parse_lengths
from stackwright.workload import workload as find_workload


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
