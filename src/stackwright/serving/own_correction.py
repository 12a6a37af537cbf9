"""Own measurements applied to figures: TTFT and TPOT take their factor, the others follow by their identities.

E2E = TTFT + (O - 1) TPOT keeps holding, and throughput follows by Little's law: at given users it goes with 1 / E2E,
at a given number of decoding sequences (open loop) with 1 / TPOT. Power stays, so energy per token goes the other way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackwright.performance import Candidates
from stackwright.performance.own_points import Cell, cell_of, cell_words
from stackwright.serving.intervals import Metrics, Uncertain
from stackwright.serving.traffic import Traffic

Array = NDArray[np.float64]

_RATES = ("requests_per_s", "output_tokens_per_s_per_chip", "total_tokens_per_s_per_chip", "requests_per_s_at_load")


@dataclass(frozen=True)
class Factors:
    """By metric, arrays of shape (candidates, loads): the factor, and the share of the spread that is left."""

    ttft: Array
    tpot: Array
    ttft_left: Array
    tpot_left: Array


def places(c: Candidates, t: Traffic, load: Array) -> Array:
    """Operating points as `likeness` compares them, shape (candidates, loads, 7)."""
    layout = [e.layout for e in c.entries]
    columns = [
        load, np.asarray(t.input_mean), np.asarray(t.output_mean),
        *(np.array([[float(getattr(v, name))] for v in layout]) for name in ("n_chips", "ep", "attention_dp", "pp")),
    ]  # fmt: skip
    shape = np.broadcast_shapes(*(np.shape(v) for v in columns))
    return np.stack([np.broadcast_to(np.log(np.maximum(v, 1e-9)), shape) for v in columns], axis=-1)


def factors(c: Candidates, t: Traffic, load: Array) -> Factors | None:
    """What own points say of candidates at `load` (users, or decoding sequences of an open loop); None if nothing."""
    own = [c.constants.own.get(cell) for cell in _cells(c)] if c.constants.own else []
    if not any(own):
        return None
    where = places(c, t, np.asarray(load, dtype=float))
    found = {(m, k): np.full(where.shape[:2], float(k)) for m in ("ttft", "tpot") for k in (0, 1)}
    for cell in {id(o): o for o in own if o}.values():
        rows = np.array([i for i, o in enumerate(own) if o is cell])
        for metric, learnt in cell.metrics.items():
            found[metric, 0][rows], found[metric, 1][rows] = learnt.at(where[rows])
    return Factors(np.exp(found["ttft", 0]), np.exp(found["tpot", 0]), found["ttft", 1], found["tpot", 1])


def corrected(metrics: dict[str, Array], c: Candidates, t: Traffic, load: Array) -> dict[str, Array]:
    """Metrics with own points taken into account; without any for these candidates, as they are."""
    f = factors(c, t, load)
    if f is None:
        return metrics
    e2e = _of_e2e(f.ttft, f.tpot, _ttft_share(metrics))
    rate = 1.0 / (e2e if t.closed else f.tpot)
    by = {"ttft": f.ttft, "tpot": f.tpot, "e2e": e2e, "requests": rate, "output": rate, "total": rate}
    found = {name: value * by.get(name.split("_")[0], 1.0) for name, value in metrics.items()}
    if "chip_joules_per_output_token" in found:
        found["chip_joules_per_output_token"] = found["chip_joules_per_output_token"] / rate
    return found


def narrowed(u: Uncertain, c: Candidates, t: Traffic, load: Array) -> Uncertain:
    """The spread that own points leave: ends shrink with the posterior, to what the record misses of a seen pair.

    Values are corrected already. Energy keeps its interval.
    """
    f = factors(c, t, load)
    if f is None:
        return u
    both = _of_e2e(f.ttft_left, f.tpot_left, _ttft_share(u.value))
    ends = {}
    for name, (low, high) in u.ends.items():
        kind = name.split("_")[0]
        left = {"ttft": f.ttft_left, "tpot": f.tpot_left, "e2e": both}.get(kind, both if name in _RATES else None)
        ends[name] = (low, high) if left is None else shrunk(low, high, left, *_floor(c, kind))
    return replace(u, ends=ends)


def own_words(c: Candidates, t: Traffic, load: Array) -> str:
    """One line for people on the first candidate: how many points, and what they do to the means; '' without any."""
    cell = _cells(c)[0]
    own, f = c.constants.own.get(cell), factors(c, t, load)
    if own is None or f is None:
        return ""
    said = [f"{metric.upper()} x{float(getattr(f, metric).flat[0]):.2f}" for metric in ("ttft", "tpot")]
    return (
        f"corrected by {own.n} own point{'s' if own.n > 1 else ''} of {cell_words(cell)}: "
        f"{', '.join(said)} here, intervals narrowed"
    )


def shrunk(
    low: Array | float, high: Array | float, left: Array, floor_low: float, floor_high: float
) -> tuple[Array, Array]:
    """Ends of ln with the share `left` of their spread, no nearer than the floor (<= 0 <=), no farther than before."""
    return np.maximum(low, np.minimum(low * left, floor_low)), np.minimum(high, np.maximum(high * left, floor_high))


def _cells(c: Candidates) -> list[Cell]:
    return [cell_of(context, entry.speculation) for context, entry in zip(c.contexts, c.entries, strict=True)]


def _floor(c: Candidates, kind: str) -> tuple[float, float]:
    """Ends that own points never go below: those of a pair that was measured, where the record knows them."""
    record = c.constants.calibration
    metric = {"ttft": "ttft", "tpot": "tpot"}.get(kind, "throughput")
    known = record.factors.get(metric, {}).get("pair_seen") if record else None
    if known is None:
        return 0.0, 0.0
    low, high = min(known.low, 0.0), max(known.high, 0.0)
    return (low, high) if kind != "e2e" else (-high, -low)


def _ttft_share(metrics: Metrics) -> Array:
    """TTFT over E2E, means; 0 where the load is unstable."""
    with np.errstate(invalid="ignore"):
        share: Array = np.clip(np.nan_to_num(metrics["ttft_mean_s"] / metrics["e2e_mean_s"]), 0.0, 1.0)
    return share


def _of_e2e(ttft: Array, tpot: Array, share: Array) -> Array:
    return share * ttft + (1.0 - share) * tpot
