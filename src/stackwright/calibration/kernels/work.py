"""What a row of a measured kernel table computed and moved: tables of one op to work (seconds, bytes, FLOP)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.kernels.curves import SHARPNESS, Work
from stackwright.catalog import Chip
from stackwright.errors import InputError
from stackwright.llm.precision import BYTES_PER_ELEMENT
from stackwright.performance.collectives import ring_volume
from stackwright.performance.kernel_prior import KERNEL_DTYPES, KernelCurve, attention_dtype, kernel_peak_flops
from stackwright.performance.step import smooth_max

Array = NDArray[np.float64]
Column = NDArray[Any]


class Table:
    """Columns of one Parquet file by name; `rows` keeps some of them."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def number(self, name: str) -> Array:
        """A column as floating point."""
        return self.columns[name].astype(np.float64)

    def rows(self, keep: Column) -> Table:
        """The rows of a mask or of indices."""
        return Table({name: values[keep] for name, values in self.columns.items()})


@dataclass(frozen=True)
class TableFile:
    """One Parquet file and what its path says."""

    system: str
    framework: str
    version: str
    path: Path


def read_table(path: Path) -> Table:
    """A Parquet file as NumPy columns. `InputError` when pyarrow is not installed or the file is not Parquet."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            "reading kernel tables needs pyarrow, which is not installed; pip install 'stackwright[calibrate]'"
        ) from None
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error})") from None
    return Table({name: table[name].to_numpy() for name in table.column_names})


@dataclass(frozen=True)
class Context:
    """What a reader of tables may need beside the table: the chip, and the GEMM curves of the same engine on it."""

    chip: Chip
    gemm: Mapping[str, KernelCurve]
    ungated: frozenset[tuple[int, ...]] = frozenset()


Works = dict[str, Work]
Reader = Callable[[Table, Context], Works]

_ACTIVATION_BYTES = {"bf16": 2.0, "fp8": 1.0, "fp4": BYTES_PER_ELEMENT["nvfp4"]}
_MLA_LATENT, _MLA_ROTARY, _MLA_NOPE, _MLA_VALUE = 512, 64, 128, 128  # DeepSeek-V2, arXiv 2405.04434, section 2.1
_MLA_HIDDEN, _MLA_QUERY = 7168, 1536  # DeepSeek-V3, the one model of the MLA module tables


def gemm_work(t: Table, context: Context) -> Works:
    """C = A W: weights n k, activations m (k + n); shapes of whole projections, n and k in 512 .. 20,000."""
    m, n, k = t.number("m"), t.number("n"), t.number("k")
    wide = (n >= 512) & (k >= 512) & (n <= 20_000) & (k <= 20_000) & (m <= 16_384)

    def work(part: Table, dtype: str) -> Work:
        m, n, k = part.number("m"), part.number("n"), part.number("k")
        weights, arithmetic = KERNEL_DTYPES[dtype]
        read = m * k * _ACTIVATION_BYTES[arithmetic] + n * k * BYTES_PER_ELEMENT[weights]
        return Work(_seconds(part), read + m * n * _ACTIVATION_BYTES["bf16"], 2.0 * m * n * k)

    return _by_dtype(_fastest(t.rows(wide), ("gemm_dtype", "m", "n", "k")), "gemm_dtype", work)


def moe_work(t: Table, context: Context) -> Works:
    """Routed experts of one rank: weights of the experts hit, activations in and out of every token.

    Gated experts only (3 matrices). The `balanced` rows are used: the collector deals tokens to experts in turn, so
    min(E, k t) experts are hit and every rank has the same work. A table without them gives its flattest power-law
    rows instead, without expert parallelism (with it, the busiest rank is measured) and with the expected number of
    experts of that draw (`power_law_experts_hit`).
    """
    shape = ("hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size", "moe_ep_size", "num_tokens")
    gated = np.array([s not in context.ungated for s in ints(t, shape[:4])], dtype=bool)
    small = (t["num_tokens"] <= 16_384) & (t["moe_tp_size"] * t["moe_ep_size"] <= 16)
    t = t.rows(gated & small & ~contains(t, "kernel_source", "nongated"))
    balanced = t["distribution"] == "balanced"
    if np.any(balanced):
        t = t.rows(balanced)
    else:
        t = t.rows((t["distribution"] == "power_law_1.01") & (t["moe_ep_size"] == 1))

    def work(part: Table, dtype: str) -> Work:
        h, i, k, e, tp, ep, tokens = (part.number(name) for name in shape)
        dealt = part["distribution"] == "balanced"
        hit = np.where(dealt, np.minimum(e, k * tokens), power_law_experts_hit(e, k, tokens, 1.01)) / ep
        expert = 3.0 * h * i / tp
        n_bytes = hit * expert * BYTES_PER_ELEMENT[KERNEL_DTYPES[dtype].weights]
        activations = tokens * h * 2.0 * _ACTIVATION_BYTES["bf16"]
        return Work(_seconds(part), n_bytes + activations, 2.0 * expert * tokens * k / ep)

    return _by_dtype(_fastest(t, (*shape, "moe_dtype")), "moe_dtype", work)


def power_law_experts_hit(experts: Array, top_k: Array, tokens: Array, alpha: float) -> Array:
    """Expected experts with at least one token when shares of experts follow a bounded power law.

    Shares x have density x^-alpha on (1, 0.8 t), or on (0.01, 2) while k t <= E, and are scaled to k t tokens and
    rounded, so an expert is hit where x k t / (E mean(x)) >= 1/2: `power_law_logits_v3` in the collectors of NVIDIA's
    aiconfigurator (Apache-2.0). alpha is not 1 or 2.
    """
    assigned = top_k * tokens
    many = assigned > experts
    low = np.where(many, 1.0, 0.01)
    high = np.where(many, np.maximum(0.8 * tokens, 1.0 + 1e-9), 2.0)
    a, b = 1.0 - alpha, 2.0 - alpha
    mean = (high**b - low**b) / b * a / (high**a - low**a)
    least = np.clip(0.5 * experts * mean / assigned, low, high)
    share = (high**a - least**a) / (high**a - low**a)
    return np.minimum(experts * share, assigned)


def generation_attention_work(t: Table, context: Context) -> Works:
    """Decode attention of grouped heads: one query token per sequence reads keys and values of all cached tokens."""
    usual = _usual_heads(t) & _decode_range(t)
    kv = np.where(t["num_key_value_heads"] == 0, t["num_heads"], t["num_key_value_heads"])
    t = Table({**t.columns, "kv": kv}).rows(usual)
    pairs = t.number("batch_size") * (t.number("step") + 1.0)
    d = t.number("head_dim")
    read = pairs * 2.0 * t.number("kv") * d * _kv_bytes(t)
    return _by_cache(t, "gqa", Work(_seconds(t), read, pairs * 4.0 * t.number("num_heads") * d))


def context_attention_work(t: Table, context: Context) -> Works:
    """Prompt attention of grouped heads, causal: isl^2 / 2 pairs; queries and outputs are the bytes."""
    t = t.rows(_usual_heads(t) & _prompt_range(t))
    tokens, heads = t.number("batch_size") * t.number("isl"), t.number("num_heads") * t.number("head_dim")
    pairs = tokens * t.number("isl") / 2.0
    n_bytes = tokens * heads * 2.0 * _ACTIVATION_BYTES["bf16"]
    return _by_cache(t, "gqa", Work(_seconds(t), n_bytes, pairs * 4.0 * heads))


def generation_mla_work(t: Table, context: Context) -> Works:
    """Decode attention in the latent space: r + p cached elements per token, 2 H (2 r + p) FLOP per pair."""
    t = t.rows(_decode_range(t))
    known = _module_projections(t, t.number("batch_size"), context)
    pairs = t.number("batch_size") * (t.number("step") + 1.0)
    read = pairs * (_MLA_LATENT + _MLA_ROTARY) * _kv_bytes(t)
    flops = pairs * t.number("num_heads") * 2.0 * (2.0 * _MLA_LATENT + _MLA_ROTARY)
    return _by_cache(t, "mla", Work(_seconds(t), read, flops, known))


def context_mla_work(t: Table, context: Context) -> Works:
    """Prompt attention with expanded keys and values, causal: 2 H (n + p + v) FLOP per pair."""
    t = t.rows(_prompt_range(t))
    tokens, heads = t.number("batch_size") * t.number("isl"), t.number("num_heads")
    known = _module_projections(t, tokens, context)
    query, value = _MLA_NOPE + _MLA_ROTARY, _MLA_VALUE
    pairs = tokens * t.number("isl") / 2.0
    n_bytes = tokens * heads * (query + value) * _ACTIVATION_BYTES["bf16"]
    return _by_cache(t, "mla", Work(_seconds(t), n_bytes, pairs * heads * 2.0 * (query + value), known))


def all_reduce_work(t: Table, context: Context) -> Works:
    """All-reduce over 2 to 8 chips inside the fast links: ring volume of the message, no FLOP.

    Captured graphs where the engine measures both. Messages from 1,024 to 1.4e8 elements.
    """
    name = "backend" if "backend" in t else "kernel_source"
    size, chips = t.number("message_size"), t.number("num_gpus")
    eager = contains(t, name, "eager")
    usual = (size >= 1024) & (size <= 1.4e8) & (chips >= 2) & (chips <= 8) & ~(eager & np.any(~eager))
    t = t.rows(usual)

    def work(part: Table, dtype: str) -> Work:
        n_bytes = part.number("message_size") * _ACTIVATION_BYTES[KERNEL_DTYPES[dtype].arithmetic]
        volume = ring_volume(n_bytes, part.number("num_gpus"))
        return Work(_seconds(part), volume, np.zeros_like(volume))

    return _by_dtype(_fastest(t, ("allreduce_dtype", "num_gpus", "message_size")), "allreduce_dtype", work)


def ints(t: Table, names: Sequence[str]) -> list[tuple[int, ...]]:
    """Rows of whole numbers of the named columns, as tuples."""
    return list(zip(*(t[name].tolist() for name in names), strict=True))


def contains(t: Table, name: str, part: str) -> NDArray[np.bool_]:
    """Rows whose text column contains `part`."""
    return np.array([part in str(value) for value in t[name]], dtype=bool)


def _seconds(t: Table) -> Array:
    return t.number("latency") * 1e-3


def _by_dtype(t: Table, column: str, work: Callable[[Table, str], Work]) -> Works:
    kept = [d for d in sorted(set(t[column].tolist())) if d in KERNEL_DTYPES]
    return {dtype: work(t.rows(t[column] == dtype), dtype) for dtype in kept}


def _fastest(t: Table, shape: Sequence[str]) -> Table:
    """One row per shape, the fastest: an engine that has several kernels for a shape picks by timing them."""
    codes = [np.unique(t[name].astype(str), return_inverse=True)[1] for name in shape]
    order = np.lexsort((t["latency"], *codes))
    ordered = np.stack([c[order] for c in codes])
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.any(ordered[:, 1:] != ordered[:, :-1], axis=0)
    return t.rows(np.sort(order[first]))


def _by_cache(t: Table, kind: str, work: Work) -> Works:
    """Work by the format of the cache, rows whose known part is not known left out."""
    known = np.zeros(len(work)) + work.known_s

    def rows(form: str) -> Work:
        return work.rows((t["kv_cache_dtype"] == form) & np.isfinite(known))

    return {attention_dtype(kind, "bf16"): rows("bfloat16"), attention_dtype(kind, "fp8"): rows("fp8")}


def _kv_bytes(t: Table) -> Array:
    return np.where(t["kv_cache_dtype"] == "fp8", BYTES_PER_ELEMENT["fp8"], BYTES_PER_ELEMENT["bf16"])


def _usual_heads(t: Table) -> NDArray[np.bool_]:
    """Full attention (no window, also where the table has no such column) over heads of 64 or 128, in BF16."""
    kept: NDArray[np.bool_] = np.isin(t["head_dim"], (64, 128)) & (t["attn_dtype"] == "bfloat16")
    return kept & (t["window_size"] == 0) if "window_size" in t else kept


def _decode_range(t: Table) -> NDArray[np.bool_]:
    kept: NDArray[np.bool_] = (t["step"] >= 255) & (t["step"] <= 20_000) & (t["batch_size"] <= 512)
    return kept


def _prompt_range(t: Table) -> NDArray[np.bool_]:
    kept: NDArray[np.bool_] = (t["isl"] >= 256) & (t["batch_size"] * t["isl"] <= 32_768) & (t["step"] == 0)
    return kept


def _module_projections(t: Table, tokens: Array, context: Context) -> Array | float:
    """Seconds of the projections that an MLA module table times with the attention; 0 for a table without them.

    NaN where the engine has no GEMM curve of the row's dtype.
    """
    if "gemm_type" not in t:
        return 0.0
    heads = t.number("num_heads")
    held = _MLA_HIDDEN * (_MLA_QUERY + _MLA_LATENT + _MLA_ROTARY) + heads * (
        _MLA_QUERY * (_MLA_NOPE + _MLA_ROTARY) + _MLA_LATENT * (_MLA_NOPE + _MLA_VALUE) + _MLA_VALUE * _MLA_HIDDEN
    )
    seconds = np.full(len(t), np.nan)
    for dtype, curve in context.gemm.items():
        if curve.memory_efficiency is None or curve.compute_efficiency is None:
            continue
        rows = t["gemm_type"] == dtype
        weights = held[rows] * BYTES_PER_ELEMENT[KERNEL_DTYPES[dtype].weights]
        memory = weights / (context.chip.store.bandwidth_bytes_per_s * curve.memory_efficiency)
        peak = kernel_peak_flops(context.chip, dtype)
        compute = 2.0 * held[rows] * tokens[rows] / (peak * curve.compute_efficiency)
        seconds[rows] = smooth_max(memory, compute, SHARPNESS)
    return seconds
