r"""Interval factors from out-of-fold residuals: group-conformal, two-sided 90 %, one pair of ends per support level.

With r = ln(measured / predicted) of rows held out with their group, the ends are the tails of r with each group
weighing the same, so that a group of many rows does not speak for the others. Finite samples: the ends of the 5 % tails
are moved away from the median by one factor, the least at which those that the other groups give cover each left-out
group at 90 % on average (the jackknife over groups). The bound that holds for every law (levels times (G + 1) / G:
hierarchical conformal prediction, Lee, Barber and Willett 2023) would need 19 groups for a tail to be finite, and there
are 8 chips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.fit.observations import METRICS
from stackwright.calibration.judge.crossval import OutOfFold
from stackwright.calibration.rows.groups import How
from stackwright.performance.calibration import Factor, Support
from stackwright.performance.pools import DISAGGREGATED

Array = NDArray[np.float64]
Factors = dict[str, dict[str, Factor]]

LEVEL = 0.90
TAIL = 0.05
WIDENINGS = tuple(1.0 + 0.05 * i for i in range(31))
MANY_GROUPS = 200
VENDOR_GROUPS = 30
HELD_OUT: Mapping[Support, How] = {
    "pair_seen": "random", "pair_unseen": "pair", "model_unseen": "model", "chip_unseen": "chip",
}  # fmt: skip
"""Which cross-validation holds rows out the way a support level does."""


def factors(found: Mapping[How, OutOfFold]) -> Factors:
    """Factors by metric and support level, of those cross-validations that were made.

    A level that lies further away is never narrower than one nearer by; `unseen` joins model and chip in quadrature.
    A maker of chips with `VENDOR_GROUPS` groups at a level has factors of its own, under `level|vendor`.
    """
    result: Factors = {}
    for m, metric in enumerate(METRICS):
        common = _levels(found, m, "")
        by = _consistent(common)
        for vendor in sorted({v for x in found.values() for v in x.vendors}):
            own = _levels(found, m, vendor)
            if own:
                by |= {f"{s}|{vendor}": f for s, f in _consistent(common | own).items()}
        if by:
            result[metric] = {s: Factor(round(f.low, 4), round(f.high, 4), f.n) for s, f in by.items()}
    return result


def pool_factors(found: Mapping[How, OutOfFold]) -> Factors:
    """Factors of disaggregated pools, under names of their own (`metric|disaggregated`): they miss by more."""
    return {f"{metric}|{DISAGGREGATED}": by for metric, by in factors(found).items()}


def _levels(found: Mapping[How, OutOfFold], metric: int, vendor: str) -> dict[str, Factor]:
    """Factors by support level of all chips, or of one maker's where it has enough groups."""
    by = {}
    for support, how in HELD_OUT.items():
        if how in found:
            residual, keys = held_out(found[how], metric, vendor)
            if len(residual) and (not vendor or len(set(keys)) >= VENDOR_GROUPS):
                by[str(support)] = Factor(*ends(residual, keys), len(set(keys)))
    return by


def _consistent(by: Mapping[str, Factor]) -> dict[str, Factor]:
    """The same with farther levels at least as wide as nearer ones, and `unseen`."""
    found = dict(by)
    for near, far in (("pair_seen", "pair_unseen"), ("pair_unseen", "model_unseen"), ("pair_unseen", "chip_unseen")):
        if near in found and far in found:
            a, b = found[near], found[far]
            found[far] = Factor(min(a.low, b.low), max(a.high, b.high), b.n)
    if "model_unseen" in found and "chip_unseen" in found:
        a, b = found["model_unseen"], found["chip_unseen"]
        found["unseen"] = Factor(-math.hypot(a.low, b.low), math.hypot(a.high, b.high), min(a.n, b.n))
    return found


def held_out(x: OutOfFold, metric: int, vendor: str = "") -> tuple[Array, list[str]]:
    """Residuals and groups of the rows whose fold left them at the support level this cross-validation stands for.

    A row whose engine, say, vanished with its chip was further away than that and does not count. `vendor` chooses
    the chips of one maker.
    """
    wanted = next(s for s, how in HELD_OUT.items() if how == x.how)
    r = x.residual[metric]
    chosen = np.array([s == wanted and vendor in ("", v) for s, v in zip(x.supports, x.vendors, strict=True)])
    kept = np.nonzero(np.isfinite(r) & chosen)[0]
    return r[kept], [x.keys[int(i)] for i in kept]


def ends(residual: Array, keys: Sequence[str]) -> tuple[float, float]:
    """Low and high of the two-sided interval of ln(measured / predicted), each group of `keys` weighing the same.

    >>> [round(v, 2) for v in ends(np.linspace(-1, 1, 401), [str(i) for i in range(401)])]
    [-0.9, 0.9]
    """
    x = _ordered(residual, keys)
    return _wider(_tails(x.r, x.weight), _widening(x))


def leave_group_out(residual: Array, keys: Sequence[str]) -> tuple[Array, Array]:
    """For each row the ends that the other groups give, so that coverage is counted on groups held out here too."""
    x = _ordered(residual, keys)
    low, high = np.empty(len(x.r)), np.empty(len(x.r))
    if x.groups < 2:
        return np.full(len(x.r), -np.inf), np.full(len(x.r), np.inf)
    factor = _widening(x)
    for group in range(x.groups):
        own = x.group == group
        place = x.order[own]
        low[place], high[place] = _wider(_tails(x.r[~own], x.weight[~own]), factor)
    return low, high


@dataclass(frozen=True)
class _Ordered:
    """Residuals in ascending order (`order` are their places before), their groups and weights."""

    r: Array
    order: NDArray[np.intp]
    group: NDArray[np.intp]
    weight: Array
    groups: int


def _ordered(residual: Array, keys: Sequence[str]) -> _Ordered:
    order = np.argsort(residual, kind="stable")
    names, place, sizes = np.unique(np.array(keys), return_inverse=True, return_counts=True)
    group = np.ravel(place)[order]
    return _Ordered(residual[order], order, group, 1.0 / sizes[group], len(names))


Tails = tuple[float, float, float]


def _tails(r: Array, weight: Array) -> Tails:
    """Low end, median and high end of residuals in ascending order, 5 % beyond either end."""
    low, middle, high = (_quantile(r, weight, q) for q in (TAIL, 0.5, 1.0 - TAIL))
    return low, middle, high


def _wider(tails: Tails, factor: float) -> tuple[float, float]:
    low, middle, high = tails
    return middle - factor * (middle - low), middle + factor * (high - middle)


def _widening(x: _Ordered) -> float:
    """The least factor at which left-out groups are covered at `LEVEL` on average."""
    if x.groups < 2 or x.groups >= MANY_GROUPS:
        return WIDENINGS[0]
    held = np.zeros(len(WIDENINGS))
    for group in range(x.groups):
        own = x.group == group
        tails = _tails(x.r[~own], x.weight[~own])
        for i, factor in enumerate(WIDENINGS):
            low, high = _wider(tails, factor)
            held[i] += np.mean((x.r[own] >= low) & (x.r[own] <= high)) / x.groups
    enough = np.nonzero(held >= LEVEL - 1e-9)[0]
    return WIDENINGS[int(enough[0])] if len(enough) else WIDENINGS[-1]


def covered(x: OutOfFold, metric: int) -> Array:
    """For each row of `x` whether the ends that the other groups give hold it (1 or 0), NaN where not measured."""
    r = x.residual[metric]
    vendors = np.array(x.vendors)
    known = np.isfinite(r)
    found = np.full(len(r), np.nan)
    for vendor in ("", *sorted(set(x.vendors))):
        kept = np.nonzero(known & ((vendors == vendor) | (vendor == "")))[0]
        keys = [x.keys[int(i)] for i in kept]
        if len(kept) and (not vendor or len(set(keys)) >= VENDOR_GROUPS):
            low, high = leave_group_out(r[kept], keys)
            found[kept] = (r[kept] >= low) & (r[kept] <= high)
    return found


def correlation(x: OutOfFold) -> float:
    """Correlation of the ln residuals of TTFT and TPOT (Spearman's, as a normal law has it: robust to outliers)."""
    a, b = x.residual[METRICS.index("ttft")], x.residual[METRICS.index("tpot")]
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 3:
        return 0.0
    first, second = (np.argsort(np.argsort(v[both], kind="stable")) for v in (a, b))
    rho = float(np.corrcoef(first, second)[0, 1])
    return round(2.0 * math.sin(math.pi / 6.0 * rho), 3)


def _quantile(ordered: Array, weight: Array, level: float) -> float:
    """The value below which, half of its own weight included, `level` of the weight lies (linear in between)."""
    total = np.cumsum(weight)
    return float(np.interp(level * total[-1], total - 0.5 * weight, ordered))
