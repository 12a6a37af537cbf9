"""Measured kernels as prior values of many candidates; each combination is looked up once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from stackwright.catalog import Chip, Engine
from stackwright.llm import Model
from stackwright.performance.constants import Constant
from stackwright.performance.kernel_prior import kernel_prior
from stackwright.performance.layout import Layout


class Runs(Protocol):
    """What a candidate says of where its kernels run."""

    @property
    def engine(self) -> Engine:
        """The engine."""

    @property
    def chip(self) -> Chip:
        """The chip."""

    @property
    def layout(self) -> Layout:
        """The layout, with the precisions."""


def kernel_values(
    models: Sequence[Model],
    rows: Sequence[Runs],
    bounds: Mapping[str, Constant],
    wanted: Sequence[bool] | None = None,
) -> list[Mapping[str, float]]:
    """`kernel_prior` of each candidate; nothing for those that are not `wanted` (all are by default)."""
    known: dict[tuple[int, int, str, str, str], Mapping[str, float]] = {}
    found: list[Mapping[str, float]] = []
    for i, (model, row) in enumerate(zip(models, rows, strict=True)):
        if wanted is not None and not wanted[i]:
            found.append({})
            continue
        weights, cache = row.layout.weight_precision, row.layout.kv_precision
        key = (id(model), id(row.chip), row.engine.id, weights, cache)
        if key not in known:
            known[key] = kernel_prior(row.engine.id, row.chip, model, weights, cache, bounds)
        found.append(known[key])
    return found
