"""Rows of InferenceX (SemiAnalysis) as its weekly dump or its interface gives them: JSON, JSON lines or CSV.

A row holds a configuration (hardware, framework, precision, parallel sizes of the prefill and the decode pool) and
`metrics` in seconds and tokens/s per GPU; in CSV the metrics are columns, plain or with the prefix `metrics_`, and
those of the configuration may carry `config_`. Harness, as published with it: lengths uniform from 0.8 to 1.0 of
nominal, 10 x concurrency requests, all at once. Trap: for aggregated engines with expert parallelism
`num_decode_gpu` is tp x ep, while the engine runs on `decode_tp` chips and throughput per GPU is already right.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackwright.catalog import Catalog
from stackwright.errors import InputError
from stackwright.measure.importers.cells import Cell, content_id, row
from stackwright.measure.importers.names import Names
from stackwright.measure.table import Measurement

SOURCE = "InferenceX"
MODELS = {
    "dsr1": "deepseek-ai/DeepSeek-R1",
    "gptoss": "openai/gpt-oss-120b",
    "gptoss120b": "openai/gpt-oss-120b",
    "llama70b": "meta-llama/Llama-3.3-70B-Instruct",
    "qwen3.5": "Qwen/Qwen3.5-397B-A17B",
    "kimik2.5": "moonshotai/Kimi-K2.5",
    "minimaxm2.5": "MiniMaxAI/MiniMax-M2.5",
    "glm5": "zai-org/GLM-5",
}
"""Short names of the dump; any other name is taken as it is."""
FRAMEWORKS = {"trt": "tensorrt-llm", "trtllm": "tensorrt-llm", "sglang": "sglang", "vllm": "vllm", "atom": "atom"}
"""The engine of a framework name; the rest of the name (`dynamo-trt`, `mori-sglang`) is what spreads the requests."""
_NEEDED = ("hardware", "framework", "model", "precision", "conc", "decode_tp", "spec_method", "disagg")


def import_inferencex(path: Path, catalog: Catalog | None = None) -> list[Measurement]:
    """The rows of a dump in the measurement table; rows without nominal lengths (agent traces) are left out.

    Medians are taken where they are given, else means. Raises `InputError` for a foreign or malformed file.
    """
    names = Names(catalog)
    found = []
    for number, raw in enumerate(_rows(path), 1):
        cells = _flat(raw)
        missing = [name for name in _NEEDED if name not in cells]
        if missing:
            raise InputError(f"{path}, row {number}: lacks {missing[0]!r}; not a dump of InferenceX")
        if cells.get("isl") and cells.get("osl"):
            found.append(_row(cells, number, path, names))
    if not found:
        raise InputError(f"{path}: no rows with isl and osl")
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror or error})") from None
    except (UnicodeDecodeError, EOFError) as error:
        raise InputError(f"{path}: not UTF-8 text ({error})") from None
    name = path.name.removesuffix(".gz")
    if name.endswith(".csv"):
        return list(csv.DictReader(io.StringIO(text)))
    try:
        if name.endswith((".jsonl", ".ndjson")):
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            whole = json.loads(text)
            found = next((v for v in whole.values() if isinstance(v, list)), []) if isinstance(whole, dict) else whole
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
    if not isinstance(found, list) or not all(isinstance(r, dict) for r in found):
        raise InputError(f"{path}: expected a list of objects")
    return found


def _flat(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration and metrics of a row side by side, without prefixes; unknown cells left out."""
    cells: dict[str, Any] = {}
    for name, value in raw.items():
        if name == "metrics":
            nested = json.loads(value) if isinstance(value, str) and value.startswith("{") else value
            cells |= {k: v for k, v in (nested or {}).items() if v is not None}
        elif value is not None and value != "":
            cells[name.removeprefix("config_").removeprefix("metrics_")] = value
    return cells


def _row(cells: Mapping[str, Any], number: int, path: Path, names: Names) -> Measurement:
    def value(name: str) -> float | None:
        given = cells.get(name)
        if given is None:
            return None
        try:
            parsed = float(given)
        except (TypeError, ValueError):
            raise InputError(f"{path}, row {number}: {name} = {given!r} is not a number") from None
        return parsed if math.isfinite(parsed) else None

    def latency(name: str) -> tuple[float | None, str | None]:
        median = value(f"median_{name}")
        mean = value(f"mean_{name}")
        return (median, "p50") if median is not None else (mean, "mean" if mean is not None else None)

    framework, model = str(cells["framework"]).lower(), str(cells["model"])
    engine = next((e for part in framework.split("-") if (e := FRAMEWORKS.get(part))), framework)
    router = "-".join(part for part in framework.split("-") if part not in FRAMEWORKS)
    chip, hub_id = names.chip(str(cells["hardware"])), MODELS.get(model.lower(), model)
    precision, note = names.weight_precision(hub_id, chip, str(cells["precision"]).lower())
    disaggregated = _is_true(cells["disagg"])
    ttft, ttft_stat = latency("ttft")
    tpot, tpot_stat = latency("tpot")
    sizes, layout_note = _disaggregated(value, cells) if disaggregated else _aggregated(value, cells)
    result: dict[str, Cell] = {
        "id": content_id(f"{k}={cells[k]}" for k in sorted(cells)),
        "source": SOURCE,
        "date": str(cells.get("date", ""))[:10],
        "chip": chip,
        "model": names.model(hub_id),
        "weight_precision": precision,
        "engine": names.engine(engine),
        "engine_version": _version(str(cells.get("image", ""))),
        "mode": "disaggregated" if disaggregated else "aggregated",
        "speculative": str(cells["spec_method"]).lower(),
        "isl": value("isl"),
        "osl": value("osl"),
        "length_dist": "uniform(0.8,1.0)",
        "concurrency": value("conc"),
        "rounds": 10,
        "ttft_s": ttft,
        "ttft_stat": ttft_stat,
        "tpot_s": tpot,
        "tpot_stat": tpot_stat,
        "ttft_p99_s": value("p99_ttft"),
        "tpot_p99_s": value("p99_tpot"),
        "output_tokens_per_s_per_chip": value("output_tput_per_gpu"),
        "total_tokens_per_s_per_chip": value("tput_per_gpu"),
        "watts_per_chip": value("avg_power_w"),
        "joules_per_output_token": value("joules_per_output_token"),
        "router": router or None,
        "notes": "; ".join(n for n in (layout_note, note, str(cells.get("run_url", ""))) if n),
    }
    return row(result | sizes, number, path)


def _aggregated(value: Any, cells: Mapping[str, Any]) -> tuple[dict[str, Cell], str]:
    """One engine on `decode_tp` chips; data-parallel attention splits them into ranks of one chip."""
    chips = int(value("decode_tp"))
    ep = min(int(value("decode_ep") or 1), chips)
    dp = chips if _is_true(cells.get("decode_dp_attention")) else 1
    printed = value("num_decode_gpu")
    counted = printed is not None and int(printed) != chips
    note = f"n_chips is decode_tp; printed num_decode_gpu {printed:g} counts expert ranks again" if counted else ""
    return {"n_chips": chips, "tp": chips // dp, "pp": 1, "ep": ep, "attention_dp": dp}, note


def _disaggregated(value: Any, cells: Mapping[str, Any]) -> tuple[dict[str, Cell], str]:
    """Two pools of workers, as printed: their parts need not add up to the chips, which the data gate says."""
    found: dict[str, Cell] = {}
    total = 0
    for pool in ("prefill", "decode"):
        tp, workers = int(value(f"{pool}_tp") or 1), int(value(f"{pool}_num_workers") or 0)
        dp = tp if _is_true(cells.get(f"{pool}_dp_attention")) else 1
        found[f"{pool}_workers"] = workers or None
        found |= {f"{pool}_tp": tp // dp, f"{pool}_ep": int(value(f"{pool}_ep") or 1), f"{pool}_attention_dp": dp}
        total += int(value(f"num_{pool}_gpu") or tp * max(workers, 1))
    return found | {"n_chips": total}, ""


def _version(image: str) -> str:
    """The version in an image's tag: `lmsysorg/sglang:v0.5.9-cu130` is 0.5.9."""
    tag = image.rsplit(":", 1)[-1] if ":" in image else ""
    return tag.removeprefix("v").split("-")[0] if tag.removeprefix("v")[:1].isdigit() else ""


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in ("true", "t", "1", "yes")
