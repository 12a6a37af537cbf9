"""End-to-end points of the `silicon_sample.csv` in the wheel of aiconfigurator-core (Apache-2.0), read where it lies.

5,221 rows in version 0.12.0: an InferenceX dump of 2026-04-27 and earlier ones, and NVIDIA's own gap analysis. What the
file does not say, and how it is known: latencies are means (they equal the means of InferenceX to 4 decimals where both
are published); InferenceX draws lengths uniformly from 0.8 to 1.0 of nominal and sends 10 x concurrency requests, all
at once, at most `concurrency` in flight; the gap analysis uses fixed lengths.
"""

from __future__ import annotations

import csv
import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

from stackwright.catalog import Catalog
from stackwright.errors import InputError
from stackwright.measure.importers.cells import Cell, content_id, row
from stackwright.measure.importers.layouts import Sizes, repair_product
from stackwright.measure.importers.names import Names
from stackwright.measure.table import Measurement

PACKAGES = ("aiconfigurator_core", "aisimulate_core")
FILE = "systems/silicon_sample.csv"
INFERENCEX = "InferenceX (silicon_sample.csv)"
GAP_ANALYSIS = "gap analysis (silicon_sample.csv)"
_NEEDED = ("id", "silicon_data_source", "backend", "model_path", "system", "mode", "isl", "osl", "silicon_ttft_ms")
_MODES = {"agg": "aggregated", "disagg": "disaggregated"}


def sample_path() -> Path:
    """The file in the installed wheel, without importing it. Raises `InputError` where no wheel has it."""
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            if (path := Path(folder) / FILE).is_file():
                return path
    raise InputError(
        f"{FILE} is not installed: run `pip install aiconfigurator-core==0.12.0`, or give the path of the file"
    )


def import_silicon_sample(path: Path | None = None, catalog: Catalog | None = None) -> list[Measurement]:
    """Every row of the file (of the installed wheel by default) in the measurement table, repeats included.

    Ids are hashes of the row as printed. Raises `InputError` for a missing or foreign file.
    """
    file, names = path or sample_path(), Names(catalog)
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = [c for c in _NEEDED if c not in (reader.fieldnames or [])]
            if missing:
                raise InputError(f"{file}: lacks the column {missing[0]!r}; not a silicon_sample.csv")
            return [_row(cells, reader.line_num, file, names) for cells in reader]
    except OSError as error:
        raise InputError(f"{file}: cannot read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not a UTF-8 text table ({error})") from None


def _row(printed: Mapping[str, str], number: int, path: Path, names: Names) -> Measurement:
    origin = printed["silicon_data_source"]
    gap = "gap-analysis" in origin
    own = "gap-analysis/" in origin  # a folder of its own runs; the files of that name are extracts
    mode = _MODES.get(printed["mode"])
    if mode is None:
        raise InputError(f"{path}, line {number}: mode = {printed['mode']!r} is neither agg nor disagg")
    chip, model = names.chip(printed["system"]), printed["model_path"]
    label = printed.get("precision") or _label(printed.get("gemm_quant_mode") or "")
    precision, precision_note = names.weight_precision(model, chip, label)
    dynamo = re.search(r"dynamo_version=([^;\s]+)", origin)
    cells: dict[str, Cell] = {
        "id": content_id(printed.values()),
        "source": GAP_ANALYSIS if own else INFERENCEX,
        "date": _found(r"measured=(\d{4}-\d{2}-\d{2})", origin),
        "chip": chip,
        "model": names.model(model),
        "weight_precision": precision,
        "engine": names.engine(printed["backend"]),
        "engine_version": printed.get("backend_version"),
        "mode": mode,
        "isl": _number(printed, "isl", number, path),
        "osl": _number(printed, "osl", number, path),
        "length_dist": "fixed" if own else "uniform(0.8,1.0)",
        "rounds": None if own else 10,
        "ttft_s": _seconds(printed, "silicon_ttft_ms", number, path),
        "ttft_stat": "mean",
        "tpot_s": _seconds(printed, "silicon_tpot_ms", number, path),
        "tpot_stat": "mean",
        "router": f"dynamo {dynamo.group(1)}" if dynamo else None,
    }
    sizes, note = _aggregated(printed, gap) if mode == "aggregated" else _disaggregated(printed)
    concurrency, load_note = _concurrency(printed, origin, dynamo is not None)
    cells.update(sizes)
    cells["concurrency"] = concurrency
    printed_id = f"printed id {printed['id']}"
    cells["notes"] = "; ".join(n for n in (note, precision_note, load_note, printed_id) if n)
    return row(cells, number, path)


def _label(quantisation: str) -> str:
    return {"nvfp4": "fp4", "fp8": "fp8", "fp8_block": "fp8", "int4_wo": "int4"}.get(quantisation, "")


def _size(printed: Mapping[str, str], name: str) -> int:
    """A parallel size; blank and 0 are 1."""
    return max(1, int(float(printed.get(name) or 1)))


def _sizes(printed: Mapping[str, str], prefix: str = "") -> Sizes:
    names = ("tp_size", "attention_dp_size", "moe_ep_size", "moe_tp_size")
    return Sizes(*(_size(printed, prefix + name) for name in names))


def _aggregated(printed: Mapping[str, str], gap: bool) -> tuple[dict[str, Cell], str]:
    given = _sizes(printed)
    repaired = None if gap else repair_product(given)
    s, pp = repaired or given, _size(printed, "pp_size")
    cells: dict[str, Cell] = {
        "n_chips": s.chips * pp, "tp": s.tp, "pp": pp, "ep": s.ep, "attention_dp": s.attention_dp, "moe_tp": s.moe_tp,
    }  # fmt: skip
    if repaired is None:
        return cells, ""
    as_printed = f"tp {given.tp}, attention dp {given.attention_dp}, experts {given.moe_tp} x {given.ep}"
    return cells, f"layout repaired, printed {as_printed}"


def _disaggregated(printed: Mapping[str, str]) -> tuple[dict[str, Cell], str]:
    cells: dict[str, Cell] = {}
    chips, unstated = 0, False
    for pool in ("prefill", "decode"):
        s = _sizes(printed, f"{pool}_")
        workers = printed.get(f"{pool}_num_workers") or ""
        unstated |= not workers
        cells[f"{pool}_workers"] = int(float(workers)) if workers else None
        cells |= {f"{pool}_tp": s.tp, f"{pool}_ep": s.ep, f"{pool}_attention_dp": s.attention_dp}
        chips += s.chips * _size(printed, f"{pool}_pp_size") * _size(printed, f"{pool}_num_workers")
    cells["n_chips"] = chips
    return cells, "numbers of workers not stated: tp may be the chips of the whole pool" if unstated else ""


def _concurrency(printed: Mapping[str, str], origin: str, routed: bool) -> tuple[int | None, str]:
    """Requests in flight; the batch size of one rank times the ranks where the row states no concurrency."""
    batch = printed.get("batch_size") or ""
    in_batches = int(float(batch)) * _size(printed, "attention_dp_size") if batch else None
    stated = _found(r"silicon_concurrency=(\d+)", origin)
    if stated is None:
        return in_batches, "concurrency not stated: batch size x attention dp" if in_batches else ""
    if routed and in_batches and int(stated) != in_batches:
        return int(stated), f"batch {in_batches}: about {int(stated) / in_batches:g} replicas share the concurrency"
    return int(stated), ""


def _found(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match.group(1) if match else None


def _number(printed: Mapping[str, str], name: str, number: int, path: Path) -> float:
    try:
        return float(printed[name])
    except (TypeError, ValueError):
        raise InputError(f"{path}, line {number}: {name} = {printed[name]!r} is not a number") from None


def _seconds(printed: Mapping[str, str], name: str, number: int, path: Path) -> float | None:
    return _number(printed, name, number, path) / 1e3 if printed.get(name) else None
