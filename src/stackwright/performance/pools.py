"""Prefill/decode-disaggregated deployments: workers that only run prompts, and workers that only decode."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackwright.catalog import Chip, Engine
from stackwright.errors import InputError
from stackwright.llm import Model
from stackwright.performance.calibration import Context
from stackwright.performance.candidates import Candidate, Candidates, candidates
from stackwright.performance.constants import Constants, Theta
from stackwright.performance.layout import Layout, Phase, layout_problem

Array = NDArray[np.float64]

DISAGGREGATED = "disaggregated"
_WORKERS = re.compile(r"(?:(\d+)x)?((?:(?:tp|pp|ep|dp|cp)\d+)+)")
_SIZES = {"tp": "tp", "pp": "pp", "ep": "ep", "dp": "attention_dp", "cp": "cp"}


@dataclass(frozen=True)
class Pools:
    """How many prefill and decode workers there are, and the layout of one of each.

    `prefill_chip`: the chip of the prefill workers where it is not that of the decode workers. One engine serves both:
    no engine hands its cache to another one.
    """

    prefill: Layout
    prefill_workers: int
    decode: Layout
    decode_workers: int
    prefill_chip: Chip | None = None

    @property
    def n_chips(self) -> int:
        """Chips of both pools."""
        return self.prefill_workers * self.prefill.n_chips + self.decode_workers * self.decode.n_chips

    def __str__(self) -> str:
        where = f" on {self.prefill_chip.id}" if self.prefill_chip else ""
        return f"prefill {self.prefill_workers} x {self.prefill}{where}, decode {self.decode_workers} x {self.decode}"


def parse_workers(text: str, weight_precision: str, kv_precision: str) -> tuple[int, Layout]:
    """Number and layout of the workers of a pool, from `4xtp4` or `1xtp1dp8ep8`. Raises `InputError`.

    >>> count, layout = parse_workers("2xtp1dp8ep8", "fp8", "fp8")
    >>> count, str(layout)
    (2, 'tp1 ep8 dp8')
    """
    match = _WORKERS.fullmatch(text.lower().replace(" ", ""))
    sizes = re.findall(r"([a-z]{2})(\d+)", match.group(2)) if match else []
    if match is None or len({name for name, _ in sizes}) != len(sizes):
        raise InputError(f"cannot read the pool {text!r}: workers x layout, such as 4xtp4 or 2xtp1dp8ep8")
    given = {_SIZES[name]: int(size) for name, size in sizes}
    return int(match.group(1) or 1), Layout(**given, weight_precision=weight_precision, kv_precision=kv_precision)


def pools_problem(pools: Pools, model: Model, engine: Engine, chip: Chip) -> str | None:
    """Why these pools are impossible, in one sentence, or None."""
    sides: tuple[tuple[Phase, Layout, int, Chip], ...] = (
        ("prefill", pools.prefill, pools.prefill_workers, pools.prefill_chip or chip),
        ("decode", pools.decode, pools.decode_workers, chip),
    )
    for name, layout, workers, where in sides:
        if workers < 1:
            return f"{name}: at least one worker is needed"
        problem = layout_problem(layout, model, engine, where, name)
        if problem:
            return f"{name}: {problem}"
    if pools.prefill.kv_precision != pools.decode.kv_precision:
        return "both pools keep the cache in one precision: it is handed over as it is"
    return None


@dataclass(frozen=True)
class Pooled:
    """Deployments as arrays: one worker of each pool as candidates, and the numbers of workers, shape (n, 1).

    `with_power`: whether metrics have watts, which no measured row of pools has.
    """

    prefill: Candidates
    decode: Candidates
    prefill_workers: Array
    decode_workers: Array
    with_power: bool = False

    def __len__(self) -> int:
        return len(self.decode)

    @property
    def n_chips(self) -> Array:
        """Chips of both pools."""
        return self.prefill_workers * self.prefill.n_chips + self.decode_workers * self.decode.n_chips

    @property
    def theta(self) -> Theta:
        """The constants of the decode workers; those of the prefill workers differ where their chip does."""
        return self.decode.theta

    @property
    def constants(self) -> Constants:
        """The record of constants."""
        return self.decode.constants

    @property
    def contexts(self) -> tuple[Context, ...]:
        """Where each deployment runs."""
        return self.decode.contexts

    @property
    def entries(self) -> tuple[Candidate, ...]:
        """The decode worker of each deployment."""
        return self.decode.entries

    @property
    def model(self) -> Model:
        """The model, the same for both pools."""
        return self.decode.model

    @property
    def tdp_w(self) -> Array:
        """Watts of the mean chip of both pools."""
        first = self.prefill_workers * self.prefill.n_chips * self.prefill.tdp_w
        watts: Array = (first + self.decode_workers * self.decode.n_chips * self.decode.tdp_w) / self.n_chips
        return watts

    def pools(self, row: int) -> Pools:
        """The pools of one deployment."""
        first, second = self.prefill.entries[row], self.decode.entries[row]
        return Pools(
            first.layout,
            int(self.prefill_workers[row, 0]),
            second.layout,
            int(self.decode_workers[row, 0]),
            first.chip if second.mixed else None,
        )

    @property
    def mixed(self) -> NDArray[np.bool_]:
        """Whether the pools of each deployment stand on different chips, shape (n, 1)."""
        pairs = zip(self.prefill.entries, self.decode.entries, strict=True)
        return np.array([[a.chip.id != b.chip.id] for a, b in pairs])

    def take(self, rows: NDArray[np.int64]) -> Pooled:
        """Deployments of the given row numbers, in that order."""
        workers = self.prefill_workers[rows], self.decode_workers[rows]
        return Pooled(self.prefill.take(rows), self.decode.take(rows), *workers, self.with_power)

    def at(self, theta: Theta) -> Pooled:
        """The same deployments with other values of the constants."""
        moved = replace(self.prefill, theta=theta), replace(self.decode, theta=theta)
        return replace(self, prefill=moved[0], decode=moved[1])

    def shifted(self, constant: str, delta_ln: float | Array) -> Pooled:
        """The same deployments with one constant multiplied by exp(delta_ln)."""
        moved = self.prefill.shifted(constant, delta_ln), self.decode.shifted(constant, delta_ln)
        return replace(self, prefill=moved[0], decode=moved[1])


Served = Candidates | Pooled


def pooled(
    model: Model | Sequence[Model], entries: Sequence[Candidate], pools: Sequence[Pools], constants: Constants
) -> Pooled:
    """Arrays for deployments: `entries` name engine, chip and harness, `pools` the layouts."""
    workers = [
        replace(e, mode=DISAGGREGATED, mixed=p.prefill_chip is not None and p.prefill_chip.id != e.chip.id)
        for e, p in zip(entries, pools, strict=True)
    ]
    prefill = [_prefill_worker(e, p) for e, p in zip(workers, pools, strict=True)]
    decode = [replace(e, layout=p.decode) for e, p in zip(workers, pools, strict=True)]
    c = candidates(model, prefill, constants)
    budget = np.maximum(c.max_batched_tokens, constants.value("pool_batched_tokens"))
    return Pooled(
        prefill=replace(c, max_batched_tokens=budget),
        decode=candidates(model, decode, constants),
        prefill_workers=np.array([[float(p.prefill_workers)] for p in pools]),
        decode_workers=np.array([[float(p.decode_workers)] for p in pools]),
    )


def _prefill_worker(entry: Candidate, p: Pools) -> Candidate:
    """A prefill worker; on a chip of its own with the links of that chip."""
    if p.prefill_chip is None or p.prefill_chip.id == entry.chip.id:
        return replace(entry, layout=p.prefill)
    return replace(entry, layout=p.prefill, chip=p.prefill_chip, scale_up_chips=None)
