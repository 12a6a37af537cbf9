"""From a sized deployment to the plan a person reads: figures with intervals, reason, notes, sources."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np

from stackwright.catalog import availability_of
from stackwright.economics import OWNED, Packing, TokenCost, token_cost, usd_per_mtok
from stackwright.performance import memory_budget
from stackwright.performance.chip_ranges import range_words
from stackwright.performance.memory import kv_capacity_sequences
from stackwright.performance.pools import Pooled
from stackwright.planner.answer import Plan, Stack
from stackwright.planner.choose.elsewhere import stack_lock_in
from stackwright.planner.evaluate import CONFIDENT
from stackwright.planner.offers.join import packing_of, units_range
from stackwright.planner.size import Context, Sized
from stackwright.planner.stacks.models import checkpoint_of
from stackwright.serving.intervals import Z
from stackwright.serving.prediction import Interval, serve
from stackwright.serving.tokens import max_model_len


def plan_of(x: Context, s: Sized, rank: int) -> Plan:
    """The plan of one sized deployment."""
    stack, doubt = _stack(x, s)
    w = x.question.workload
    d = s.deployment
    metrics = _metrics(s)
    usd_per_hour = d.usd_per_hour if d else None
    cost = _cost(x, s)
    energy, carbon = _energy(s)
    full_rate = float(x.chosen.spread.value["requests_per_s"][_chosen_index(x, s), 0])
    rate = s.metric("requests_per_s")
    money = _money(x, cost.output if cost else None, s)
    return Plan(
        rank=rank,
        stack=stack,
        replicas=s.replicas,
        units=d.units if d else 0,
        n_chips=s.n_chips,
        idle_chips=s.n_chips - s.replicas * stack.replica_chips,
        p_meets_slo=s.p_meets,
        meets_slo=s.p_meets >= CONFIDENT,
        tied_with_first=False,
        metrics=metrics,
        load=s.load,
        max_num_seqs=max_num_seqs(x, s),
        utilisation=rate / full_rate,
        usd_per_hour=usd_per_hour,
        usd_per_mtok_output=money,
        usd_per_mtok_total=_money(x, cost.total if cost else None, s),
        usd_per_mtok_input_by_time=cost.input_by_time if cost else None,
        usd_per_mtok_output_by_time=cost.output_by_time if cost else None,
        full_load_usd_per_mtok_output=(
            usd_per_mtok(usd_per_hour, full_rate * w.output.mean * s.replicas) if usd_per_hour and full_rate else None
        ),
        joules_per_output_token=energy,
        kgco2_per_mtok=carbon,
        facility_watts=s.footprint.facility_w,
        breach=s.breach,
        usd_per_hour_with_penalty=s.usd_per_hour_with_penalty if s.breach else None,
        usd_per_mtok_output_with_penalty=(
            money.scaled(s.usd_per_hour_with_penalty / s.usd_per_hour) if s.breach and money else None
        ),
        other_contracts=_other_contracts(x, s),
        lock_in=stack_lock_in(stack, x.catalog),
        why=_why(x, s, stack),
        notes=_notes(x, s, stack, doubt),
        sources=_sources(stack),
    )


def max_num_seqs(x: Context, s: Sized) -> int:
    """Sequences that a replica (of pools: a decode worker) must admit: the highest load within the promise, with room.

    Three standard deviations of a Poisson number above it, a multiple of 8; no more than the engine's scheduler takes,
    which is what the prediction assumed, nor than slots of the longest request where the cache has no blocks.
    """
    most = max(s.load, float(x.chosen.loads[_chosen_index(x, s), 0]))
    if s.pools:
        most /= s.pools.decode_workers
    wanted = most + 3.0 * math.sqrt(max(most, 1.0))
    scheduler = s.candidate.engine.scheduler
    taken = scheduler.max_sequences * s.candidate.layout.attention_dp
    if scheduler.kv_block_tokens == 1 and not isinstance(s.candidates, Pooled):  # a slot holds the longest request
        c = s.candidates.take(np.array([s.index]))
        slots = kv_capacity_sequences(c, memory_budget(c), float(max_model_len(x.question.workload)))
        taken = min(taken, max(1, int(slots[0, 0])))
    return min(max(8, 8 * math.ceil(wanted / 8.0)), taken)


def _chosen_index(x: Context, s: Sized) -> int:
    return s.deployment.row if s.deployment else s.index


def _stack(x: Context, s: Sized) -> tuple[Stack, str]:
    candidate, d = s.candidate, s.deployment
    checkpoint, doubt = checkpoint_of(x.question.model, x.entry, candidate.layout.weight_precision, candidate.engine)
    stack = Stack(
        model=x.model.id,
        checkpoint=checkpoint,
        engine=candidate.engine,
        chip=candidate.chip,
        layout=candidate.layout,
        system=s.site.system,
        speculation=candidate.speculation,
        lora=candidate.lora,
        pools=s.pools,
        beside=d.beside if d else None,
        offer=d.offer if d else None,
        price=d.price if d else None,
        region=s.site.region,
        grid=s.site.grid,
    )
    return stack, doubt


def _metrics(s: Sized) -> dict[str, Interval]:
    found = {}
    for name, value in s.spread.value.items():
        low, high = s.spread.interval(name)
        found[name] = Interval(*(float(v[s.index, 0]) for v in (value, low, high)))
    return found


def _cost(x: Context, s: Sized) -> TokenCost | None:
    if s.deployment is None:
        return None
    w = x.question.workload
    c = s.candidates.take(np.array([s.index]))
    service = serve(c, w, np.array([[s.load]]))
    if isinstance(c, Pooled):  # prompts pay for the chips that run them
        prompt = float((c.prefill_workers * c.prefill.n_chips / c.n_chips).flat[0])
    else:
        prompt = float((service.request_rate / c.shard.data * service.phases.batched_prompt_s).flat[0])
    output = s.output_tokens_per_s
    return token_cost(s.deployment.usd_per_hour, output / w.output.mean * w.input.mean, output, prompt)


def _money(x: Context, value: float | None, s: Sized) -> Interval | None:
    """Interval of a cost: what one replica can carry within the promise, and the price where its range is known.

    For a given load, the whole units that would be rented if a replica carried more or less than predicted; what so
    many users of a closed loop write in an hour then spreads as the rate of a replica does. Where each stack runs at
    its own optimum, ln(cost) spreads as ln(capacity) does.
    """
    d = s.deployment
    if value is None or d is None:
        return None
    factor = math.exp(Z * s.sd_capacity)
    fewer, more = 1.0 / factor, factor
    w = x.question.workload
    if w.rate_per_s is not None or w.concurrency is not None:
        packing = packing_of(s.candidates, s.index, d.offer) or Packing(s.replica_chips, d.offer.chips)
        i = d.row
        capacity = float(x.chosen.spread.value["requests_per_s"][i, 0])
        units = units_range(x.question, packing, capacity, float(x.chosen.loads[i, 0]), factor)
        fewer, more = min(units[0] / d.units, 1.0), max(units[1] / d.units, 1.0)
        if w.concurrency is not None:
            slowest, fastest = (float(end[s.index, 0]) for end in s.spread.interval("requests_per_s"))
            rate = s.metric("requests_per_s")
            fewer, more = fewer * rate / fastest, more * rate / slowest
    low, high = (getattr(d.price, end).get("usd_per_hour", d.price.usd_per_hour) for end in ("low", "high"))
    low, high = (value * share * usd / d.price.usd_per_hour for share, usd in ((fewer, low), (more, high)))
    return Interval(value, min(low, value), max(high, value))


def _energy(s: Sized) -> tuple[Interval, Interval | None]:
    """Joules per output token and kg CO2e per million output tokens, host and PUE included."""
    f = s.footprint
    spread = math.exp(Z * float(s.spread.sd_ln("chip_joules_per_output_token")[s.index, 0]))
    energy = Interval(f.joules_per_output_token, f.joules_per_output_token / spread, f.joules_per_output_token * spread)
    if f.kgco2_per_mtok_output is None:
        return energy, None
    return energy, energy.scaled(f.kgco2_per_mtok_output / f.joules_per_output_token)


def _other_contracts(x: Context, s: Sized) -> tuple[tuple[str, float, str], ...]:
    """(contract, USD per hour of this deployment, region) of the same offer under other contracts, cheapest first."""
    if s.deployment is None:
        return ()
    d = s.deployment
    found = [
        (price.contract, d.units * price.usd_per_hour, price.regions[0])
        for price in x.marketplace.under_other_contracts(d.offer, d.price.contract)
    ]
    best: dict[str, tuple[str, float, str]] = {}
    for row in sorted(found, key=lambda r: r[1]):
        best.setdefault(row[0], row)
    return tuple(best.values())


def _why(x: Context, s: Sized, stack: Stack) -> str:
    """What limits this stack, in one sentence."""
    q = x.question
    percentile = f"p{q.slo.percentile:g}"
    shares = []
    for label, name, limit in (
        ("TTFT", f"ttft_{percentile}_s", q.slo.ttft_s),
        ("TPOT", f"tpot_{percentile}_s", q.slo.tpot_s),
    ):
        if limit is not None:
            shares.append((s.metric(name) / limit, label))
    c = s.candidates.take(np.array([s.index]))
    service = serve(c, q.workload, np.array([[s.load]]))
    step = service.phases.decode
    largest = max(step.parts, key=lambda p: float(np.asarray(p.seconds).flat[0]))
    share = float(np.asarray(largest.seconds).flat[0] / step.seconds.flat[0])
    memory_bound = float(np.asarray(largest.memory_s).flat[0]) >= float(np.asarray(largest.compute_s).flat[0])
    bound = "memory bandwidth" if memory_bound else "arithmetic"
    if not np.any(largest.n_bytes):
        bound = "fixed overhead or links"
    limit_text = f"{max(shares)[1]} is the tighter promise at {max(shares)[0]:.0%} of its limit; " if shares else ""
    running, fitting = (f"{float(n.flat[0]):.0f}" for n in (service.phases.running, service.phases.fitting))
    run = "sequence runs" if running == "1" else "sequences run"
    return (
        f"{limit_text}decode spends {share:.0%} in {largest.name} ({bound}); per attention rank "
        f"{running} {run} of {fitting} that fit"
    )


def _notes(x: Context, s: Sized, stack: Stack, doubt: str) -> tuple[str, ...]:
    notes = [doubt] if doubt else []
    if s.p_meets < CONFIDENT:
        notes.append(f"keeps the promise with probability {s.p_meets:.0%} only")
    if stack.chip.status not in ("shipping", "legacy"):
        notes.append(f"{stack.chip.id} is {stack.chip.status}: extrapolated")
    if ranges := range_words(stack.chip, alone=stack.layout.n_chips == 1):
        notes.append(f"figures of {stack.chip.id} are known within a range only ({ranges}): intervals are wider for it")
    if stack.engine.confidence == "assumption":
        notes.append(f"{stack.engine.id}: {stack.engine.name.lower()}, nothing of it was measured")
    if stack.price is not None:
        today = dt.date.today()
        if stack.price.stale(today):
            notes.append(f"price is {stack.price.age_days(today)} days old")
        if stack.price.confidence in ("press", "assumption"):
            notes.append(f"price is weakly sourced ({stack.price.confidence})")
        notes += [f"offer: {n}" for n in (stack.offer.note if stack.offer else "", stack.price.note) if n]
    notes += _market_notes(x, stack)
    if stack.offer is not None and stack.grid is None:
        notes.append("no electricity data for this region: PUE 1.0, no carbon figure")
    if stack.grid is not None and stack.grid.confidence == "assumption":
        notes.append(f"electricity of region {stack.region!r} is assumed: {stack.grid.note or stack.grid.source}")
    d = s.deployment
    if d and s.n_chips > s.replicas * stack.replica_chips:
        notes.append(f"{s.n_chips - s.replicas * stack.replica_chips} rented chips stay idle")
    if d and d.beside:
        notes.append(
            f"prefill workers on {d.beside.units} x {d.beside.offer.instance} of {d.beside.offer.provider}, "
            f"{d.beside.price.contract}: both kinds must be had on one network"
        )
    notes += _of_the_way(s, x.question.workload.concurrency is not None)
    return tuple(notes)


def _of_the_way(s: Sized, closed: bool) -> list[str]:
    """What is not measured about the way of serving."""
    c, row = s.candidates, s.index
    workers = [c.prefill.entries[row], c.decode.entries[row]] if isinstance(c, Pooled) else [c.entries[row]]
    unmeasured = dict.fromkeys(words for e in workers for words in e.beyond)
    notes = [f"extrapolated: no measured point of {words}" for words in unmeasured]
    if isinstance(c, Pooled):
        notes.append("disaggregated pools: TTFT near saturation of the prefill pool is known to a factor only")
        notes.append("power of pools is unvalidated: no measured row has watts")
        if not closed:
            notes.append("extrapolated: no measured point of pools in an open loop")
    draft = s.candidate.speculation
    if draft is not None and draft.acceptance_length is None:
        accepted = float((c.decode if isinstance(c, Pooled) else c).emitted[row, 0])
        notes.append(f"{accepted:.2f} tokens accepted per step: the constant draft_acceptance, not your text")
    return notes


def _market_notes(x: Context, stack: Stack) -> list[str]:
    """How the capacity is got, and which constraint is left to whoever owns the machine."""
    if stack.offer is None or stack.price is None:
        return []
    found = [f"availability: {a.text} ({a.source})" for a in availability_of(stack.offer, stack.price, stack.chip)]
    m = x.question.market
    asked = [*([f"residency {m.residency}"] if m.residency else []), *m.certified]
    if asked and stack.price.contract == OWNED:
        found.append(f"own premises: {', '.join(asked)} is yours to ensure")
    return found


def _sources(stack: Stack) -> tuple[str, ...]:
    chip = stack.chip
    found = [
        f"chip: {chip.rates.source}",
        f"engine: {stack.engine.name} {stack.engine.version}: {stack.engine.source}",
    ]
    found += [
        f"{stack.engine.name} on {chip.family}: {s.source}"
        for s in stack.engine.supports
        if chip.family in s.families and s.source
    ]
    if stack.price is not None:
        found.append(f"price: {stack.price.source} ({stack.price.date}, {stack.price.confidence})")
    if stack.system is not None:
        found.append(f"power: {stack.system.source}")
    if stack.grid is not None:
        found.append(f"electricity: {stack.grid.source}")
    return tuple(found)
