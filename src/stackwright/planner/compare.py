"""The stack one runs today, evaluated under the same traffic, and what changing it would bring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stackwright.catalog import Catalog, Offer, Price
from stackwright.economics import OWNED, Packing, owned_offers
from stackwright.errors import InputError
from stackwright.performance import Candidate, Layout
from stackwright.planner.answer import Plan
from stackwright.planner.offers.join import LARGEST_DEPLOYMENT

_KEYS = {
    "chip", "engine", "tp", "pp", "ep", "attention_dp", "cp", "weight_precision", "kv_precision", "replicas",
    "usd_per_hour", "offer", "contract", "region",
}  # fmt: skip


@dataclass(frozen=True)
class Today:
    """The stack of today: `replicas` replicas of a candidate on `units` units of an offer (None: no price known)."""

    candidate: Candidate
    replicas: int
    rented: tuple[Offer, Price] | None
    units: int


def read_stack(path: Path, catalog: Catalog) -> Today:
    """A stack from a YAML file (keys in docs/plan.md). Raises `InputError` naming file and key."""
    try:
        body: Any = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(body, dict):
        raise InputError(f"{path}: expected keys such as chip, engine, tp, replicas, usd_per_hour")
    unknown = sorted(str(k) for k in body if k not in _KEYS)
    if unknown:
        raise InputError(f"{path}: unknown key {unknown[0]!r}; known: {', '.join(sorted(_KEYS))}")
    for key in ("chip", "engine"):
        if key not in body:
            raise InputError(f"{path}: lacks {key!r}")
    sizes = {k: _whole(path, body, k) for k in ("tp", "pp", "ep", "attention_dp", "cp")}
    layout = Layout(
        **sizes,
        weight_precision=str(body.get("weight_precision", "bf16")),
        kv_precision=str(body.get("kv_precision", "bf16")),
    )
    replicas = _whole(path, body, "replicas")
    candidate = Candidate(catalog.engine(str(body["engine"])), catalog.chip(str(body["chip"])), layout)
    rented, units = _rented(path, body, catalog, candidate, replicas)
    return Today(candidate, replicas, rented, units)


def _whole(path: Path, body: dict[str, Any], key: str) -> int:
    value = body.get(key, 1)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_DEPLOYMENT:
        raise InputError(f"{path}: {key} = {value!r} is not a whole number from 1 to {LARGEST_DEPLOYMENT}")
    return value


def _rented(
    path: Path, body: dict[str, Any], catalog: Catalog, candidate: Candidate, replicas: int
) -> tuple[tuple[Offer, Price] | None, int]:
    """The offer with its price, and how many units: from the catalogue, or made from the USD per hour given."""
    if "usd_per_hour" in body:
        value = body["usd_per_hour"]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise InputError(f"{path}: usd_per_hour = {value!r} is not a number above 0")
        return _own_offer(candidate, value / replicas), replicas
    if "offer" not in body:
        stray = next((k for k in ("contract", "region") if k in body), None)
        if stray:
            raise InputError(f"{path}: {stray} belongs to an offer: give the id of one, or usd_per_hour")
        return None, 0
    wanted, contract = str(body["offer"]), str(body.get("contract", "on_demand"))
    regions = (str(body["region"]),) if "region" in body else None
    pairs = catalog.offers_for(candidate.chip.id, None, (contract,), regions)
    if contract == OWNED:
        pairs = [(offer, price) for offer in owned_offers(catalog, candidate.chip.id) for price in offer.prices]
    found = [pair for pair in pairs if pair[0].id == wanted]
    if not found:
        raise InputError(f"{path}: no {contract} price of offer {wanted!r} for {candidate.chip.id} in the catalogue")
    return found[0], Packing(candidate.layout.n_chips, found[0][0].chips).units(replicas)


def _own_offer(candidate: Candidate, usd_per_hour: float) -> tuple[Offer, Price]:
    """One replica as a unit of its own at the user's price."""
    chips = candidate.layout.n_chips
    price = Price(
        contract="on_demand",
        usd_per_hour=usd_per_hour,
        regions=("today",),
        source="given by the user",
        confidence="measured",
    )
    offer = Offer(
        id="today",
        provider="today",
        instance="today",
        chip=candidate.chip.id,
        chips=chips,
        unit="instance",
        scale_up_chips=chips,
        max_replica_chips=chips,
        prices=(price,),
    )
    return offer, price


def changes(today: Plan, best: Plan) -> tuple[str, ...]:
    """What the best plan changes against today, one line each."""
    lines = []
    a, b = today.stack, best.stack
    for label, old, new in (
        ("chip", f"{today.n_chips} x {a.chip.id}", f"{best.n_chips} x {b.chip.id}"),
        ("engine", a.engine.id, b.engine.id),
        ("weights", a.layout.weight_precision, b.layout.weight_precision),
        ("layout", f"{today.replicas} x ({a.layout})", f"{best.replicas} x ({b.layout})"),
    ):
        if old != new:
            lines.append(f"{label}: {old} -> {new}")
    if today.usd_per_hour and best.usd_per_hour:
        share = best.usd_per_hour / today.usd_per_hour - 1.0
        lines.append(f"cost: {today.usd_per_hour:.2f} -> {best.usd_per_hour:.2f} USD/hour ({share:+.0%})")
    for name in sorted(n for n in today.metrics if n.startswith(("ttft_p", "tpot_p"))):
        old_s, new_s = today.metrics[name].value, best.metrics[name].value
        lines.append(f"{name.removesuffix('_s')}: {old_s * 1e3:.0f} -> {new_s * 1e3:.0f} ms")
    lines.append(f"probability of keeping the promise: {today.p_meets_slo:.0%} -> {best.p_meets_slo:.0%}")
    return tuple(lines)
