"""Measured power of `data/perf_model.csv` of splitwise-sim (MIT): Llama 2 70B and BLOOM 176B on A100, vLLM of 2023.

A row is one batch: all prompts at once, then `token_size` steps together. Power is that of the GPU board over its TDP
(400 W: `1.0000125` is 400.005 W, the step of the driver's reading), measured once per configuration and repeated over
its five timings; 0 where it was not measured (all rows of H100). Left out: configurations without power, and contexts
longer than `LONGEST`, which Llama 2 does not take (the mean power stated for them, 0.17 of TDP, is that of idling).
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping
from pathlib import Path

from stackwright.catalog import Catalog
from stackwright.errors import InputError
from stackwright.measure.importers.cells import Cell, content_id, row
from stackwright.measure.importers.names import Names
from stackwright.measure.table import Measurement

SOURCE = "splitwise-sim data/perf_model.csv"
LONGEST = 4096
_MODELS = {"llama2-70b": "meta-llama/Llama-2-70b-hf", "bloom-176b": "bigscience/bloom"}
_SETTINGS = ("model", "hardware", "tensor_parallel", "prompt_size", "batch_size", "token_size")
_FIGURES = ("average_power", "prompt_time", "token_time", "e2e_time")


def import_splitwise_power(path: Path, catalog: Catalog | None = None) -> list[Measurement]:
    """One row per configuration with power, times the medians of its runs. Raises `InputError` for a foreign file."""
    names, runs = Names(catalog), _runs(path)
    found = []
    for number, (settings, timings) in enumerate(runs.items(), 1):
        cells = dict(zip(_SETTINGS, settings, strict=True))
        watts = timings[0][0]
        if watts > 0 and int(cells["prompt_size"]) + int(cells["token_size"]) <= LONGEST:
            times = [statistics.median(t[k] for t in timings) / 1e3 for k in (1, 2, 3)]
            found.append(_row(cells, watts, times, number, path, names))
    if not found:
        raise InputError(f"{path}: no row with power")
    return found


def _runs(path: Path) -> Mapping[tuple[str, ...], list[list[float]]]:
    runs: dict[tuple[str, ...], list[list[float]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = [c for c in (*_SETTINGS, *_FIGURES) if c not in (reader.fieldnames or [])]
            if missing:
                raise InputError(f"{path}: lacks the column {missing[0]!r}; not the perf_model.csv of splitwise-sim")
            for cells in reader:
                figures = [float(cells[name]) for name in _FIGURES]
                runs.setdefault(tuple(cells[name] for name in _SETTINGS), []).append(figures)
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror or error})") from None
    except (UnicodeDecodeError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not the perf_model.csv of splitwise-sim ({error})") from None
    return runs


def _row(
    cells: Mapping[str, str], share: float, times: list[float], number: int, path: Path, names: Names
) -> Measurement:
    chips, batch, tokens = (int(cells[name]) for name in ("tensor_parallel", "batch_size", "token_size"))
    prompt_s, token_s, e2e_s = times
    chip = names.chip(cells["hardware"])
    rate = batch * tokens / e2e_s / chips
    watts = share * names.catalog.chip(chip).power.tdp_w
    values: dict[str, Cell] = {
        "id": content_id(cells.values()), "source": SOURCE, "date": "2023", "chip": chip, "n_chips": chips, "tp": chips,
        "model": _MODELS.get(cells["model"], cells["model"]), "weight_precision": "bf16", "kv_precision": "bf16",
        "engine": "vllm", "mode": "aggregated", "speculative": "none", "isl": int(cells["prompt_size"]),
        "osl": tokens, "length_dist": "fixed", "concurrency": batch, "rounds": 1, "ttft_s": prompt_s,
        "ttft_stat": "mean", "tpot_s": token_s, "tpot_stat": "mean", "output_tokens_per_s_per_chip": rate,
        "watts_per_chip": watts, "joules_per_output_token": watts / rate,
    }  # fmt: skip
    return row(values, number, path)
