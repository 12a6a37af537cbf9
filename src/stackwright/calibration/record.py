"""The calibration record as a file: made from gated rows, the same bytes for the same rows."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.calibrate import calibration_of, contexts_of, fit_rows
from stackwright.calibration.fit.observations import observe
from stackwright.calibration.judge.conformal import correlation, factors, pool_factors
from stackwright.calibration.judge.crossval import OutOfFold, Progress, cross_validate, cross_validate_pools
from stackwright.calibration.rows.dataset import Dataset, short_hash
from stackwright.calibration.rows.groups import How, data_hash
from stackwright.errors import InputError
from stackwright.measure import Measurement
from stackwright.performance import Constants
from stackwright.performance.calibration import Calibration, Seen

Document = dict[str, Any]
NOTHING = "no row is left to fit: every row was refused or is in doubt (docs/gate.md says why)"


@dataclass(frozen=True)
class PoolData:
    """Disaggregated rows for a record, and their cross-validations (`cross_validate_pools`; may be empty)."""

    data: Dataset
    found: Mapping[How, OutOfFold]

    @property
    def strict(self) -> NDArray[np.intp]:
        """Places of the strict rows."""
        return np.nonzero(self.data.strict)[0]


def make_calibration(
    data: Dataset, constants: Constants, found: Mapping[How, OutOfFold], pools: PoolData | None = None
) -> Calibration:
    """The record of the strict rows; `found` are the cross-validations that its intervals come from (may be empty).

    `pools` are fitted on top, and move nothing that aggregated replicas read. Raises `InputError` without a strict row.
    """
    rows = np.nonzero(data.strict)[0]
    if not len(rows):
        raise InputError(NOTHING)
    o = observe(data.points, constants)
    fitted = fit_rows(o, constants, rows)
    every = contexts_of(o)
    contexts = [every[int(i)] for i in rows]
    measured, by = [*data.strict_rows], dict(factors(found))
    repeats = [*data.repeats]
    if pools is not None and len(pools.strict):
        op = observe(pools.data.points, constants)
        fitted = fit_rows(op, constants, pools.strict, fitted)
        every = contexts_of(op)
        contexts += [every[int(i)] for i in pools.strict]
        measured += pools.data.strict_rows
        repeats += pools.data.repeats
        by |= pool_factors(pools.found)
    rho = found["pair"] if "pair" in found else next(iter(found.values()), None)
    return calibration_of(
        fitted,
        contexts,
        by,
        0.0 if rho is None else correlation(rho),
        {"date": newest(measured), "data_hash": data_hash(measured)},
        sorted({short_hash(m) for m in (*measured, *repeats)}),
    )


def cross_validations(
    data: Dataset, constants: Constants, hows: Sequence[How], progress: Progress | None = None
) -> dict[How, OutOfFold]:
    """Those cross-validations for which there are two groups."""
    return {how: cross_validate(data, constants, how, progress) for how in hows if len(set(data.groups(how))) > 1}


def newest(rows: Sequence[Measurement]) -> str:
    """The newest day that rows state, or `undated`."""
    return max((day for day in (_day(m) for m in rows) if day), default="undated")


def pool_validations(
    data: Dataset, pools: Dataset, constants: Constants, hows: Sequence[How], progress: Progress | None = None
) -> dict[How, OutOfFold]:
    """Those cross-validations of disaggregated rows for which there are two groups; `chip` and `model` are not made.

    They would take a fit of all aggregated rows for each of the few chips and networks.
    """
    made: list[How] = [how for how in hows if how in ("random", "pair") and len(set(pools.groups(how))) > 1]
    return {how: cross_validate_pools(data, pools, constants, how, progress) for how in made}


def record_document(record: Calibration, data: Dataset, also: Sequence[Measurement] = ()) -> Document:
    """The record with where its rows come from, as JSON-ready data; `also` are other rows fitted to."""
    return {
        "version": record.version,
        "date": record.date,
        "data_hash": record.data_hash,
        "n_rows": record.n_rows,
        "sources": sources([*data.strict_rows, *also]),
        "correlation": record.correlation,
        "kernel_priors": record.kernel_priors,
        "factors": {
            metric: {s: {"low": f.low, "high": f.high, "n": f.n} for s, f in by.items()}
            for metric, by in record.factors.items()
        },
        "shifts": record.shifts,
        "slopes": record.slopes,
        "steps": record.steps,
        "spreads": record.spreads,
        "rows": record.rows,
        "seen": _seen(record.seen),
        "seen_in_pools": _seen(record.seen_in_pools),
        "row_hashes": sorted(record.row_hashes),
    }


def _seen(rows: Mapping[Seen, int]) -> list[Document]:
    return [{"chip": c, "network": m, "engine": e, "n": n} for (c, m, e), n in rows.items()]


def record_text(document: Document) -> str:
    """The file: sorted keys, one line for each entry of the second level."""
    lines = []
    for key in sorted(document):
        value = document[key]
        if isinstance(value, dict):
            body = ",\n".join(f"  {json.dumps(k)}: {_compact(value[k])}" for k in sorted(value))
            lines.append(f" {json.dumps(key)}: {{\n{body}\n }}")
        elif isinstance(value, list):
            per_line = 12 if value and isinstance(value[0], str) else 1
            parts = [", ".join(map(_compact, value[i : i + per_line])) for i in range(0, len(value), per_line)]
            lines.append(f" {json.dumps(key)}: [\n  " + ",\n  ".join(parts) + "\n ]")
        else:
            lines.append(f" {json.dumps(key)}: {_compact(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def sources(rows: Sequence[Measurement]) -> list[Document]:
    """The sources of rows with their number and the days of the oldest and newest."""
    names = sorted({m.text["source"] for m in rows})
    found = []
    for name in names:
        members = [m for m in rows if m.text["source"] == name]
        days = sorted(d for d in (_day(m) for m in members) if d)
        found.append(
            {"source": name, "n": len(members), "from": days[0] if days else "", "to": days[-1] if days else ""}
        )
    return found


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _day(row: Measurement) -> str:
    day = row.text["date"][:10]
    try:
        return dt.date.fromisoformat(day).isoformat()
    except ValueError:
        return ""
