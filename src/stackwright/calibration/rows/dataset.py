"""Measured rows made ready to fit and to score: through the gate, resolved against the catalogue, fitting in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.gate.admit import SET_RULES, gate
from stackwright.calibration.rows.groups import How, data_hash, fold_groups, row_hash
from stackwright.calibration.rows.points import Point, Refusal, memory_problems, resolve_point, served
from stackwright.catalog import Catalog
from stackwright.errors import InputError
from stackwright.llm import Model
from stackwright.measure import Measurement
from stackwright.performance import Constants

HASH_DIGITS = 12


@dataclass(frozen=True)
class Dataset:
    """Points that a fit can use, for each whether nothing about it is in doubt (`strict`), and rows refused.

    `repeats` are the rows that report the run of another one again, maybe under another label.
    """

    points: tuple[Point, ...]
    strict: NDArray[np.bool_]
    refused: tuple[Refusal, ...]
    repeats: tuple[Measurement, ...]
    catalog: Catalog

    @property
    def strict_rows(self) -> list[Measurement]:
        """The measured rows about which nothing is in doubt: what a record is fitted on."""
        return [m for m, strict in zip(self.rows, self.strict, strict=True) if strict]

    @property
    def rows(self) -> list[Measurement]:
        """The measured rows of the points."""
        return [p.measurement for p in self.points]

    @property
    def data_hash(self) -> str:
        """Hash of the strict rows, whatever their order."""
        return data_hash(self.strict_rows)

    def groups(self, how: How) -> list[str]:
        """The group of each point that a fold must not split."""
        return fold_groups(self.rows, how, self.catalog)


def short_hash(row: Measurement) -> str:
    """The hash by which a record remembers a row."""
    return row_hash(row)[:HASH_DIGITS]


def dataset(
    rows: Sequence[Measurement], catalog: Catalog, constants: Constants, gated: bool = True, mode: str = "aggregated"
) -> Dataset:
    """The points of measured rows of one mode; `gated` False takes them as they are (then all count as strict)."""
    refused: list[Refusal] = []
    repeats: list[Measurement] = []
    doubts: Sequence[str] = [""] * len(rows)
    if gated:
        passed = gate(rows, catalog)
        refused = [Refusal(r.measurement, f"gate, {r.rule}: {r.reason}") for r in passed.refused]
        repeats = [r.measurement for r in passed.refused if r.rule in SET_RULES]
        rows, doubts = passed.kept, passed.doubts
    models: dict[str, Model] = {}
    points: list[Point] = []
    strict: list[bool] = []
    for row, doubt in zip(rows, doubts, strict=True):
        try:
            if (row.text["mode"] or "aggregated") != mode:
                raise InputError(f"{row.text['mode'] or 'aggregated'} rows are fitted by themselves")
            point = resolve_point(row, catalog, models)
            if point.workload.rate_per_s is not None:
                raise InputError("open loop: a fit uses closed loops")
        except InputError as error:
            refused.append(Refusal(row, str(error)))
            continue
        points.append(point)
        strict.append(not doubt)
    problems = memory_problems(served(points, constants), points) if points else {}
    refused += [Refusal(points[i].measurement, f"does not fit: {text}") for i, text in problems.items()]
    kept = [i for i in range(len(points)) if i not in problems]
    return Dataset(
        points=tuple(points[i] for i in kept),
        strict=np.array([strict[i] for i in kept], dtype=bool),
        refused=tuple(refused),
        repeats=tuple(repeats),
        catalog=catalog,
    )
