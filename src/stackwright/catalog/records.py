"""Typed records of the catalogue: facts about the world, each with source, date and confidence.

Numbers are SI base units (bytes, FLOP/s, bytes/s, watts, USD); the unit is in the field name.
A group of figures that comes from one place shares one provenance (`Sourced`).
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from stackwright.errors import UnsupportedError

Confidence = Literal["measured", "datasheet", "announced", "press", "assumption"]
Precision = Literal["bf16", "fp8", "fp4", "nvfp4", "mxfp4", "int8", "int4"]
# `reserved`: a term that the list does not print, or that the note names; `marketplace`: hosts of third parties;
# `owned`: bought, not rented (derived by `stackwright.economics.own`, never written in a file of offers).
Contract = Literal[
    "on_demand", "spot", "capacity_block", "flex_start", "calendar", "reserved_1y", "reserved_3y",
    "savings_plan_1y", "savings_plan_3y", "monthly", "reserved", "reserved_3m", "reserved_6m", "reserved_5y",
    "marketplace", "owned",
]  # fmt: skip

STALE_PRICE_DAYS = 90  # a price read longer ago is marked with its age wherever it is shown


class Record(BaseModel):
    """Base: immutable; an unknown field (a typing slip must not pass as a default) or infinite number is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class Sourced(Record):
    """Figures with one provenance. `low` and `high` give a range per field name where one is known."""

    source: str = Field(min_length=3)
    date: dt.date | None = None
    confidence: Confidence
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    note: str = ""


class Compute(Sourced):
    """Dense peak arithmetic rate in FLOP/s by format (`fp4` is NVFP4 or MXFP4). Absent = not supported.

    `bf16` is FP16 where the chip has no BF16. A rate that nobody published is derived from another: the group is then
    an `assumption` with the basis in `note` and a range in `low` and `high`.
    """

    bf16: float = Field(gt=0)
    fp8: float | None = Field(default=None, gt=0)
    fp4: float | None = Field(default=None, gt=0)
    int8: float | None = Field(default=None, gt=0)


class Memory(Sourced):
    """Device memory: capacity in bytes as the vendor sells it, peak bandwidth in bytes/s.

    `visible_bytes` is what the driver reports to programs (nvidia-smi, rocm-smi), where known.
    """

    capacity_bytes: float = Field(gt=0)
    visible_bytes: float | None = Field(default=None, gt=0)
    bandwidth_bytes_per_s: float = Field(gt=0)
    kind: str = ""


class Link(Sourced):
    """Chip-to-chip links, bytes/s in ONE direction per chip.

    `scale_up` is the tight domain (NVLink, xGMI, ICI, NeuronLink, or PCIe where there is nothing better) of
    `scale_up_domain` chips; `scale_out` is the network card share of one chip. Kind `none`: a machine of one chip
    whose engines do not split a model over machines; both figures are then its network port.
    """

    scale_up_bytes_per_s: float = Field(gt=0)
    scale_up_domain: int = Field(ge=1)
    scale_up_kind: Literal[
        "nvlink", "xgmi", "pcie", "ici", "neuronlink", "ethernet", "hccs", "ualink", "fabric", "none"
    ]
    scale_out_bytes_per_s: float = Field(gt=0)


class Power(Sourced):
    """Board power in watts."""

    tdp_w: float = Field(gt=0)


Status = Literal["shipping", "legacy", "announced", "estimated", "internal"]


class Chip(Record):
    """An accelerator as sold, or a processor that runs models.

    `status`: `announced` is not sold yet, `estimated` rests on outside estimates, `internal` is used by its maker only.
    `compute` or `memory` is absent where so little is published that no time can be predicted (`unpublished`).
    """

    id: str
    name: str
    vendor: str
    family: str
    status: Status
    aliases: tuple[str, ...] = ()
    compute: Compute | None = None
    memory: Memory | None = None
    link: Link
    power: Power
    note: str = ""

    @property
    def unpublished(self) -> str | None:
        """Why no time can be predicted on this chip, or None."""
        groups = (("arithmetic rate", self.compute), ("memory figure", self.memory))
        missing = [name for name, group in groups if group is None]
        return f"no published {' and no '.join(missing)} of {self.id}" if missing else None

    @property
    def rates(self) -> Compute:
        """The arithmetic rates. Raises `UnsupportedError` where none is published."""
        if self.compute is None:
            raise UnsupportedError(f"{self.unpublished}: nothing can be predicted on it")
        return self.compute

    @property
    def store(self) -> Memory:
        """The device memory. Raises `UnsupportedError` where no figure of it is published."""
        if self.memory is None:
            raise UnsupportedError(f"{self.unpublished}: nothing can be predicted on it")
        return self.memory


class Host(Sourced):
    """Host side of a system: memory of all hosts in bytes, and the link of one chip to it, bytes/s in one direction."""

    memory_bytes: float = Field(gt=0)
    link_bytes_per_s: float = Field(gt=0)


class System(Sourced):
    """Chips with their host, links and power. `power_w` is the whole system, hosts included.

    `nameplate`: the figure is the maximum that the vendor names (chips at TDP), not one seen under load. `form`: what
    it is bought as; `desk`, `laptop` and `kit` are machines of one's own that nobody rents.
    """

    id: str
    name: str
    chip: str
    chips: int = Field(ge=1)
    hosts: int | None = None
    form: Literal["server", "rack", "desk", "laptop", "kit"] = "server"
    power_w: float | None = Field(default=None, gt=0)
    power_basis: str = ""
    nameplate: bool = False
    price_usd: float | None = Field(default=None, gt=0)
    price_basis: str = ""
    cooling: str = ""
    aliases: tuple[str, ...] = ()
    host: Host | None = None


class Support(Record):
    """What an engine runs on some chip families: weight and KV-cache precisions.

    `architectures`: the traits of models it runs there, where they are fewer than the engine's. `plain_kv`: formats
    of a model's own weights beside which the engine keeps a BF16 cache unless told otherwise. `online`: precisions that
    it makes of a BF16 checkpoint while loading. `source`: where it is not that of the engine.
    """

    families: tuple[str, ...]
    weights: tuple[Precision, ...]
    kv: tuple[Precision, ...]
    architectures: tuple[str, ...] = ()
    plain_kv: tuple[Precision, ...] = ()
    online: tuple[Precision, ...] = ()
    source: str = ""
    note: str = ""


Freedom = Literal["none", "whole", "any"]


class Ways(Sourced):
    """Ways of serving that an engine documents beside one aggregated replica of tensor, expert and pipeline ranks.

    `disaggregated`: prefill and decode workers with a hand-over of the cache; `context_parallel`: the phases in which
    the tokens of one sequence are split over chips; `speculative`: methods of drafting; `kv_offload`: cache in host
    memory.
    """

    disaggregated: bool = False
    context_parallel: tuple[Literal["prefill", "decode"], ...] = ()
    speculative: tuple[Literal["mtp", "eagle", "ngram", "draft-model"], ...] = ()
    kv_offload: bool = False


class Scheduler(Sourced):
    """Defaults of the engine's scheduler, as the engine names them in `note`.

    `policy`: `chunked` mixes prompt chunks into decode steps, `prefill_priority` makes decode wait.
    `memory_fraction` is of the chip's memory, or of what is `free` after weights and activations.
    """

    policy: Literal["chunked", "prefill_priority"]
    max_batched_tokens: int = Field(gt=0)
    max_sequences: int = Field(gt=0)
    kv_block_tokens: int = Field(gt=0)
    memory_fraction: float = Field(gt=0, le=1)
    memory_fraction_of: Literal["chip", "free"] = "chip"
    prefix_cache: bool


class Engine(Sourced):
    """A serving engine at a stated version.

    `expert_parallel` and `attention_data_parallel`: sizes the engine can be launched with: none, only the whole group
    of a pipeline stage, or any divisor of it. `quantises`: precisions that its own converter makes of a BF16
    or FP8 checkpoint, beside the published ones (`converter` says how); `converts_ends`: embeddings
    and output head too, to 8 bits at most. `tensor_parallel` is
    false where a model is split by layers only. `lora`: chip families on which one batch may use
    several LoRA adapters. `ways`: other ways of serving; None: none that the catalogue knows of.
    """

    id: str
    name: str
    version: str
    aliases: tuple[str, ...] = ()
    supports: tuple[Support, ...]
    scheduler: Scheduler
    architectures: tuple[str, ...]
    quantises: tuple[Precision, ...] = ()
    converter: str = ""
    converts_ends: bool = False
    pipeline_parallel: bool = True
    tensor_parallel: bool = True
    expert_parallel: Freedom = "any"
    attention_data_parallel: Freedom = "any"
    ways: Ways | None = None
    lora: tuple[str, ...] = ()


class Checkpoint(Sourced):
    """Published weights of a model in one precision. `hub_id` is what the launch command loads.

    `families`: chip families whose engines load this checkpoint; empty means wherever the precision is supported.
    `formats`: number format by role of the weights, where the checkpoint mixes formats or spares some roles; it is
    called by the precision that holds most of its parameters.
    """

    hub_id: str
    precision: Precision
    families: tuple[str, ...] = ()
    formats: dict[str, Precision] = {}


class ModelEntry(Sourced):
    """A language model: the fields of its config.json, its published checkpoints and totals."""

    id: str
    aliases: tuple[str, ...] = ()
    group: str = ""
    config: dict[str, Any]
    checkpoints: tuple[Checkpoint, ...] = Field(min_length=1)
    published_parameters: float | None = None
    published_active_parameters: float | None = None
    parameters_note: str = ""


class Price(Sourced):
    """USD per hour of one whole unit of an offer under one contract, as read on `date`."""

    contract: Contract
    usd_per_hour: float = Field(gt=0)
    regions: tuple[str, ...]

    def age_days(self, on: dt.date) -> int | None:
        """Days from the reading of the price to `on`; None for an undated one."""
        return None if self.date is None else (on - self.date).days

    def stale(self, on: dt.date) -> bool:
        """Whether the price was read more than `STALE_PRICE_DAYS` before `on`."""
        age = self.age_days(on)
        return age is not None and age > STALE_PRICE_DAYS


class Offer(Record):
    """Rentable capacity: a unit (instance, slice, rack or cluster) of `chips` chips of one kind, with dated prices.

    `max_replica_chips`: the most chips one replica may span over several units (a rack's NVLink domain, a TPU
    slice, or a cluster network); `scale_up_chips`: how many of them share the scale-up domain.
    """

    id: str
    provider: str
    instance: str
    chip: str
    chips: int = Field(ge=1)
    unit: Literal["instance", "chip", "rack", "cluster"]
    scale_up_chips: int = Field(ge=1)
    max_replica_chips: int = Field(ge=1)
    prices: tuple[Price, ...]
    note: str = ""


class Grid(Sourced):
    """Electricity where an offer runs: PUE (ratio), carbon in g CO2e/kWh, water in L/kWh."""

    id: str
    provider: str
    region: str
    country: str = ""
    pue: float = Field(ge=1, le=3)
    carbon_g_per_kwh: float = Field(ge=0)
    water_l_per_kwh: float | None = Field(default=None, ge=0)


class Figure(Sourced):
    """One figure about the world under a name, in the unit that `unit` prints; `low` and `high` of `value`."""

    id: str
    name: str
    unit: str
    value: float


class Certification(Sourced):
    """An attestation that a provider states for its service (`hipaa`: it offers a business associate agreement).

    `held` is False only where the provider itself says that it has none; what nobody looked up is absent.
    """

    name: str
    held: bool = True


class Provider(Sourced):
    """Who sells the capacity: home jurisdiction and regions as ISO 3166-1 alpha-3 codes, and certifications.

    A region that is not named here lies nobody knows where.
    """

    id: str
    name: str
    jurisdiction: str
    aliases: tuple[str, ...] = ()
    regions: dict[str, str] = {}
    certifications: tuple[Certification, ...] = ()


class Place(Sourced):
    """A country or a group of countries under the name that a constraint uses; ISO 3166-1 alpha-3 codes."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    countries: tuple[str, ...] = Field(min_length=1)
