"""Answers as JSON-ready documents: the one shape that `--json`, the report and every other face share.

Times in seconds, money in USD, energy in joules, memory in bytes; each key carries its unit. A figure with an
interval is `{"value", "low", "high"}`, two-sided 90 %.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stackwright.api.lock_in import lock_in_document
from stackwright.catalog import Offer, Price
from stackwright.deploy import (
    LaunchCommand,
    PoolLaunch,
    ServingSettings,
    drafting,
    launch_command,
    pool_launch,
    with_adapters,
)
from stackwright.errors import UnsupportedError
from stackwright.performance import Layout, Part, Speculation, load_constants
from stackwright.performance.pools import Pools
from stackwright.planner import Answer, Plan, Question, Stack
from stackwright.planner.offers.join import Beside
from stackwright.planner.offers.marketplace import LeftOut
from stackwright.planner.stacks.space import Rejection
from stackwright.serving.prediction import Interval, Prediction
from stackwright.serving.tokens import max_model_len
from stackwright.workload import SLO, Sector, Workload

Document = dict[str, Any]
_MOST_REJECTED = 200


def plan_document(answer: Answer) -> Document:
    """The document of `plan --json`."""
    found: Document = {
        "question": question_document(answer.question),
        "evaluated": answer.evaluated,
        "cpu_s": round(answer.cpu_s, 4),
        "elapsed_s": round(answer.elapsed_s, 4),
        "plans": [plan_entry(p, answer.question) for p in answer.plans],
        "unpriced": [plan_entry(p, answer.question) for p in answer.unpriced],
        "assumptions": list(answer.assumptions),
        "rejected_by_reason": dict(rejected_by_reason(answer.rejected)),
        "rejected": [
            {"stack": {"chip": r.chip, "engine": r.engine, "layout": r.layout}, "kind": r.kind, "reason": r.reason}
            for r in answer.rejected[:_MOST_REJECTED]
        ],
        "left_out_offers": left_out_document(answer.left_out_offers),
        "front": [dict(p.__dict__) for p in answer.front],
    }
    if answer.comparison is not None:
        found["compare"] = {
            "today": plan_entry(answer.comparison, answer.question),
            "changes": list(answer.comparison_changes),
        }
    return found


def predict_document(p: Prediction) -> Document:
    """The document of `predict --json`: figures with intervals."""
    return {
        "model": p.model,
        "engine": p.engine,
        "chip": p.chip,
        "layout": layout_document(p.layout),
        **({"pools": pools_document(p.pools, p.chip)} if p.pools else {}),
        "speculation": speculation_document(p),
        "workload": workload_document(p.workload),
        **{name: interval_document(v) for name, v in p.metrics.items()},
        "running_sequences_per_rank": p.running_per_rank,
        "fitting_sequences_per_rank": p.fitting_per_rank,
        "memory": dict(p.memory),
        "decode_step": step_document(p.decode_step_s, p.decode_parts),
        "prompt_step": step_document(p.prompt_step_s, p.prompt_parts),
        "ttft_budget_s": dict(p.waits),
        "constants": p.constants_status,
        "evidence": None if p.evidence is None else dict(p.evidence.__dict__),
        "notes": list(p.notes),
    }


def question_document(q: Question) -> Document:
    """The question as asked."""
    return {
        "model": q.model,
        "workload": workload_document(q.workload),
        "slo": slo_document(q.slo),
        "lora": str(q.lora) if q.lora else None,
        "objective": q.objective,
        "per": q.per,
        "chips": list(q.allowed.chips),
        "vendors": list(q.allowed.vendors),
        "clouds": list(q.market.clouds),
        "engines": list(q.allowed.engines),
        "regions": list(q.market.regions),
        "contracts": list(q.market.contracts),
        "precisions": list(q.allowed.precisions),
        "kv_precision": q.allowed.kv_precision or None,
        "ways": list(q.allowed.ways),
        "mixed_pools": q.allowed.mixed_pools,
        "max_usd_per_hour": q.limits.max_usd_per_hour,
        "max_chips": q.limits.max_chips,
        "max_kw": q.limits.max_kw,
        "residency": q.market.residency or None,
        "certified": list(q.market.certified),
        "have": [str(h) for h in q.market.have],
        "usd_per_kwh": q.market.usd_per_kwh,
        "penalty": str(q.guarantee.clause) if q.guarantee else None,
        "fee_usd_per_month": q.guarantee.fee_usd_per_month if q.guarantee else None,
        "sector": sector_document(q.sector) if q.sector else None,
    }


def sector_document(s: Sector) -> Document:
    """A sector profile as applied: each option that it filled in, with the reason and the law or standard meant."""
    return {
        "name": s.name,
        "description": s.description,
        "assumes": [
            {"option": a.option, "value": a.value, "why": a.why, "source": a.source or None} for a in s.in_force
        ],
    }


def workload_document(w: Workload) -> Document:
    """Traffic: mean lengths, load and a phrase."""
    return {
        "name": w.name,
        "input_tokens_mean": w.input.mean,
        "output_tokens_mean": w.output.mean,
        "prefix_hit_rate": w.prefix_hit_rate,
        "requests_per_s": w.rate_per_s,
        "concurrency": w.concurrency,
        "rounds": w.rounds,
        "arrival_cv": w.arrival_cv,
        "description": w.describe(),
        "source": w.source,
    }


def slo_document(slo: SLO) -> Document:
    """The promise."""
    return {
        "ttft_s": slo.ttft_s,
        "tpot_s": slo.tpot_s,
        "percentile": slo.percentile,
        "description": slo.describe(),
    }


def pools_document(pools: Pools, chip: str) -> Document:
    """Prefill and decode pool: workers, the chip and the layout of one, and the chips of both; `chip` decodes."""
    first = pools.prefill_chip.id if pools.prefill_chip else chip
    return {
        "n_chips": pools.n_chips,
        "prefill": {"workers": pools.prefill_workers, "chip": first, **layout_document(pools.prefill)},
        "decode": {"workers": pools.decode_workers, "chip": chip, **layout_document(pools.decode)},
        "description": str(pools),
    }


def _beside_document(b: Beside) -> Document:
    found = offer_document(b.offer, b.price, b.price.regions[0] if b.price.regions else "")
    return {**(found or {}), "units": b.units}


def stack_layout_document(stack: Stack) -> Document:
    """Layout of one replica; of pools that of a decode worker, with the chips and the description of both."""
    found = {**layout_document(stack.layout), "description": stack.description, "n_chips": stack.replica_chips}
    return {**found, "mode": "disaggregated"} if stack.pools else found


def draft_document(s: Speculation | None) -> Document | None:
    """How tokens are drafted; None without speculative decoding."""
    return None if s is None else {"method": s.method, "draft_tokens": s.draft_tokens}


def layout_document(layout: Layout) -> Document:
    """Parallel sizes and precisions of one replica."""
    return {
        "n_chips": layout.n_chips,
        "tp": layout.tp,
        "pp": layout.pp,
        "ep": layout.ep,
        "attention_dp": layout.attention_dp,
        "cp": layout.cp,
        "weight_precision": layout.weight_precision,
        "kv_precision": layout.kv_precision,
        "mode": "aggregated",
        "description": str(layout),
    }


def speculation_document(p: Prediction) -> Document | None:
    """How tokens are drafted, and how many a step emits per sequence; None without speculative decoding."""
    if p.speculation is None:
        return None
    return {
        "method": p.speculation.method,
        "draft_tokens": p.speculation.draft_tokens,
        "acceptance_length": p.acceptance_length,
        "draft_cost": p.speculation.draft_cost,
    }


def interval_document(v: Interval | None) -> Document | None:
    """A figure with its two-sided 90 % interval; infinite figures become null."""
    if v is None:
        return None
    return {"value": finite(v.value), "low": finite(v.low), "high": finite(v.high)}


def finite(x: float | None) -> float | None:
    """A number that JSON can hold, or None."""
    return x if x is not None and math.isfinite(x) else None


def rejected_by_reason(rejected: Sequence[Rejection]) -> list[tuple[str, int]]:
    """How many stacks each kind of reason removed, most first."""
    counts = Counter(str(r.kind) for r in rejected)
    return counts.most_common()


def left_out_document(left_out: Sequence[LeftOut]) -> Document:
    """Offers that a constraint of the market left out: how many, of which cloud and why, and the nearest of them."""
    counts = Counter((x.provider, "; ".join(x.reasons)) for x in left_out)
    return {
        "count": len(left_out),
        "by_reason": [{"provider": p, "reason": r, "offers": n} for (p, r), n in sorted(counts.items())],
        "nearest": None if not left_out else {**left_out[0].__dict__, "reasons": list(left_out[0].reasons)},
    }


def penalty_document(p: Plan, q: Question) -> Document | None:
    """What the guarantee of a question is expected to cost; None without one, or without a price."""
    if p.breach is None or q.guarantee is None:
        return None
    tiers = zip(q.guarantee.clause.tiers, p.breach.p_below, strict=True)
    fee = p.breach.fee_usd_per_month
    return {
        "fee_usd_per_month": fee,
        "tiers": [
            {"below_percent": t.below_percent, "credit_usd_per_month": t.usd(fee), "probability": below}
            for t, below in tiers
        ],
        "expected_usd_per_month": p.breach.usd_per_month,
    }


def launch_of(plan: Plan, workload: Workload) -> LaunchCommand | PoolLaunch:
    """The launch command of a plan, or those of its pools, with every flag the prediction assumed."""
    stack, scheduler = plan.stack, plan.stack.engine.scheduler
    settings = ServingSettings(
        max_num_seqs=plan.max_num_seqs,
        max_num_batched_tokens=scheduler.max_batched_tokens,
        max_model_len=max_model_len(workload),
        memory_fraction=scheduler.memory_fraction,
        prefix_caching=workload.prefix_hit_rate > 0.0,
    )
    chips = machine_chips(stack)
    if stack.pools and stack.lora:
        raise UnsupportedError("no launch command for LoRA adapters on prefill and decode pools yet")
    if stack.pools:
        budget = max(scheduler.max_batched_tokens, int(load_constants().value("pool_batched_tokens")))
        return pool_launch(
            stack.engine.id,
            (stack.pools.prefill_chip or stack.chip, stack.chip),
            stack.pools,
            stack.checkpoint,
            (replace(settings, max_num_batched_tokens=budget), settings),
            node_chips=chips,
            speculation=stack.speculation,
        )
    command = launch_command(stack.engine.id, stack.chip, stack.layout, stack.checkpoint, settings, node_chips=chips)
    if stack.lora:
        command = with_adapters(stack.engine.id, command, stack.lora)
    return drafting(stack.engine.id, command, stack.speculation) if stack.speculation else command


def machine_chips(stack: Stack) -> int:
    """Chips of one machine, 8 at most: the unit of an offer, or what one sold by the chip joins; of a rack a tray."""
    offer, system = stack.offer, stack.system
    chips = offer.chips if offer else stack.chip.link.scale_up_domain
    if offer and offer.unit == "chip":
        chips = offer.scale_up_chips
    if system and system.hosts and system.hosts > 1:
        chips = min(chips, system.chips // system.hosts)
    return max(1, min(chips, 8))


def plan_entry(p: Plan, q: Question) -> Document:
    """One ranked plan of a question."""
    stack, percentile = p.stack, f"p{q.slo.percentile:g}"
    found: Document = {
        "rank": p.rank,
        "stack": {
            "model": stack.model,
            "checkpoint": stack.checkpoint,
            "engine": stack.engine.id,
            "engine_version": stack.engine.version,
            "chip": stack.chip.id,
            "chip_name": stack.chip.name,
            "vendor": stack.chip.vendor,
            "layout": stack_layout_document(stack),
            "way": stack.way,
            "speculation": draft_document(stack.speculation),
            **({"pools": pools_document(stack.pools, stack.chip.id)} if stack.pools else {}),
            "system": stack.system.id if stack.system else None,
            "offer": offer_document(stack.offer, stack.price, stack.region),
            **({"prefill_offer": _beside_document(stack.beside)} if stack.beside else {}),
        },
        "replicas": p.replicas,
        "units": p.units,
        "n_chips": p.n_chips,
        "idle_chips": p.idle_chips,
        "p_meets_slo": round(p.p_meets_slo, 4),
        "meets_slo": p.meets_slo,
        "tied_with_first": p.tied_with_first,
        "usd_per_hour": p.usd_per_hour,
        "usd_per_mtok_output": interval_document(p.usd_per_mtok_output),
        "usd_per_mtok_total": interval_document(p.usd_per_mtok_total),
        "usd_per_mtok_input_by_engine_time": finite(p.usd_per_mtok_input_by_time),
        "usd_per_mtok_output_by_engine_time": finite(p.usd_per_mtok_output_by_time),
        "usd_per_mtok_output_full_load": finite(p.full_load_usd_per_mtok_output),
        "utilisation": finite(p.utilisation),
        "joules_per_output_token": interval_document(p.joules_per_output_token),
        "kgco2_per_mtok": interval_document(p.kgco2_per_mtok),
        "facility_watts": finite(p.facility_watts),
        "penalty": penalty_document(p, q),
        "usd_per_hour_with_penalty": p.usd_per_hour_with_penalty,
        "usd_per_mtok_output_with_penalty": interval_document(p.usd_per_mtok_output_with_penalty),
    }
    for name in ("ttft", "tpot", "e2e"):
        for stat in ("mean", percentile):
            found[f"{name}_{stat}_s"] = interval_document(p.metrics[f"{name}_{stat}_s"])
    for name in ("output_tokens_per_s_per_chip", "total_tokens_per_s_per_chip", "requests_per_s"):
        found[name if name != "requests_per_s" else "requests_per_s_per_replica"] = interval_document(p.metrics[name])
    found["max_num_seqs"] = p.max_num_seqs
    found["other_contracts"] = [
        {"contract": c, "usd_per_hour": usd, "region": region} for c, usd, region in p.other_contracts
    ]
    found["launch"] = _launch(p, q.workload)
    found["lock_in"] = lock_in_document(p.lock_in)
    notes = list(p.notes)
    if found["launch"]["command"] is None:
        notes.append(found["launch"]["note"])
    found["why"], found["notes"], found["sources"] = p.why, notes, list(p.sources)
    return found


def _launch(p: Plan, w: Workload) -> Document:
    """The launch command, or the reason why there is none (`command` is null)."""
    try:
        command = launch_of(p, w)
    except UnsupportedError as error:
        return {"command": None, "engine_version": p.stack.engine.version, "env": {}, "files": {}, "note": str(error)}
    return {
        "command": command.shell(),
        "engine_version": command.engine_version,
        "env": {} if isinstance(command, PoolLaunch) else dict(command.env),
        "files": {} if isinstance(command, PoolLaunch) else dict(command.files),
        "note": command.note,
    }


def offer_document(offer: Offer | None, price: Price | None, region: str) -> Document | None:
    """An offer with the price used: unit, contract, region, date, age, confidence and source; None where unpriced."""
    if offer is None or price is None:
        return None
    return {
        "id": offer.id,
        "provider": offer.provider,
        "instance": offer.instance,
        "chips": offer.chips,
        "unit": offer.unit,
        "contract": price.contract,
        "region": region,
        "usd_per_unit_hour": price.usd_per_hour,
        "usd_per_chip_hour": price.usd_per_hour / offer.chips,
        "price_date": price.date.isoformat() if price.date else None,
        "price_age_days": price.age_days(dt.date.today()),
        "price_confidence": price.confidence,
        "price_source": price.source,
    }


def step_document(seconds: float, parts: Sequence[Part]) -> Document:
    """A step and the parts that sum to it: seconds, bytes and FLOP of one chip, and what bounds each part."""
    return {"seconds": seconds, "parts": [_part(p) for p in parts]}


def _part(part: Part) -> Document:
    memory_s, compute_s = _number(part.memory_s), _number(part.compute_s)
    bound = "memory" if memory_s >= compute_s else "compute"
    if memory_s == compute_s == 0.0:
        bound = "links" if part.name == "collectives" else "fixed"
    return {
        "name": part.name,
        "seconds": _number(part.seconds),
        "memory_s": memory_s,
        "compute_s": compute_s,
        "bytes": _number(part.n_bytes),
        "flops": _number(part.flops),
        "bound": bound,
    }


def _number(value: object) -> float:
    return float(np.asarray(value).flat[0])
