"""The Pareto chart: what a token costs against how fast one user receives them."""

from __future__ import annotations

import numpy as np

from stackwright.economics import usd_per_mtok
from stackwright.planner.answer import FrontPoint
from stackwright.planner.evaluate import excess
from stackwright.planner.offers.join import packing_on
from stackwright.planner.size import Context

_POINTS_PER_CHIP = 40


def pareto_front(x: Context) -> list[FrontPoint]:
    """Non-dominated operating points of every priced chip, at the cheapest offer that can hold each layout.

    Every load is shown, promise kept or not; `on_front` marks those no other chip beats in both directions.
    """
    points: list[FrontPoint] = []
    q, grid = x.question, x.grid
    meets = excess(grid.metrics, q.slo) <= 1.0
    entries = grid.candidates.entries
    for chip in dict.fromkeys(e.chip.id for e in entries):
        offers = x.marketplace.of(chip)
        rows, usd, provider = [], [], []
        for row, entry in enumerate(entries):
            if entry.chip.id != chip:
                continue
            for offer, price in offers:  # sorted by price per chip
                packing = packing_on(entry, offer)
                if packing is not None:
                    replicas = packing.smallest_replicas
                    rows.append(row)
                    usd.append(packing.units(replicas) * price.usd_per_hour / replicas)
                    provider.append(offer.provider)
                    break
        if rows:
            points += _chip_front(x, np.array(rows), np.array(usd), provider, meets)
    best = _non_dominated(
        np.array([p.tokens_per_s_per_user for p in points]), np.array([p.usd_per_mtok_output for p in points])
    )
    return [FrontPoint(**{**p.__dict__, "on_front": i in best}) for i, p in enumerate(points)]


def _chip_front(
    x: Context, rows: np.ndarray, usd: np.ndarray, provider: list[str], meets: np.ndarray
) -> list[FrontPoint]:
    metrics, w = x.grid.metrics, x.question.workload
    speed = 1.0 / metrics["tpot_mean_s"][rows]
    cost = usd_per_mtok(usd[:, None] + np.zeros_like(speed), metrics["requests_per_s"][rows] * w.output.mean)
    usable = np.isfinite(metrics["ttft_mean_s"][rows])
    flat = np.nonzero(usable.ravel())[0]
    front = sorted(_non_dominated(speed.ravel()[flat], cost.ravel()[flat]))
    chosen = flat[front][:: max(1, len(front) // _POINTS_PER_CHIP)]
    found = []
    for index in chosen:
        i, column = divmod(int(index), speed.shape[1])
        entry = x.grid.candidates.entries[int(rows[i])]
        found.append(
            FrontPoint(
                chip=entry.chip.id,
                vendor=entry.chip.vendor,
                engine=entry.engine.id,
                layout=str(entry.layout),
                weight_precision=entry.layout.weight_precision,
                provider=provider[i],
                tokens_per_s_per_user=float(speed[i, column]),
                usd_per_mtok_output=float(cost[i, column]),
                concurrency=float(x.grid.loads[0, column]),
                on_front=False,
                meets_slo=bool(meets[rows[i], column]),
            )
        )
    return sorted(found, key=lambda p: p.tokens_per_s_per_user)


def _non_dominated(speed: np.ndarray, cost: np.ndarray) -> set[int]:
    """Indices of points that no other point beats in speed (higher) and cost (lower)."""
    order = np.lexsort((cost, -speed))
    best, kept = np.inf, set()
    for i in order:
        if cost[i] < best:
            best = cost[i]
            kept.add(int(i))
    return kept
