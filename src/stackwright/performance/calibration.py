r"""The calibration record: shifts of the constants by level, interval factors by support, and what was fitted.

.. math:: \ln\theta_{k} = \ln\theta^0_k + \sum_{level} b_{level,\,key,\,k} + year \cdot \sum_{level} s_{level,\,key,\,k}
          + \sum_{level} \sum_{m \le month} d_{level,\,key,\,m,\,k}

with the keys of a candidate at each level (`Context.keys`) and the changes d that software made in month m. A key
that the record does not know shifts nothing: the constant falls back to what the wider levels say. The record is
fitted in `calibration/`; this room only reads it.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Shifts = Mapping[str, Mapping[str, Mapping[str, float]]]
Seen = tuple[str, str, str]
Support = Literal["pair_seen", "pair_unseen", "model_unseen", "chip_unseen", "unseen"]

SUPPORTS: tuple[Support, ...] = ("pair_seen", "pair_unseen", "model_unseen", "chip_unseen", "unseen")


_EPOCH, _DAYS_PER_YEAR = dt.date(2026, 1, 1), 365.25


def years_since_2026(day: dt.date | None) -> float:
    """Years from 2026-01-01 to a day; 0 where it is unknown."""
    return 0.0 if day is None else (day - _EPOCH).days / _DAYS_PER_YEAR


@dataclass(frozen=True)
class Context:
    """Where a candidate runs, as the levels of the record name it.

    `network` is the model (one name for checkpoints that repeat one network), `source` the harness of a measured
    row ('' for a service of one's own), `year` the date of the software in years since 2026-01-01, `mode` how prompts
    and decoding share workers ('' on the same ones, or `disaggregated`), `kind` of network: dense or moe. `beyond`:
    served in a way that no measured row was, so that intervals are the widest the record has.
    """

    engine: str
    vendor: str
    family: str
    chip: str
    precision: str
    network: str
    source: str = ""
    year: float = 0.0
    mode: str = ""
    kind: str = ""
    beyond: bool = False

    @property
    def month(self) -> str:
        """The month of the software, like 2026-03."""
        return f"{_EPOCH + dt.timedelta(days=round(_DAYS_PER_YEAR * self.year)):%Y-%m}"

    def keys(self) -> dict[str, str]:
        """The key of this context at each level."""
        return {
            "all": "",
            "engine": self.engine,
            "vendor": self.vendor,
            "family": self.family,
            "chip": self.chip,
            "engine|family": f"{self.engine}|{self.family}",
            "family|precision": f"{self.family}|{self.precision}",
            "network": self.network,
            "engine|network": f"{self.engine}|{self.network}",
            "pair": f"{self.chip}|{self.network}|{self.engine}",
            "source": self.source,
            "source|kind": f"{self.source}|{self.kind}",
            "engine|kind": f"{self.engine}|{self.kind}",
            "engine|source": f"{self.engine}|{self.source}",
            "engine|family|source": f"{self.engine}|{self.family}|{self.source}",
            "recipe": f"{self.engine}|{self.network}|{self.source}",
            "family recipe": f"{self.engine}|{self.network}|{self.family}|{self.source}",
            "mode": self.mode,
            "engine|mode": f"{self.engine}|{self.mode}",
            "pair|mode": f"{self.chip}|{self.network}|{self.engine}|{self.mode}",
        }


@dataclass(frozen=True)
class Factor:
    """ln of the factors from a prediction to the low and high end of its two-sided 90 % interval, and their basis.

    `low` <= 0 <= `high` unless the prediction is biased on what was held out; `n` groups held out.
    """

    low: float
    high: float
    n: int

    @property
    def sd_ln(self) -> float:
        """Spread of ln(metric) as a normal law of the same width would have it."""
        return (self.high - self.low) / (2.0 * 1.6448536269514722)


@dataclass(frozen=True)
class Calibration:
    """A fitted record. `factors[metric][support]`; `seen` lists (chip, network, engine) with their number of rows,
    `seen_in_pools` those of disaggregated rows, which say nothing of an aggregated replica.

    `factors["watts"]` is by chip, where its power was measured.
    `steps` holds the changes of a month under `key@2026-03`. `kernel_priors`: shifts are relative to measured
    kernels where there are any (`kernel_prior`). `spreads` are standard deviations of the shifts, `rows` the number of
    measured rows of each level and key.
    """

    version: int
    date: str
    data_hash: str
    n_rows: int
    shifts: Shifts
    slopes: Shifts
    factors: Mapping[str, Mapping[str, Factor]]
    correlation: float
    seen: Mapping[Seen, int] = field(default_factory=dict)
    row_hashes: frozenset[str] = frozenset()
    kernel_priors: bool = False
    steps: Shifts = field(default_factory=dict)
    spreads: Mapping[str, Shifts] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    seen_in_pools: Mapping[Seen, int] = field(default_factory=dict)

    @property
    def moved(self) -> frozenset[str]:
        """Names of the constants that some level moves."""
        tables = (*self.shifts.values(), *self.slopes.values(), *self.steps.values())
        return frozenset(name for level in tables for row in level.values() for name in row)

    @functools.cached_property
    def _changes(self) -> Mapping[tuple[str, str], list[tuple[str, Mapping[str, float]]]]:
        """The months of each level and key in which something changed, with the changes."""
        found: dict[tuple[str, str], list[tuple[str, Mapping[str, float]]]] = {}
        for level, table in self.steps.items():
            for name, row in table.items():
                key, _, month = name.rpartition("@")
                found.setdefault((level, key), []).append((month, row))
        return found

    @functools.cached_property
    def networks(self) -> frozenset[str]:
        """Networks that were measured."""
        return frozenset(network for _, network, _ in self.seen)

    def shifts_for(self, contexts: Sequence[Context]) -> Mapping[str, Array]:
        """ln shift of every constant that moves in some context, for each context, shape (n,)."""
        place: dict[Context, int] = {}
        rows = np.array([place.setdefault(context, len(place)) for context in contexts], dtype=np.intp)
        found: dict[str, Array] = {}
        for i, context in enumerate(place):
            for name, value in self._shifts_of(context).items():
                found.setdefault(name, np.zeros(len(place)))[i] = value
        return {name: values[rows] for name, values in found.items()}

    def _shifts_of(self, context: Context) -> dict[str, float]:
        total: dict[str, float] = {}

        def add(row: Mapping[str, float], times: float = 1.0) -> None:
            for name, value in row.items():
                total[name] = total.get(name, 0.0) + times * value

        now = context.month
        for level, key in context.keys().items():
            add(self.shifts.get(level, {}).get(key, {}))
            add(self.slopes.get(level, {}).get(key, {}), context.year)
            for month, row in self._changes.get((level, key), ()):
                if month <= now:
                    add(row)
        return total

    def measured(self, context: Context) -> Mapping[Seen, int]:
        """Rows by (chip, network, engine) that speak for a context: of aggregated replicas, for pools of both."""
        return Counter(self.seen) + Counter(self.seen_in_pools) if context.mode else self.seen

    def support(self, context: Context) -> Support:
        """How near the measurements are: the same chip and network and engine, or what of it was never seen.

        An aggregated pair that was measured with other engines only counts as not measured together; of pools, which
        are few, rows of any engine count.
        """
        seen = self.measured(context)
        chips, networks, engines = ({k[i] for k in seen} for i in range(3))
        if context.engine not in engines:
            return "unseen"
        if context.chip in chips and context.network in networks:
            size = 2 if context.mode else 3
            where = (context.chip, context.network, context.engine)[:size]
            return "pair_seen" if where in {key[:size] for key in seen} else "pair_unseen"
        if context.chip in chips:
            return "model_unseen"
        return "chip_unseen" if context.network in networks else "unseen"


def parse_calibration(raw: Mapping[str, Any]) -> Calibration:
    """A record from its JSON document."""
    return Calibration(
        version=int(raw["version"]),
        date=str(raw["date"]),
        data_hash=str(raw["data_hash"]),
        n_rows=int(raw["n_rows"]),
        shifts=_shifts(raw["shifts"]),
        slopes=_shifts(raw["slopes"]),
        factors={
            metric: {support: Factor(float(f["low"]), float(f["high"]), int(f["n"])) for support, f in by.items()}
            for metric, by in raw["factors"].items()
        },
        correlation=float(raw["correlation"]),
        seen=_seen(raw["seen"]),
        seen_in_pools=_seen(raw.get("seen_in_pools", [])),
        row_hashes=frozenset(raw["row_hashes"]),
        kernel_priors=bool(raw.get("kernel_priors", False)),
        steps=_shifts(raw.get("steps", {})),
        spreads=raw.get("spreads", {}),
        rows=raw.get("rows", {}),
    )


def _seen(raw: Sequence[Mapping[str, Any]]) -> dict[Seen, int]:
    return {(s["chip"], s["network"], s["engine"]): int(s["n"]) for s in raw}


def _shifts(raw: Mapping[str, Any]) -> Shifts:
    return {
        level: {key: {name: float(v) for name, v in row.items()} for key, row in by.items()}
        for level, by in raw.items()
    }
