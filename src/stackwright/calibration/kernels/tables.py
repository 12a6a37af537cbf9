"""Reads measured kernel tables and writes the roofline curves fitted to them.

The tables are those of an installed `aiconfigurator_core` (or its successor `aisimulate_core`), Apache-2.0, one
Parquet file per chip, kernel family, engine and version:
`systems/data/<system>/<family>/<framework>/<version>/<op>_perf.parquet`. They are read only here, when curves are
fitted; `performance.kernel_prior` uses the result, `performance/data/kernel_curves.json`.

Units of the tables: `latency` is in milliseconds; `message_size` of collectives counts elements, not bytes; `step` of
attention is the number of cached tokens.

    python -m stackwright.calibration.kernels.tables --wheel-dir DIR --out FILE
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.kernels.curves import CurveFit, Work, fit_curve
from stackwright.calibration.kernels.work import (
    Context,
    Reader,
    all_reduce_work,
    contains,
    context_attention_work,
    context_mla_work,
    gemm_work,
    generation_attention_work,
    generation_mla_work,
    ints,
    moe_work,
    read_table,
)
from stackwright.catalog import Catalog, Chip, load_catalog
from stackwright.errors import InputError
from stackwright.performance.kernel_prior import KERNEL_DTYPES, KernelCurve, kernel_peak_flops

Array = NDArray[np.float64]
Column = NDArray[Any]

PACKAGES = ("aiconfigurator_core", "aisimulate_core")
_MIN_ROWS = 30
_WORST_ERROR_PCT = 40.0
_FIXED_BYTES = 2e6  # below: only the fixed time shows
_CACHE_BYTES = 2.56e8  # twice the largest on-chip cache of the chips in the tables (128 MB)


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
        bandwidth, peak = chip.link.scale_up_bytes_per_s, chip.rates.bf16
    else:
        bandwidth = chip.store.bandwidth_bytes_per_s
        peak = kernel_peak_flops(chip, dtype) if dtype in KERNEL_DTYPES else chip.rates.bf16
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
    parser = argparse.ArgumentParser(prog="stackwright.calibration.kernels.tables", description=__doc__.split("\n")[0])
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
        t = t.rows(contains(t, "kernel_source", "nongated"))
        found.update(ints(t, ("hidden_size", "inter_size", "topk", "num_experts")))
    return frozenset(found)


if __name__ == "__main__":
    raise SystemExit(main())
