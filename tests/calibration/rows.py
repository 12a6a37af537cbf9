"""Measured rows made up for tests of fitting: the model's own answers, moved by a known factor and noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stackwright.calibration import PointPrediction, predict_points
from stackwright.catalog import load_catalog
from stackwright.measure import Measurement
from stackwright.measure.importers.cells import row
from stackwright.performance.constants import prior_constants

CHIPS = ("h100-sxm", "h200-sxm", "b200-hgx")
MODELS = ("Qwen/Qwen3-8B", "Qwen/Qwen3-32B", "meta-llama/Llama-3.1-70B-Instruct")


def made_up(slower: float = 1.3, noise: float = 0.05, seed: int = 0) -> list[Measurement]:
    """Rows of three chips and three models, `slower` than the prior says."""
    rng = np.random.default_rng(seed)
    plain = [
        _row(chip, model, users, f"{chip}-{model}-{users}", {})
        for chip in CHIPS
        for model in MODELS
        for users in (4, 16, 64)
    ]
    answers = predict_points(plain, load_catalog(), prior_constants(), intervals=False)
    found = []
    for m, p in zip(plain, answers, strict=True):
        assert isinstance(p, PointPrediction), p
        moved = np.exp(rng.normal(0.0, noise, 2)) * slower
        cells = {"ttft_s": p.metrics["ttft_mean_s"][0] * moved[0], "tpot_s": p.metrics["tpot_mean_s"][0] * moved[1]}
        found.append(_row(m.text["chip"], m.text["model"], int(m.numbers["concurrency"]), m.id, cells))
    return found


def _row(chip: str, model: str, users: int, name: str, cells: dict[str, float]) -> Measurement:
    base = {
        "id": name, "source": "made up", "date": "2026-03-01", "chip": chip, "n_chips": 4, "tp": 4, "model": model,
        "engine": "vllm", "mode": "aggregated", "weight_precision": "bf16", "speculative": "none", "isl": 1024,
        "osl": 256, "length_dist": "fixed", "concurrency": users, "ttft_stat": "mean", "tpot_stat": "mean",
    }  # fmt: skip
    return row(base | cells, 1, Path("made up"))  # type: ignore[arg-type]
