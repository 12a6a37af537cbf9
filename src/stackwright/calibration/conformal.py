r"""Interval factors from out-of-fold residuals: group-conformal, two-sided 90 %, one pair of ends per support level.

With r = ln(measured / predicted) of rows held out with their group, the ends are the 5 % and 95 % quantiles of r with
each of G groups weighing the same, at levels corrected for finite G: :math:`q (G + 1) / G` (hierarchical conformal
prediction, Lee, Barber and Willett 2023, with each tail on its own). Fewer than `LEAST_GROUPS` groups cannot hold up
a tail of 5 %: then the ends lie symmetrically around the median, where the 90 % quantile of the distance puts them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.crossval import OutOfFold
from stackwright.calibration.groups import How
from stackwright.calibration.observations import METRICS
from stackwright.performance.calibration import Factor, Support

Array = NDArray[np.float64]
Factors = dict[str, dict[str, Factor]]

LEVEL = 0.90
LEAST_GROUPS = 20
HELD_OUT: Mapping[Support, How] = {
    "pair_seen": "random", "pair_unseen": "pair", "model_unseen": "model", "chip_unseen": "chip",
}  # fmt: skip
"""Which cross-validation holds rows out the way a support level does."""


def factors(found: Mapping[How, OutOfFold]) -> Factors:
    """Factors by metric and support level, of those cross-validations that were made.

    A level that lies further away is never narrower than one nearer by; `unseen` joins model and chip in quadrature.
    """
    result: Factors = {metric: {} for metric in METRICS}
    for m, metric in enumerate(METRICS):
        by = result[metric]
        for support, how in HELD_OUT.items():
            if how not in found:
                continue
            residual, keys = held_out(found[how], m)
            if len(residual):
                by[support] = Factor(*ends(residual, keys), len(set(keys)))
        for near, far in (
            ("pair_seen", "pair_unseen"),
            ("pair_unseen", "model_unseen"),
            ("pair_unseen", "chip_unseen"),
        ):
            if near in by and far in by:
                by[far] = Factor(min(by[near].low, by[far].low), max(by[near].high, by[far].high), by[far].n)
        if "model_unseen" in by and "chip_unseen" in by:
            a, b = by["model_unseen"], by["chip_unseen"]
            by["unseen"] = Factor(-math.hypot(a.low, b.low), math.hypot(a.high, b.high), min(a.n, b.n))
    return {metric: {s: _rounded(f) for s, f in by.items()} for metric, by in result.items() if by}


def held_out(x: OutOfFold, metric: int) -> tuple[Array, list[str]]:
    """Residuals and groups of the rows whose fold left them at the support level this cross-validation stands for.

    A row whose engine, say, vanished with its chip was further away than that and does not count.
    """
    wanted = next(s for s, how in HELD_OUT.items() if how == x.how)
    r = x.residual[metric]
    kept = np.nonzero(np.isfinite(r) & np.array([s == wanted for s in x.supports]))[0]
    return r[kept], [x.keys[int(i)] for i in kept]


def ends(residual: Array, keys: Sequence[str]) -> tuple[float, float]:
    """Low and high of the two-sided interval of ln(measured / predicted), each group of `keys` weighing the same.

    >>> ends(np.linspace(-1, 1, 41), [str(i) for i in range(41)])
    (-0.95, 0.95)
    """
    order = np.argsort(residual, kind="stable")
    weight = _weights(keys)
    return _ends(residual[order], weight[order], len(set(keys)))


def leave_group_out(residual: Array, keys: Sequence[str]) -> tuple[Array, Array]:
    """For each row the ends that the other groups give, so that coverage is counted on groups held out here too."""
    order = np.argsort(residual, kind="stable")
    r, names = residual[order], np.array(keys)[order]
    weight = _weights(keys)[order]
    low, high = np.empty(len(r)), np.empty(len(r))
    groups = sorted(set(keys))
    if len(groups) < 2:
        return np.full(len(r), -np.inf), np.full(len(r), np.inf)
    for group in groups:
        own = names == group
        found = _ends(r[~own], weight[~own], len(groups) - 1)
        low[order[own]], high[order[own]] = found
    return low, high


def covered(x: OutOfFold, metric: int) -> Array:
    """For each row of `x` whether the ends that the other groups give hold it (1 or 0), NaN where not measured."""
    r = x.residual[metric]
    kept = np.nonzero(np.isfinite(r))[0]
    found = np.full(len(r), np.nan)
    if len(kept):
        low, high = leave_group_out(r[kept], [x.keys[int(i)] for i in kept])
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


def _weights(keys: Sequence[str]) -> Array:
    names, place, sizes = np.unique(np.array(keys), return_inverse=True, return_counts=True)
    weight: Array = 1.0 / sizes[np.ravel(place)] / len(names)
    return weight


def _ends(ordered: Array, weight: Array, groups: int) -> tuple[float, float]:
    tail = (1.0 - LEVEL) / 2.0
    share = weight / weight.sum()
    if groups >= LEAST_GROUPS:
        upper = min((1.0 - tail) * (groups + 1) / groups, 1.0)
        return -_quantile(-ordered[::-1], share[::-1], upper), _quantile(ordered, share, upper)
    middle = _quantile(ordered, share, 0.5)
    distance = np.abs(ordered - middle)
    order = np.argsort(distance, kind="stable")
    half = _quantile(distance[order], share[order], min(LEVEL * (groups + 1) / groups, 1.0))
    return middle - half, middle + half


def _quantile(ordered: Array, share: Array, level: float) -> float:
    """The smallest value below which, itself included, at least `level` of the weight lies."""
    place = int(np.searchsorted(np.cumsum(share), level - 1e-9))
    return float(ordered[min(place, len(ordered) - 1)])


def _rounded(f: Factor) -> Factor:
    return Factor(round(f.low, 4), round(f.high, 4), f.n)
