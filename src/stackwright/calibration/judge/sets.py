"""Sets of measured rows that scores are told apart by, and the scores of out-of-fold predictions on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.fit.observations import METRICS
from stackwright.calibration.judge.conformal import covered
from stackwright.calibration.judge.crossval import OutOfFold
from stackwright.calibration.judge.score import Score, score_of
from stackwright.calibration.rows.points import Point

Rows = NDArray[np.bool_]


@dataclass(frozen=True)
class SetScore:
    """Scores of one set of rows by metric."""

    name: str
    n: int
    scores: Mapping[str, Score | None]


def set_of(p: Point) -> str:
    """The set that a row is reported in: where it was published and what ran."""
    if p.pools:
        flag = p.measurement.text["speculative"]
        return f"disaggregated, speculative flag {'known' if flag else 'unknown'}"
    source, chip = p.measurement.text["source"].lower(), p.candidate.chip
    if p.candidate.speculation is not None:
        return "speculative, aggregated"
    if "silicon" in source:
        return "silicon sample, aggregated"
    if "tensorrt-llm perf" in source:
        return f"TensorRT-LLM tables, {'MoE' if p.model.family == 'moe' else 'dense'}"
    if chip.vendor == "AMD":
        return "AMD"
    if "inferencex" in source and chip.family != "tpu":
        return f"InferenceX, {chip.vendor}"
    kinds = {"gaudi": "Gaudi", "trainium": "Trainium", "tpu": "TPU"}
    return next((name for start, name in kinds.items() if chip.family.startswith(start)), "other")


def set_scores(x: OutOfFold, names: Sequence[str], only: Rows | None = None) -> list[SetScore]:
    """Scores of `x` by set, `all` first; `names` gives the set of each row, `only` the rows that count.

    Throughput that was not printed follows from mean latencies (Little's law).
    """
    inside = [covered(x, m) for m in range(len(METRICS))]
    chosen = np.ones(len(names), dtype=bool) if only is None else only
    found = []
    for name in ("all", *sorted(set(names))):
        rows = chosen & np.array([name in ("all", n) for n in names])
        if not rows.any():
            continue
        ratio = np.exp(-x.residual)
        scores = {metric: score_of(ratio[m, rows], inside[m][rows]) for m, metric in enumerate(METRICS)}
        found.append(SetScore(name, int(rows.sum()), scores))
    return found
