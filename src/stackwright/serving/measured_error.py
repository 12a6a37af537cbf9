"""Intervals of a calibrated record: what predictions missed on rows held out, by how near the measurements are.

The record holds, for TTFT, TPOT and throughput and for each level of support, the ends of ln(measured / predicted);
this room gives them to every metric of a candidate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.performance.calibration import SUPPORTS, Calibration, Context, Factor, Support
from stackwright.performance.pools import Pooled, Served
from stackwright.serving.intervals import Ends, Metrics, Uncertain, Z

Array = NDArray[np.float64]

WORDS: Mapping[Support, str] = {
    "pair_seen": "this model on this chip was measured",
    "pair_unseen": "model and chip were measured, but not together, or with another engine only",
    "model_unseen": "no measurement of this model",
    "chip_unseen": "no measurement of this chip",
    "unseen": "no measurement of this model, chip or engine",
}
_OPEN_LOOP_MOST = 20.0


@dataclass(frozen=True)
class Evidence:
    """Measured points behind a prediction: the support level, and how many share what with it.

    `same_all`: chip, network and engine; `same_pair`: chip and network; `same_chip`, `same_network`; `all`.
    """

    support: Support
    same_all: int
    same_pair: int
    same_chip: int
    same_network: int
    all: int

    @property
    def words(self) -> str:
        """One line for people."""
        return (
            f"{WORDS[self.support]}: of {self.all} points fitted, {self.same_all} are of this chip, model and engine, "
            f"{self.same_pair} of this chip and model, {self.same_chip} of this chip, {self.same_network} of this model"
        )


def evidence(record: Calibration, context: Context) -> Evidence:
    """Which measured points of a record stand behind a candidate."""
    where = (context.chip, context.network, context.engine)

    def count(*same: int) -> int:
        return sum(n for key, n in record.measured(context).items() if all(key[i] == where[i] for i in same))

    return Evidence(record.support(context), count(0, 1, 2), count(0, 1), count(0), count(1), record.n_rows)


def has_factors(record: Calibration | None, contexts: Sequence[Context]) -> bool:
    """Whether the record says what predictions miss at the support of each of these candidates."""
    if record is None:
        return False
    needed = {record.support(c) for c in set(contexts)}
    names = [factor_name(metric, contexts) for metric in ("ttft", "tpot", "throughput")]
    return all(needed <= set(record.factors.get(name, {})) for name in names)


def factor_name(metric: str, contexts: Sequence[Context]) -> str:
    """Under which name the record holds the factors of a metric: disaggregated pools have their own."""
    mode = contexts[0].mode if contexts else ""
    return f"{metric}|{mode}" if mode else metric


def measured_error(c: Served, metrics: Metrics, steepness: Mapping[str, Array], closed: bool) -> Uncertain:
    """Metrics with the intervals of the record of `c` (which must have factors for them).

    An end-to-end latency takes the ends of TTFT and of the rest together, as if both missed at once; energy per token
    takes throughput upside down and the spread of power in quadrature. A closed loop's throughput is uncertain; an
    open loop's is given, and latency pays for capacity instead: `steepness` is d ln(latency) / d ln(rate) by name.
    """
    record = c.constants.calibration
    assert record is not None
    supports = _supports(record, c)
    shape = metrics["ttft_mean_s"].shape

    def ends_of(metric: str) -> tuple[Array, Array]:
        found = record.factors[factor_name(metric, c.contexts)]
        by = [(_widest(found), vendor) if beyond else (support, vendor) for support, vendor, beyond in supports]
        chosen = [found.get(f"{support}|{vendor}", found[support]) for support, vendor in by]
        low, high = (np.array([[getattr(f, end)] for f in chosen]) for end in ("low", "high"))
        return np.broadcast_to(np.minimum(low, 0.0), shape), np.broadcast_to(np.maximum(high, 0.0), shape)

    ttft, tpot, rate = (ends_of(m) for m in ("ttft", "tpot", "throughput"))
    none = (np.zeros(shape), np.zeros(shape))
    ends: dict[str, tuple[Array, Array]] = {}
    for name in metrics:
        if name.startswith("ttft_"):
            ends[name] = ttft
        elif name.startswith("tpot_"):
            ends[name] = tpot
        elif name.startswith("e2e_"):
            ends[name] = _together(metrics, name, ttft, tpot)
        elif name == "chip_watts":
            low, high = _ends_of_power(c, record)
            ends[name] = (low + none[0], high + none[0])
        elif name == "requests_per_s_at_load":
            ends[name] = rate
        elif name != "chip_joules_per_output_token":
            ends[name] = rate if closed else none
    for name, slope in steepness.items():
        low, high = ends[name]
        more = np.clip(slope, 0.0, _OPEN_LOOP_MOST)
        ends[name] = (low - more * rate[1], high - more * rate[0])
    if "chip_joules_per_output_token" in metrics:
        watts = ends["chip_watts"]
        ends["chip_joules_per_output_token"] = (-np.hypot(rate[1], watts[0]), np.hypot(rate[0], watts[1]))
    return Uncertain(metrics, ends, shared=record.correlation)


def _supports(record: Calibration, c: Served) -> list[tuple[Support, str, bool]]:
    """Support level and maker of the chip of each candidate, and whether it is served as no measured row was.

    A maker may have factors of its own. Of pools, either worker may be of an unmeasured kind.
    """
    known: dict[Context, Support] = {context: record.support(context) for context in set(c.contexts)}
    others = c.prefill.contexts if isinstance(c, Pooled) else c.contexts
    return [(known[x], x.vendor, x.beyond or y.beyond) for x, y in zip(c.contexts, others, strict=True)]


def _widest(found: Mapping[str, Factor]) -> Support:
    """The farthest support level that the record has factors for."""
    return next(s for s in reversed(SUPPORTS) if s in found)


def _together(metrics: Metrics, name: str, ttft: tuple[Array, Array], tpot: tuple[Array, Array]) -> tuple[Array, Array]:
    """Ends of ln(TTFT + the rest) when both parts are at their ends."""
    with np.errstate(invalid="ignore"):
        share = np.clip(np.nan_to_num(metrics[name.replace("e2e", "ttft")] / metrics[name]), 0.0, 1.0)
    low, high = (np.log(share * np.exp(a) + (1.0 - share) * np.exp(b)) for a, b in zip(ttft, tpot, strict=True))
    return low, high


def _ends_of_power(c: Served, record: Calibration) -> tuple[Array, Array]:
    """Ends of ln(chip watts), shape (n, 1): measured error of chips whose power was measured.

    Elsewhere the widest spread of the shares of TDP.
    """
    names = [n for n in c.constants.uncertain if n.startswith("power_")]
    half = Z * max((c.constants.sd(n) for n in names), default=0.0)
    known, prior = record.factors.get("watts", {}), Factor(-half, half, 0)
    found = [known.get(context.chip, prior) for context in c.contexts]
    return np.array([[f.low] for f in found]), np.array([[f.high] for f in found])


__all__ = ["WORDS", "Ends", "Evidence", "evidence", "factor_name", "has_factors", "measured_error"]
