"""Prior values of the physical constants from roofline curves of measured kernels, where there are any.

The shipped curves (`data/kernel_curves.json`) are fitted by `stackwright.calibration.kernels.tables`; using them
needs no table. A constant without a curve of the same engine on the same chip family is left out: another engine's
kernel is not evidence, and the caller keeps its flat prior.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Literal, NamedTuple

from stackwright.catalog import Chip
from stackwright.llm import Model, weight_format
from stackwright.llm.architecture import Role
from stackwright.llm.precision import BYTES_PER_ELEMENT
from stackwright.performance.constants import Constant, prior_constants
from stackwright.performance.peaks import peak_flops

Figure = Literal["t0_s", "memory_efficiency", "compute_efficiency"]


class KernelDtype(NamedTuple):
    """A dtype of the kernel tables: the format weights are stored in, and the one the chip multiplies in."""

    weights: str
    arithmetic: Literal["bf16", "fp8", "fp4"]


KERNEL_DTYPES: Mapping[str, KernelDtype] = {
    "bfloat16": KernelDtype("bf16", "bf16"),
    "fp8": KernelDtype("fp8", "fp8"),
    "fp8_block": KernelDtype("fp8", "fp8"),
    "nvfp4": KernelDtype("nvfp4", "fp4"),
    "int4_wo": KernelDtype("int4", "bf16"),
    "w4afp8": KernelDtype("int4", "fp8"),
    "w4a16_mxfp4": KernelDtype("mxfp4", "bf16"),
    "w4a8_mxfp4_mxfp8": KernelDtype("mxfp4", "fp8"),
    "w4a8_mxfp4_fp8": KernelDtype("mxfp4", "fp8"),
}
# Share of the fixed time of a stand-alone expert kernel that a layer inside a captured graph still pays: the prior of
# `moe_layer_overhead_s` in constants.yaml is half the median fixed time for the same reason.
MOE_OVERHEAD_SHARE = 0.5


@dataclass(frozen=True)
class KernelCurve:
    """t = t0 + smax(bytes / (bandwidth x memory_efficiency), flops / (peak x compute_efficiency)) of one kernel.

    The efficiencies refer to the nominal figures of the chip in the catalogue. None: the table does not fix it, and
    `note` says why.
    """

    chip: str
    family: str
    engine: str
    op: str
    dtype: str
    t0_s: float | None
    memory_efficiency: float | None
    compute_efficiency: float | None
    n: int
    median_error_pct: float
    framework_version: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class KernelEvidence:
    """The prior value of one constant and the curves it comes from (several: their geometric mean)."""

    value: float
    curves: tuple[KernelCurve, ...]
    same_chip: bool


def kernel_prior(
    engine_id: str,
    chip: Chip,
    model: Model,
    weight_precision: str,
    kv_precision: str = "bf16",
    bounds: Mapping[str, Constant] | None = None,
) -> dict[str, float]:
    """Values of physical constants (names and units of `constants.yaml`) that measured kernels support.

    Curves of the same engine and chip, else of the same engine and chip family; a constant without one is absent,
    and so is a value outside the physical `bounds` of its constant (a fallback kernel that serving would not choose;
    those of the shipped constants by default).

    >>> from stackwright.catalog import load_catalog
    >>> from stackwright.llm import parse_config
    >>> catalog = load_catalog()
    >>> entry = catalog.model("Qwen/Qwen3-32B")
    >>> prior = kernel_prior("vllm", catalog.chip("h200-sxm"), parse_config(entry.config, entry.id), "bf16")
    >>> 0.6 < prior["weight_bandwidth_efficiency"] < 1.0
    True
    >>> "expert_bandwidth_efficiency" in prior
    False
    """
    evidence = kernel_evidence(engine_id, chip, model, weight_precision, kv_precision, bounds)
    return {name: found.value for name, found in evidence.items()}


def kernel_evidence(
    engine_id: str,
    chip: Chip,
    model: Model,
    weight_precision: str,
    kv_precision: str = "bf16",
    bounds: Mapping[str, Constant] | None = None,
) -> dict[str, KernelEvidence]:
    """`kernel_prior` with the curves behind each value."""
    limits = bounds or prior_constants().entries
    dense = _dense_role(model, weight_precision)
    found: dict[str, KernelEvidence] = {}

    def add(constant: str, op: str, dtypes: Sequence[str], figure: Figure) -> None:
        evidence = _look_up(engine_id, chip, op, dtypes, figure, limits[constant])
        if evidence is not None:
            found[constant] = evidence

    def add_rate(constant: str, op: str, role: Role) -> None:
        """Achieved FLOP/s of the curve over the peak that the step time uses for this role."""
        peak = peak_flops(model, chip, weight_precision, role)
        add(constant, op, _dtypes(model, chip, weight_precision, role), "compute_efficiency")
        if constant in found:
            ratio = kernel_peak_flops(chip, found[constant].curves[0].dtype) / peak
            found[constant] = replace(found[constant], value=min(found[constant].value * ratio, 1.0))

    kind = "mla" if model.is_mla else "gqa"
    attention = (attention_dtype(kind, kv_precision), attention_dtype(kind, "bf16"))
    add("weight_bandwidth_efficiency", "gemm", _dtypes(model, chip, weight_precision, dense), "memory_efficiency")
    add_rate("gemm_efficiency", "gemm", dense)
    add("kv_bandwidth_efficiency", "gen_attn", attention, "memory_efficiency")
    add("attention_efficiency", "ctx_attn", attention, "compute_efficiency")
    if model.experts:
        expert = _dtypes(model, chip, weight_precision, "expert")
        add("expert_bandwidth_efficiency", "moe", expert, "memory_efficiency")
        add_rate("expert_gemm_efficiency", "moe", "expert")
        add("moe_layer_overhead_s", "moe", expert, "t0_s")
        if "moe_layer_overhead_s" in found:
            whole = found["moe_layer_overhead_s"]
            found["moe_layer_overhead_s"] = replace(whole, value=MOE_OVERHEAD_SHARE * whole.value)
    add("collective_latency_s", "allreduce", ("bfloat16",), "t0_s")
    add("link_efficiency", "allreduce", ("bfloat16",), "memory_efficiency")
    return found


def attention_dtype(kind: str, kv_precision: str) -> str:
    """The dtype of attention curves: `gqa` or `mla`, with `_fp8` for an FP8 cache (its kernels stream worse)."""
    return f"{kind}_fp8" if kv_precision == "fp8" else kind


def kernel_peak_flops(chip: Chip, dtype: str) -> float:
    """Nominal dense FLOP/s of the arithmetic of a table's dtype; formats the chip lacks run in BF16."""
    rate: float | None = getattr(chip.rates, KERNEL_DTYPES[dtype].arithmetic)
    return rate or chip.rates.bf16


@functools.cache
def load_kernel_curves() -> tuple[KernelCurve, ...]:
    """The shipped curves, in the order of the file."""
    text = (resources.files("stackwright.performance") / "data" / "kernel_curves.json").read_text()
    return tuple(KernelCurve(**row) for row in json.loads(text))


@functools.cache
def _by_key() -> Mapping[tuple[str, str, str], tuple[KernelCurve, ...]]:
    found: dict[tuple[str, str, str], list[KernelCurve]] = {}
    for curve in load_kernel_curves():
        found.setdefault((curve.engine, curve.op, curve.dtype), []).append(curve)
    return {key: tuple(curves) for key, curves in found.items()}


def _look_up(
    engine: str, chip: Chip, op: str, dtypes: Sequence[str], figure: Figure, bounds: Constant
) -> KernelEvidence | None:
    """The chip's own curve of the first dtype that has one, else the family's geometric mean; per dtype in order."""
    for dtype in dtypes:
        curves = _by_key().get((engine, op, dtype), ())
        known = [c for c in curves if bounds.low < (getattr(c, figure) or 0.0) < bounds.high]
        own = [c for c in known if c.chip == chip.id]
        used = own or [c for c in known if c.family == chip.family]
        if used:
            value = math.exp(sum(math.log(getattr(c, figure)) for c in used) / len(used))
            return KernelEvidence(value, tuple(used), bool(own))
    return None


def _dense_role(model: Model, weight_precision: str) -> Role:
    """The role of the dense weights whose number format holds most of the dense weight bytes."""
    parts: list[tuple[Role, float]] = [(m.role, a.layers * m.parameters) for a in model.attentions for m in a.matrices]
    parts += [(m.role, f.layers * m.parameters) for f in model.feed_forwards for m in f.matrices]
    parts += [("shared_expert", e.layers * e.shared_parameters) for e in model.experts]
    n_bytes: dict[str, float] = {}
    for role, parameters in parts:
        form = weight_format(model, weight_precision, role)
        n_bytes[form] = n_bytes.get(form, 0.0) + parameters * BYTES_PER_ELEMENT[form]
    largest = max(n_bytes, key=lambda form: n_bytes[form])
    return next(role for role, _ in parts if role != "norm" and weight_format(model, weight_precision, role) == largest)


def _dtypes(model: Model, chip: Chip, weight_precision: str, role: Role) -> tuple[str, ...]:
    """Table dtypes of the kernel that runs weights of `role`, best match first.

    FP8 with block scales is the published format of native FP8 checkpoints and of most MoE models, one scale per
    tensor that of dense ones; each stands in for the other. MXFP4 with FP8 activations needs FP4 units.
    """
    form = weight_format(model, weight_precision, role)
    if form == "fp8":
        blocks = model.native_precision == "fp8" or model.family == "moe"
        return ("fp8_block", "fp8") if blocks else ("fp8", "fp8_block")
    if form == "mxfp4":
        weight_only = ("w4a16_mxfp4",)
        return ("w4a8_mxfp4_mxfp8", "w4a8_mxfp4_fp8", *weight_only) if chip.rates.fp4 else weight_only
    return tuple(name for name, d in KERNEL_DTYPES.items() if d.weights == form)
