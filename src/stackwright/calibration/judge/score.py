"""Error of predictions against measurements: mean and median absolute per cent, bias, interval coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.rows.points import PointPrediction
from stackwright.measure import Measurement

Array = NDArray[np.float64]

METRICS = ("tpot", "ttft", "throughput")
ENERGY = ("watts", "joules_per_output_token")
_COLUMNS = {
    "tpot": "tpot_s", "ttft": "ttft_s", "throughput": "output_tokens_per_s_per_chip", "watts": "watts_per_chip",
    "joules_per_output_token": "joules_per_output_token",
}  # fmt: skip
_PREDICTED = {
    "throughput": "output_tokens_per_s_per_chip", "watts": "chip_watts",
    "joules_per_output_token": "chip_joules_per_output_token",
}  # fmt: skip


@dataclass(frozen=True)
class Score:
    """Absolute per cent errors of one metric over `n` rows; `bias_pct` is the median signed error."""

    n: int
    mape_pct: float
    median_ape_pct: float
    p90_ape_pct: float
    bias_pct: float
    coverage90_pct: float | None


def scores(predictions: Sequence[PointPrediction]) -> dict[str, Score | None]:
    """Scores of TPOT, TTFT, output throughput, watts and joules per token of a chip; None where no row measured it."""
    return {name: _score([_pair(name, p) for p in predictions]) for name in (*METRICS, *ENERGY)}


def grouped(
    predictions: Sequence[PointPrediction], key: Callable[[PointPrediction], dict[str, str]]
) -> list[tuple[dict[str, str], list[PointPrediction]]]:
    """Predictions by group, largest group first."""
    groups: dict[tuple[tuple[str, str], ...], list[PointPrediction]] = {}
    for p in predictions:
        groups.setdefault(tuple(key(p).items()), []).append(p)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(dict(names), members) for names, members in ordered]


def measured(m: Measurement, metric: str) -> float | None:
    """The measured figure of a metric, or None."""
    value = m.number(_COLUMNS[metric])
    return value if value else None


def predicted_name(m: Measurement, metric: str) -> str:
    """The predicted metric that a row measured: mean or median as its `*_stat` column says (mean if it is silent)."""
    if metric in _PREDICTED:
        return _PREDICTED[metric]
    return f"{metric}_{'p50' if m.text[f'{metric}_stat'] == 'p50' else 'mean'}_s"


Pair = tuple[float, float, float, float]


def _pair(metric: str, p: PointPrediction) -> Pair | None:
    """(measured, predicted, low, high) of a row, or None where it was not measured or has no second token."""
    true = measured(p.measurement, metric)
    if true is None or (metric == "tpot" and (p.measurement.number("osl") or 0) < 2):
        return None
    value, low, high = p.metrics.get(predicted_name(p.measurement, metric), (math.nan, math.nan, math.nan))
    return (true, value, low, high) if math.isfinite(value) else None


def _score(pairs: Sequence[Pair | None]) -> Score | None:
    kept = np.array([p for p in pairs if p is not None])
    if not len(kept):
        return None
    true, value, low, high = kept.T
    return score_of(value / true, (low <= true) & (true <= high))


def score_of(ratio: Array, inside: Array | NDArray[np.bool_] | None = None) -> Score | None:
    """Score of predicted / measured (NaN where not measured); `inside`: whether the interval held the measurement.

    `coverage90_pct` is None without it.
    """
    known = np.isfinite(ratio)
    if not known.any():
        return None
    error = 100.0 * (ratio[known] - 1.0)
    absolute = np.abs(error)
    return Score(
        n=int(known.sum()),
        mape_pct=float(absolute.mean()),
        median_ape_pct=float(np.median(absolute)),
        p90_ape_pct=float(np.quantile(absolute, 0.9)),
        bias_pct=float(np.median(error)),
        coverage90_pct=None if inside is None else float(100.0 * np.mean(inside[known])),
    )
