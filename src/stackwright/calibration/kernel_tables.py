"""Reads measured kernel tables and writes the roofline curves fitted to them.

The tables are those of an installed `aiconfigurator_core` (or its successor `aisimulate_core`), Apache-2.0, one
Parquet file per chip, kernel family, engine and version:
`systems/data/<system>/<family>/<framework>/<version>/<op>_perf.parquet`. They are read only here, when curves are
fitted; `performance.kernel_prior` uses the result, `performance/data/kernel_curves.json`.

Units of the tables: `latency` is in milliseconds; `message_size` of collectives counts elements, not bytes; `step` of
attention is the number of cached tokens.

    python -m stackwright.calibration.kernel_tables --wheel-dir DIR --out FILE
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.kernel_curves import SHARPNESS, CurveFit, Work, fit_curve
from stackwright.catalog import Catalog, Chip, load_catalog
from stackwright.errors import InputError
from stackwright.llm.precision import BYTES_PER_ELEMENT
from stackwright.performance.collectives import ring_volume
from stackwright.performance.kernel_prior import KERNEL_DTYPES, KernelCurve, attention_dtype, kernel_peak_flops
from stackwright.performance.step import smooth_max

Array = NDArray[np.float64]
Column = NDArray[Any]

PACKAGES = ("aiconfigurator_core", "aisimulate_core")
_MIN_ROWS = 30
_WORST_ERROR_PCT = 40.0
_FIXED_BYTES = 2e6  # below: only the fixed time shows
_CACHE_BYTES = 2.56e8  # twice the largest on-chip cache of the chips in the tables (128 MB)


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
    gated = np.array([s not in context.ungated for s in _ints(t, shape[:4])], dtype=bool)
    small = (t["num_tokens"] <= 16_384) & (t["moe_tp_size"] * t["moe_ep_size"] <= 16)
    t = t.rows(gated & small & ~_contains(t, "kernel_source", "nongated"))
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
    eager = _contains(t, name, "eager")
    usual = (size >= 1024) & (size <= 1.4e8) & (chips >= 2) & (chips <= 8) & ~(eager & np.any(~eager))
    t = t.rows(usual)

    def work(part: Table, dtype: str) -> Work:
        n_bytes = part.number("message_size") * _ACTIVATION_BYTES[KERNEL_DTYPES[dtype].arithmetic]
        volume = ring_volume(n_bytes, part.number("num_gpus"))
        return Work(_seconds(part), volume, np.zeros_like(volume))

    return _by_dtype(_fastest(t, ("allreduce_dtype", "num_gpus", "message_size")), "allreduce_dtype", work)


@dataclass(frozen=True)
class Kernel:
    """Where the tables of one op lie and how they are read. `module`: the table times projections as well."""

    op: str
    family: str
    file: str
    reader: Reader
    module: bool = False


KERNELS = (
    Kernel("gemm", "gemm", "gemm", gemm_work),
    Kernel("moe", "moe", "moe", moe_work),
    Kernel("gen_attn", "attention", "generation_attention", generation_attention_work),
    Kernel("ctx_attn", "attention", "context_attention", context_attention_work),
    Kernel("gen_attn", "mla", "generation_mla", generation_mla_work),
    Kernel("ctx_attn", "mla", "context_mla", context_mla_work),
    Kernel("gen_attn", "mla", "mla_generation_module", generation_mla_work, module=True),
    Kernel("ctx_attn", "mla", "mla_context_module", context_mla_work, module=True),
    Kernel("allreduce", "comm", "custom_allreduce", all_reduce_work),
)


def fit_tables(site: Path, catalog: Catalog) -> list[KernelCurve]:
    """Curves of every chip of the catalogue that the tables under `site` cover, sorted by chip, engine, op, dtype.

    `site` is the folder that holds the package (a site-packages folder or an unpacked wheel).
    """
    root, release = _package(site)
    ungated = _ungated_shapes(root)
    curves: list[KernelCurve] = []
    for system in sorted(p.name for p in (root / "systems" / "data").iterdir() if p.is_dir()):
        try:
            chip = catalog.chip(system)
        except InputError:
            continue
        curves += _fit_system(root, release, system, chip, catalog, ungated)
    if not curves:
        raise InputError(f"{root}: no kernel table of a chip in the catalogue")
    return sorted(curves, key=lambda c: (c.chip, c.engine, c.op, c.dtype))


def _fit_system(
    root: Path, release: str, system: str, chip: Chip, catalog: Catalog, ungated: frozenset[tuple[int, ...]]
) -> Iterator[KernelCurve]:
    gemm: dict[str, dict[str, KernelCurve]] = {}
    done: set[tuple[str, str, str]] = set()
    for kernel in KERNELS:
        folder = root / "systems" / "data" / system / kernel.family
        for framework in sorted(p.name for p in folder.iterdir()) if folder.is_dir() else ():
            files = sorted(
                (folder / framework).glob(f"*/{kernel.file}_perf.parquet"), key=lambda p: version_key(p.parent.name)
            )
            if not files:
                continue
            engine = catalog.engine(framework).id
            context = Context(chip, gemm.get(engine, {}), ungated)
            if kernel.module and not context.gemm:
                continue
            for dtype, (path, work) in sorted(_newest(files, kernel.reader, context).items()):
                if (engine, kernel.op, dtype) in done:
                    continue
                done.add((engine, kernel.op, dtype))
                source = f"{release}, {path.relative_to(root).as_posix()}"
                curve = _curve(kernel, chip, engine, dtype, work, path.parent.name, source)
                if kernel.op == "gemm":
                    gemm.setdefault(engine, {})[dtype] = curve
                yield curve


def _newest(files: Sequence[Path], reader: Reader, context: Context) -> dict[str, tuple[Path, Work]]:
    """Per dtype the newest version that has enough rows (a new version may only add a dtype or a few shapes)."""
    found: dict[str, tuple[Path, Work]] = {}
    for path in reversed(files):
        for dtype, work in reader(read_table(path), context).items():
            if len(work) >= _MIN_ROWS and dtype not in found:
                found[dtype] = (path, work)
    return found


def _curve(kernel: Kernel, chip: Chip, engine: str, dtype: str, work: Work, version: str, source: str) -> KernelCurve:
    if kernel.op == "allreduce":
        bandwidth, peak = chip.link.scale_up_bytes_per_s, chip.compute.bf16
    else:
        bandwidth = chip.memory.bandwidth_bytes_per_s
        peak = kernel_peak_flops(chip, dtype) if dtype in KERNEL_DTYPES else chip.compute.bf16
    fit, notes = _settled(kernel, work, bandwidth, peak)
    if kernel.module:
        notes.append("table of the whole block: projections taken off by the GEMM curve; the fixed time is the block's")
    return KernelCurve(
        chip=chip.id,
        family=chip.family,
        engine=engine,
        op=kernel.op,
        dtype=dtype,
        t0_s=_round(fit.t0_s),
        memory_efficiency=_round(fit.memory_efficiency),
        compute_efficiency=_round(fit.compute_efficiency),
        n=fit.n,
        median_error_pct=round(fit.median_error_pct, 1),
        framework_version=version,
        source=source,
        note="; ".join(notes),
    )


def _settled(kernel: Kernel, work: Work, bandwidth: float, peak: float) -> tuple[CurveFit, list[str]]:
    """The fit and what to know about it; constants that mean nothing are taken out, with the reason."""
    fit = fit_curve(work, bandwidth, peak)
    notes: list[str] = []
    if kernel.op == "gen_attn" and fit.memory_efficiency is None and "bound of 1" in fit.note:
        apart = (work.n_bytes < _FIXED_BYTES) | (work.n_bytes > _CACHE_BYTES)
        fit = fit_curve(work.rows(apart), bandwidth, peak)
        notes.append("rows whose keys and values fit the chip's own cache left out: they beat the memory bandwidth")
    if fit.note:
        notes.append(fit.note)
    reason = ""
    if fit.median_error_pct > _WORST_ERROR_PCT:
        reason = f"the curve misses half of its rows by more than {_WORST_ERROR_PCT:g} %"
    elif kernel.op in ("gemm", "moe") and (fit.memory_efficiency is None or fit.compute_efficiency is None):
        reason = "memory, arithmetic and fixed time cannot be told apart"
    if reason:
        notes.insert(0, f"set aside: {reason}")
        fit = CurveFit(None, None, None, fit.n, fit.median_error_pct)
    return fit, notes


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")


def version_key(version: str) -> tuple[int, ...]:
    """Sort key of a version: numbers in order, a release candidate before its release.

    >>> sorted(["1.3.0", "1.3.0rc20", "0.5.10", "0.5.9", "1.3.0rc5", "0.5.6.post2"], key=version_key)
    ['0.5.6.post2', '0.5.9', '0.5.10', '1.3.0rc5', '1.3.0rc20', '1.3.0']
    """
    release, _, candidate = version.partition("rc")
    numbers = [int(n) for n in re.findall(r"\d+", release)]
    return (*numbers[:3], *[0] * (3 - len(numbers)), int(candidate) if candidate.isdigit() else 1_000_000, *numbers[3:])


def curves_json(curves: Sequence[KernelCurve]) -> str:
    """The curves as a JSON list, one record a line: the same curves give the same bytes."""
    lines = ",\n".join(json.dumps(asdict(c), ensure_ascii=False) for c in curves)
    return f"[\n{lines}\n]\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Fits the tables and writes the file; prints how many curves of each op there are and their error."""
    parser = argparse.ArgumentParser(prog="stackwright.calibration.kernel_tables", description=__doc__.split("\n")[0])
    parser.add_argument("--wheel-dir", type=Path, help="folder that holds aiconfigurator_core or aisimulate_core")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    options = parser.parse_args(argv)
    try:
        curves = fit_tables(options.wheel_dir or _installed(), load_catalog())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    options.out.write_text(curves_json(curves))
    print(f"{len(curves)} curves in {options.out}")
    for op in sorted({c.op for c in curves}):
        errors = [c.median_error_pct for c in curves if c.op == op]
        print(f"  {op}: {len(errors)} curves, median error {min(errors):g} to {max(errors):g} %, {np.median(errors):g}")
    return 0


def _installed() -> Path:
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations))).parent
    raise InputError(f"none of {', '.join(PACKAGES)} is installed; install one or give --wheel-dir")


def _package(site: Path) -> tuple[Path, str]:
    """The package's folder and its name with release, as written to `source`."""
    for name in PACKAGES:
        if (site / name / "systems" / "data").is_dir():
            found = sorted(p.name for p in site.glob(f"{name}-*.dist-info"))
            release = found[-1].split("-")[1].removesuffix(".dist") if found else "(release unknown)"
            return site / name, f"{name.replace('_', '-')} {release} (Apache-2.0)"
    raise InputError(f"{site}: holds neither {' nor '.join(f'{p}/systems/data' for p in PACKAGES)}")


def _ungated_shapes(root: Path) -> frozenset[tuple[int, ...]]:
    """Hidden size, expert width, top-k, experts of the models that some table says have ungated experts.

    They have 2 matrices, not 3; not every engine's table says so.
    """
    found: set[tuple[int, ...]] = set()
    for path in sorted((root / "systems" / "data").glob("*/moe/*/*/moe_perf.parquet")):
        t = read_table(path)
        t = t.rows(_contains(t, "kernel_source", "nongated"))
        found.update(_ints(t, ("hidden_size", "inter_size", "topk", "num_experts")))
    return frozenset(found)


def _ints(t: Table, names: Sequence[str]) -> list[tuple[int, ...]]:
    return list(zip(*(t[name].tolist() for name in names), strict=True))


def _contains(t: Table, name: str, part: str) -> NDArray[np.bool_]:
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
        memory = weights / (context.chip.memory.bandwidth_bytes_per_s * curve.memory_efficiency)
        peak = kernel_peak_flops(context.chip, dtype)
        compute = 2.0 * held[rows] * tokens[rows] / (peak * curve.compute_efficiency)
        seconds[rows] = smooth_max(memory, compute, SHARPNESS)
    return seconds


if __name__ == "__main__":
    raise SystemExit(main())
