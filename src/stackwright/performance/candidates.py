"""Many (engine, chip, layout) combinations for one model, as arrays that every formula broadcasts over.

Column vectors, shape (n, 1): batch sizes run along the second axis. One point is n = 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwright.catalog import Chip, Engine
from stackwright.llm import Model, weight_bytes_per_parameter
from stackwright.llm.architecture import Role
from stackwright.llm.operators import Shard
from stackwright.llm.precision import BYTES_PER_ELEMENT
from stackwright.llm.stack import stack, take
from stackwright.performance.calibration import Context, years_since_2026
from stackwright.performance.chip_ranges import End, at_end, uncertain_figures
from stackwright.performance.constants import Constants, Theta
from stackwright.performance.kernel_values import kernel_values
from stackwright.performance.layout import Layout
from stackwright.performance.lora import Lora, LoraLoad, lora_load
from stackwright.performance.peaks import peak_flops
from stackwright.performance.speculation import Speculation, acceptance_length

Array = NDArray[np.float64]

SMALLEST_RACK = 16  # chips of a scale-up domain that is more than a server

_MEASURED_PIPELINE = 1  # stages of every measured row

_ROLES: tuple[Role, ...] = (
    "attention_in", "attention_out", "ffn", "expert", "shared_expert", "head", "embedding", "norm",
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """One engine on one chip with one layout.

    `speculation`: how tokens are drafted, None without speculative decoding. `source` and `year` describe a measured
    row: its harness, and its date in years since 2026-01-01 (None: the date of the engine's version). `mode` is
    `disaggregated` for a worker of a prefill or decode pool, `mixed` where the other pool stands on another chip.
    `lora`: the adapters served beside the model, or None.
    """

    engine: Engine
    chip: Chip
    layout: Layout
    scale_up_chips: int | None = None
    source: str = ""
    year: float | None = None
    speculation: Speculation | None = None
    mode: str = ""
    lora: Lora | None = None
    mixed: bool = False

    @property
    def scale_up_domain(self) -> int:
        """Chips of one replica that share fast links; an offer may provide fewer than the chip allows."""
        return self.scale_up_chips or self.chip.link.scale_up_domain

    @property
    def spans_racks(self) -> bool:
        """Whether a group spans scale-up domains of a rack's size: its traffic then takes both kinds of link.

        Groups over servers of up to 8 chips were measured, and fitted, with all of their traffic on the network; with
        context parallelism, which was not, they count as racks do.
        """
        return self.layout.group > self.scale_up_domain and (
            self.scale_up_domain >= SMALLEST_RACK or self.layout.cp > 1
        )

    @property
    def beyond(self) -> tuple[str, ...]:
        """What of the way of serving no measured row had, in words."""
        found = (
            ("pipeline parallelism", self.layout.pp > _MEASURED_PIPELINE),
            ("context parallelism", self.layout.cp > 1),
            ("a group over several racks", self.spans_racks and self.layout.cp == 1),
            ("pools on different chips", self.mixed),
        )
        return tuple(words for words, so in found if so)


@dataclass(frozen=True)
class Rates:
    """What a chip's figures say of its speed, shape (n, 1): peak FLOP/s by role, bytes/s of memory and of links."""

    peak_flops: Mapping[Role, Array]
    bandwidth: Array
    link_bytes_per_s: Array


@dataclass(frozen=True)
class Candidates:
    """Candidates as arrays of shape (n, 1); `theta` holds the constants (SI units).

    `model` is the one model of all, or several stacked row by row (`llm.stack`). `draft_tokens` are 0 without
    speculation, `stated_acceptance` NaN where the constant `draft_acceptance` gives the acceptance; `draft_layers`
    (layers that the draft adds) and `draft_cost` (NaN: not stated) say what a draft pass takes (`performance.draft`).
    `low` and `high`: the rates at the ends of the chips' ranges (`chip_ranges`), None where no chip has one.
    `lora` holds the adapters, zeros without. `rack_chips`: chips of the scale-up domain where the group spans several
    large ones (`spans_racks`), else infinite.
    """

    model: Model
    entries: tuple[Candidate, ...]
    shard: Shard
    pipeline: Array
    expert_ranks: Array
    bytes_per_parameter: Mapping[Role, Array]
    kv_bytes: Array
    peak_flops: Mapping[Role, Array]
    bandwidth: Array
    link_bytes_per_s: Array
    latency_ratio: Array
    scale_out_bytes_per_s: Array
    rack_chips: Array
    capacity_bytes: Array
    tdp_w: Array
    memory_fraction: Array
    fraction_of_free: NDArray[np.bool_]
    max_batched_tokens: Array
    max_sequences: Array
    chunked: NDArray[np.bool_]
    draft_tokens: Array
    stated_acceptance: Array
    draft_layers: Array
    draft_cost: Array
    lora: LoraLoad
    theta: Theta
    contexts: tuple[Context, ...]
    constants: Constants
    low: Rates | None = None
    high: Rates | None = None

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def n_chips(self) -> Array:
        """Chips of one replica."""
        return self.shard.group * self.pipeline

    @property
    def stage_share(self) -> Array:
        """Share of the layers that the longest pipeline stage holds: ceil(L / pp) / L."""
        layers = self.model.layers
        return np.ceil(layers / self.pipeline) / layers

    @property
    def drafts(self) -> bool:
        """Whether any candidate decodes speculatively."""
        return bool(self.draft_tokens.any())

    @property
    def emitted(self) -> Array:
        """Mean tokens that a decode step emits per sequence: the acceptance length, 1 without speculation."""
        if not self.drafts:
            return np.ones_like(self.draft_tokens)
        by_constant = acceptance_length(self.theta["draft_acceptance"], self.draft_tokens)
        return np.where(np.isnan(self.stated_acceptance), by_constant, self.stated_acceptance)

    def take(self, rows: NDArray[np.int64]) -> Candidates:
        """Candidates of the given row numbers, in that order (a row may repeat)."""

        def pick(value: object) -> object:
            if isinstance(value, np.ndarray):
                return value[rows] if value.ndim == 2 else value
            if isinstance(value, Mapping):
                return {k: pick(v) for k, v in value.items()}
            if isinstance(value, Shard | LoraLoad):
                return type(value)(*(getattr(value, f.name)[rows] for f in fields(value)))
            if isinstance(value, Rates):
                return Rates(*(pick(getattr(value, f.name)) for f in fields(Rates)))  # type: ignore[arg-type]
            return take(value, rows) if isinstance(value, Model) else value

        chosen: dict[str, Any] = {f.name: pick(getattr(self, f.name)) for f in fields(self)}
        for name in ("entries", "contexts"):
            chosen[name] = tuple(getattr(self, name)[int(i)] for i in rows)
        return Candidates(**chosen)

    def at(self, rates: Rates) -> Candidates:
        """The same candidates on chips of other rates."""
        return replace(self, **{f.name: getattr(rates, f.name) for f in fields(Rates)})

    def shifted(self, constant: str, delta_ln: float | Array) -> Candidates:
        """The same candidates with one constant multiplied by exp(delta_ln)."""
        return replace(self, theta={**self.theta, constant: self.theta[constant] * np.exp(delta_ln)})


def candidates(model: Model | Sequence[Model], entries: Sequence[Candidate], constants: Constants) -> Candidates:
    """Arrays for `entries`, which must be valid layouts of `model`: one model for all, or one for each."""
    rows = tuple(entries)
    models = [model] * len(rows) if isinstance(model, Model) else list(model)

    def column(get: Callable[[Candidate], float]) -> Array:
        return np.array([[float(get(r))] for r in rows])

    def drafting(get: Callable[[Speculation], float | None], otherwise: float) -> Array:
        values = [get(r.speculation) if r.speculation else None for r in rows]
        return np.array([[otherwise if v is None else float(v)] for v in values])

    contexts = [context_of(m, r) for m, r in zip(models, rows, strict=True)]
    ratio = constants.value("scale_out_latency_ratio")
    racks = np.array([[r.spans_racks] for r in rows])
    outside = np.array([[r.layout.group > r.scale_up_domain] for r in rows]) & ~racks
    rates = _rates(models, rows, outside)
    low, high = _range_of_rates(models, rows, outside)
    return Candidates(
        model=stack(models),
        entries=rows,
        shard=Shard(
            tensor=column(lambda r: r.layout.tp),
            group=column(lambda r: r.layout.group),
            data=column(lambda r: r.layout.attention_dp),
            context=column(lambda r: r.layout.cp),
        ),
        pipeline=column(lambda r: r.layout.pp),
        expert_ranks=column(lambda r: r.layout.ep),
        bytes_per_parameter={role: _by_role(models, rows, partial(_bytes_per_parameter, role)) for role in _ROLES},
        kv_bytes=column(lambda r: BYTES_PER_ELEMENT[r.layout.kv_precision]),
        peak_flops=rates.peak_flops,
        bandwidth=rates.bandwidth,
        link_bytes_per_s=rates.link_bytes_per_s,
        latency_ratio=np.where(outside, ratio, 1.0),
        scale_out_bytes_per_s=column(lambda r: r.chip.link.scale_out_bytes_per_s),
        rack_chips=np.where(racks, column(lambda r: r.scale_up_domain), np.inf),
        capacity_bytes=column(lambda r: r.chip.store.visible_bytes or r.chip.store.capacity_bytes),
        tdp_w=column(lambda r: r.chip.power.tdp_w),
        memory_fraction=column(lambda r: r.engine.scheduler.memory_fraction),
        fraction_of_free=np.array([[r.engine.scheduler.memory_fraction_of == "free"] for r in rows]),
        max_batched_tokens=column(lambda r: r.engine.scheduler.max_batched_tokens),
        max_sequences=column(lambda r: r.engine.scheduler.max_sequences),
        chunked=np.array([[r.engine.scheduler.policy == "chunked"] for r in rows]),
        draft_tokens=drafting(lambda s: s.draft_tokens, 0.0),
        stated_acceptance=drafting(lambda s: s.acceptance_length, np.nan),
        draft_layers=drafting(lambda s: float(s.own_layer), 0.0),
        draft_cost=drafting(lambda s: s.draft_cost, np.nan),
        lora=lora_load([(m, r.layout, r.lora) for m, r in zip(models, rows, strict=True)]),
        theta=constants.theta(contexts, _kernel_priors(models, rows, contexts, constants)),
        contexts=tuple(contexts),
        constants=constants,
        low=low,
        high=high,
    )


def _rates(models: Sequence[Model], rows: Sequence[Candidate], outside: NDArray[np.bool_]) -> Rates:
    """Rates of the chips of `rows`; `outside` (n, 1): the group reaches beyond the scale-up domain."""
    links = [(r.chip.link.scale_up_bytes_per_s, r.chip.link.scale_out_bytes_per_s) for r in rows]
    link_in, link_out = np.array(links, dtype=float).T[:, :, None] if rows else np.zeros((2, 0, 1))
    return Rates(
        peak_flops={role: _by_role(models, rows, partial(_peak, role)) for role in _ROLES},
        bandwidth=np.array([[float(r.chip.store.bandwidth_bytes_per_s)] for r in rows]),
        link_bytes_per_s=np.where(outside, link_out, link_in),
    )


def _range_of_rates(
    models: Sequence[Model], rows: Sequence[Candidate], outside: NDArray[np.bool_]
) -> tuple[Rates, Rates] | tuple[None, None]:
    """Rates at the low and the high end of the chips' ranges; None where no chip has a range."""
    chips = {id(r.chip): r.chip for r in rows}
    if not any(uncertain_figures(chip) for chip in chips.values()):
        return None, None

    def end(which: End) -> Rates:
        moved = {key: at_end(chip, which) for key, chip in chips.items()}
        return _rates(models, [replace(r, chip=moved[id(r.chip)]) for r in rows], outside)

    return end("low"), end("high")


def _kernel_priors(
    models: Sequence[Model], rows: Sequence[Candidate], contexts: Sequence[Context], constants: Constants
) -> list[Mapping[str, float]] | None:
    """Values of measured kernels for candidates whose network the calibration has seen; None without any.

    An unseen network keeps the flat prior: kernel tables say little about models they were not taken for
    (docs/calibration.md).
    """
    calibration = constants.calibration
    if calibration is None or not calibration.kernel_priors:
        return None
    seen = [context.network in calibration.networks for context in contexts]
    return kernel_values(models, rows, constants.entries, seen)


def context_of(model: Model, r: Candidate) -> Context:
    """Where a candidate runs, as the levels of a calibration name it."""
    year = r.year if r.year is not None else years_since_2026(r.engine.date)
    return Context(
        engine=r.engine.id,
        vendor=r.chip.vendor,
        family=r.chip.family,
        chip=r.chip.id,
        precision=r.layout.weight_precision,
        network=model.network or model.id,
        source=r.source,
        year=year,
        mode=r.mode,
        kind=model.family,
        beyond=r.layout.cp > 1 or r.spans_racks or r.mixed,
    )


def _by_role(models: Sequence[Model], rows: Sequence[Candidate], get: Callable[[Model, Candidate], float]) -> Array:
    return np.array([[get(m, r)] for m, r in zip(models, rows, strict=True)])


def _bytes_per_parameter(role: Role, model: Model, r: Candidate) -> float:
    precision = r.layout.weight_precision
    if role in ("head", "embedding") and r.engine.converts_ends and precision in r.engine.quantises:
        return BYTES_PER_ELEMENT["int8"]  # 8 bits at most, whatever the rest has
    return weight_bytes_per_parameter(model, precision, role)


def _peak(role: Role, model: Model, r: Candidate) -> float:
    return peak_flops(model, r.chip, r.layout.weight_precision, role)
