"""Cross-validation: every row predicted by a fit that has not seen its group.

`pair` and `random` take 5 folds of whole groups; `model` and `chip` leave one group out at a time. Only strict rows
teach; all rows are predicted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.calibrate import Fitted, calibration_of, contexts_of, fit_rows, predict_rows
from stackwright.calibration.fit.observations import METRICS, Observations, observe
from stackwright.calibration.judge.score import measured
from stackwright.calibration.rows.dataset import Dataset
from stackwright.calibration.rows.groups import How, folds
from stackwright.errors import InputError
from stackwright.performance import Constants
from stackwright.performance.calibration import Calibration, Context, Support

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

FOLDS = 5
DEFAULT: tuple[How, ...] = ("random", "pair", "model", "chip")


@dataclass(frozen=True)
class OutOfFold:
    """Rows predicted out of fold: ln of `METRICS` predicted and measured, shape (3, n), NaN where not measured.

    `keys` are the groups that folds kept whole, `supports` how near the rows fitted for a row's fold were, `vendors`
    who makes the chip; `fold` is the number of each row's fold, `records` what was fitted for each fold.
    """

    how: How
    keys: tuple[str, ...]
    supports: tuple[Support, ...]
    vendors: tuple[str, ...]
    predicted: Array
    measured: Array
    fold: tuple[int, ...] = ()
    records: tuple[Calibration, ...] = ()

    @property
    def residual(self) -> Array:
        """ln(measured / predicted), shape (3, n)."""
        return self.measured - self.predicted


def cross_validate(
    data: Dataset, constants: Constants, how: How, progress: Progress | None = None, seed: int = 0
) -> OutOfFold:
    """Out-of-fold predictions of all points; deterministic. Raises `InputError` with fewer than 2 groups.

    `progress(how, done, of)` is called after each fold.
    """
    keys = data.groups(how)
    fold = np.array(_dealt(keys, how, seed))
    o = observe(data.points, constants)
    contexts = contexts_of(o)
    predicted = np.full((len(METRICS), len(keys)), np.nan)
    supports: list[Support] = ["unseen"] * len(keys)
    numbers = sorted(set(fold.tolist()))
    records = []
    for done, number in enumerate(numbers, 1):
        held, train = np.nonzero(fold == number)[0], np.nonzero((fold != number) & data.strict)[0]
        fitted = fit_rows(o, constants, train)
        predicted[:, held] = predict_rows(o, fitted, held)
        records.append(calibration_of(fitted, [contexts[i] for i in train.tolist()]))
        for i, support in zip(held, _supports(records[-1], [contexts[i] for i in held.tolist()]), strict=True):
            supports[int(i)] = support
        if progress is not None:
            progress(how, done, len(numbers))
    vendors = tuple(c.vendor for c in contexts)
    order = {number: i for i, number in enumerate(numbers)}
    fold_of = tuple(order[number] for number in fold.tolist())
    return OutOfFold(how, tuple(keys), tuple(supports), vendors, predicted, all_measured(o), fold_of, tuple(records))


def cross_validate_pools(
    data: Dataset, pools: Dataset, constants: Constants, how: How, progress: Progress | None = None, seed: int = 0
) -> OutOfFold:
    """Out-of-fold predictions of disaggregated points, fitted on top of a fit of the aggregated ones of `data`.

    Neither stage has seen the group of a row that is predicted (a group of operating points has no aggregated rows).
    """
    if not data.points:
        raise InputError("no aggregated row to fit: what pools do differently is fitted on top of aggregated rows")
    o, base = observe(pools.points, constants), observe(data.points, constants)
    keys, base_keys = pools.groups(how), data.groups(how)
    fold_of = dict(zip(keys, _dealt(keys, how, seed), strict=True))
    fold, base_fold = np.array([fold_of[k] for k in keys]), np.array([fold_of.get(k, -1) for k in base_keys])
    contexts, base_contexts = contexts_of(o), contexts_of(base)
    predicted = np.full((len(METRICS), len(keys)), np.nan)
    supports: list[Support] = ["unseen"] * len(keys)
    first: Fitted | None = None
    numbers = sorted(set(fold.tolist()))
    for done, number in enumerate(numbers, 1):
        held, train = np.nonzero(fold == number)[0], np.nonzero((fold != number) & pools.strict)[0]
        below = np.nonzero((base_fold != number) & data.strict)[0]
        if first is None or (base_fold >= 0).any():
            first = fit_rows(base, constants, below)
        predicted[:, held] = predict_rows(o, fit_rows(o, constants, train, first), held)
        seen = [contexts[int(i)] for i in train] + [base_contexts[int(i)] for i in below]
        record = calibration_of(None, seen)
        for i in held.tolist():
            supports[i] = record.support(contexts[i])
        if progress is not None:
            progress(how, done, len(numbers))
    vendors = tuple(c.vendor for c in contexts)
    return OutOfFold(how, tuple(keys), tuple(supports), vendors, predicted, all_measured(o))


def _dealt(keys: list[str], how: How, seed: int) -> list[int]:
    """The fold of each row: `FOLDS` of whole groups, or one for each chip or network."""
    return folds(keys, FOLDS if how in ("pair", "random") else len(set(keys)), seed)


def all_measured(o: Observations) -> Array:
    """ln of the measured metrics, shape (3, n), with the throughput that the fit leaves out beside latencies.

    Throughput that is not printed follows from mean latencies of a closed loop by Little's law.
    """
    found = o.observed.copy()
    row = METRICS.index("throughput")
    for i, p in enumerate(o.points):
        means = "p50" not in (p.measurement.text["ttft_stat"], p.measurement.text["tpot_stat"])
        value = measured(p.measurement, "throughput") or (p.rate_of_latencies if means else None)
        found[row, i] = np.log(value) if value else np.nan
    return found


def _supports(record: Calibration, held: list[Context]) -> list[Support]:
    known: dict[Context, Support] = {}
    for context in held:
        if context not in known:
            known[context] = record.support(context)
    return [known[context] for context in held]
