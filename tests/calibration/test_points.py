from __future__ import annotations

import csv
import datetime as dt
import gzip
import math
import os
from pathlib import Path

import numpy as np
import pytest

from stackwright import api
from stackwright.calibration import PointPrediction, Refusal, predict_points
from stackwright.calibration.judge.score import measured, predicted_name, scores
from stackwright.calibration.rows.points import resolve_point, row_year
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.measure import Measurement, read_measurements
from stackwright.performance.constants import load_constants, prior_constants

ROW = {
    "id": "a", "chip": "h100-sxm", "n_chips": "2", "model": "Qwen/Qwen3-8B", "engine": "vllm", "tp": "2",
    "weight_precision": "bf16", "kv_precision": "bf16", "isl": "1024", "osl": "256", "concurrency": "16",
    "ttft_s": "0.1", "tpot_s": "0.01", "output_tokens_per_s_per_chip": "500",
}  # fmt: skip


def table(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(k for r in rows for k in r)), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def predicted(tmp_path: Path, *rows: dict[str, str]) -> list[PointPrediction | Refusal]:
    read = read_measurements(table(tmp_path / "points.csv", *rows))
    return predict_points(read, load_catalog(), load_constants())


def one(tmp_path: Path, **changes: str) -> PointPrediction | Refusal:
    return predicted(tmp_path, {**ROW, **changes})[0]


def metrics(p: PointPrediction | Refusal) -> dict[str, tuple[float, float, float]]:
    assert isinstance(p, PointPrediction), p
    return dict(p.metrics)


def test_a_row_is_what_predict_says_of_the_same_point(tmp_path: Path) -> None:
    found = metrics(one(tmp_path))
    point = api.predict("Qwen/Qwen3-8B", chip="h100-sxm", engine="vllm", tp=2, isl=1024, osl=256, concurrency=16,
                        weight_precision="bf16", kv_precision="bf16")  # fmt: skip
    for name in ("ttft_mean_s", "tpot_mean_s", "tpot_p95_s", "output_tokens_per_s_per_chip"):
        assert found[name][0] == pytest.approx(point.metrics[name].value, rel=1e-9)
        assert found[name][1] <= found[name][0] <= found[name][2]


def test_rows_do_not_depend_on_their_neighbours(tmp_path: Path) -> None:
    others = [{**ROW, "id": str(i), "concurrency": str(2**i), "isl": str(100 * (i + 1))} for i in range(6)]
    refused = {**ROW, "id": "r", "chip": "h1000"}
    together = predicted(tmp_path, *others[:3], refused, *others[3:])
    assert [p.measurement.id for p in together] == ["0", "1", "2", "r", "3", "4", "5"]
    assert isinstance(together[3], Refusal)
    for row, p in zip(others, [*together[:3], *together[4:]], strict=True):
        alone = metrics(predicted(tmp_path, row)[0])
        for name, (value, _, _) in metrics(p).items():
            assert value == pytest.approx(alone[name][0], rel=1e-6), name


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chip": "h1000"}, "unknown chip"),
        ({"model": ""}, "unknown model"),
        ({"engine": "vlm"}, "unknown engine"),
        ({"mode": "disaggregated"}, "prefill_workers is not stated"),
        ({"speculative": "mtp1"}, "no multi-token-prediction module"),
        ({"tp": "3", "n_chips": "3"}, "does not divide"),
        ({"n_chips": "4"}, "contradicts itself"),
        ({"tp": "0"}, "contradicts itself"),
        ({"tp": "", "n_chips": ""}, "neither tp nor"),
        ({"weight_precision": "fp7"}, "no fp7 weights"),
        ({"isl": ""}, "isl and osl must be above 0"),
        ({"length_dist": "odd"}, "cannot read length distribution"),
        ({"isl": "100000000"}, "no room for one long request"),
        ({"concurrency": "", "request_rate": "100000"}, "more than"),
    ],
)
def test_a_row_out_of_scope_is_refused_with_the_reason(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    answer = one(tmp_path, **changes)
    assert isinstance(answer, Refusal)
    assert said in answer.reason


def test_case_of_names_and_missing_tp_do_not_matter(tmp_path: Path) -> None:
    plain = metrics(one(tmp_path))
    assert metrics(one(tmp_path, chip="H100-SXM", weight_precision="BF16", tp="")) == plain


def test_scores_by_hand(tmp_path: Path) -> None:
    answers = predicted(tmp_path, ROW, {**ROW, "tpot_s": "0.02"}, {**ROW, "tpot_s": ""}, {**ROW, "osl": "1"})
    points = [a for a in answers if isinstance(a, PointPrediction)]
    value = points[0].metrics["tpot_mean_s"][0]
    error = [100 * (value / 0.01 - 1), 100 * (value / 0.02 - 1)]
    tpot = scores(points)["tpot"]
    assert tpot is not None
    assert tpot.n == 2  # nothing measured in one row, no second token in the other
    assert tpot.mape_pct == pytest.approx(np.abs(error).mean())
    assert tpot.bias_pct == pytest.approx(np.median(error))
    assert tpot.coverage90_pct in (0.0, 50.0, 100.0)
    assert set(scores([]).values()) == {None}


def test_medians_are_compared_with_medians(tmp_path: Path) -> None:
    row = read_measurements(table(tmp_path / "p.csv", {**ROW, "ttft_stat": "p50", "tpot_stat": "mean"}))[0]
    assert predicted_name(row, "ttft") == "ttft_p50_s"
    assert predicted_name(row, "tpot") == "tpot_mean_s"
    assert measured(row, "throughput") == 500.0
    assert measured(Measurement(1, {}, {"tpot_s": 0.0}, {}), "tpot") is None


def test_a_perfect_prediction_scores_zero(tmp_path: Path) -> None:
    found = metrics(one(tmp_path))
    row = {**ROW, "tpot_s": repr(found["tpot_mean_s"][0]), "ttft_s": repr(found["ttft_mean_s"][0])}
    points = [p for p in predicted(tmp_path, row) if isinstance(p, PointPrediction)]
    for name in ("tpot", "ttft"):
        score = scores(points)[name]
        assert score is not None
        assert score.mape_pct == pytest.approx(0.0, abs=1e-9)
        assert score.coverage90_pct == 100.0


def shared_points() -> Path:
    folder = os.environ.get("STACKWRIGHT_DATA", "")
    path = Path(folder) / "measurements" / "operating_points.csv.gz"
    if not folder or not path.exists():
        pytest.skip("set STACKWRIGHT_DATA to a folder with measurements/operating_points.csv.gz")
    return path


@pytest.mark.shared
def test_the_measured_points_are_answered_or_refused_with_a_reason() -> None:
    path = shared_points()
    document = api.validate(path, constants=prior_constants())
    with gzip.open(path, "rt") as file:
        assert document["n"] == sum(1 for _ in csv.DictReader(file))
    assert document["n"] == document["predicted"] + len(document["refused"])
    assert document["predicted"] >= 0.5 * document["n"]
    assert all(r["reason"] for r in document["refused"])
    for metric in ("tpot", "throughput"):
        score = document[metric]
        assert all(math.isfinite(v) for v in score.values())
        assert score["median_ape_pct"] < 25.0
    assert sum(g["n"] for g in document["groups"]) == document["predicted"]


def test_validate_groups_and_refuses(tmp_path: Path) -> None:
    path = table(tmp_path / "p.csv", ROW, {**ROW, "id": "b", "chip": "l40s"}, {**ROW, "id": "c", "chip": "nope"})
    document = api.validate(path, by=("chip", "chip"))
    assert [g["by"]["chip"] for g in document["groups"]] == ["h100-sxm", "l40s"]
    assert (document["n"], document["predicted"]) == (3, 2)
    assert [r["id"] for r in document["refused"]] == ["c"]
    with pytest.raises(InputError, match="cannot group by 'colour'"):
        api.validate(path, by=("colour",))


def test_the_date_of_a_row_is_what_it_states_or_its_version(tmp_path: Path) -> None:
    rows = [{**ROW, "engine_version": v, "date": d} for v, d in (
        ("0.12.0", "2026-01-31"), ("0.12.0", "v1.0 doc, 2025"), ("0.12.0", "2025-02"), ("0.12.0", ""), ("x", ""),
    )]  # fmt: skip
    years = [row_year(m) for m in read_measurements(table(tmp_path / "dates.csv", *rows))]
    assert years[4] is None
    days = [(dt.date(2026, 1, 1) + dt.timedelta(days=round(365.25 * (y or 0)))).isoformat() for y in years[:4]]
    assert days == ["2026-01-31", "2025-07-01", "2025-02-15", "2025-12-03"]


def test_the_cache_precision_nobody_stated(tmp_path: Path) -> None:
    """FP8 where checkpoints or recipes say so, else the model's own: vLLM is told nothing."""
    catalog, models = load_catalog(), {}
    bare = {**ROW, "weight_precision": "fp8", "kv_precision": ""}
    for engine, source, expected in (
        ("vllm", "gap analysis", "bf16"), ("vllm", "InferenceX", "fp8"), ("tensorrt-llm", "gap analysis", "fp8"),
    ):  # fmt: skip
        path = table(tmp_path / "kv.csv", {**bare, "engine": engine, "source": source})
        point = resolve_point(read_measurements(path)[0], catalog, models)
        assert point.candidate.layout.kv_precision == expected
