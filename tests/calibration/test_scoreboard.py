"""The public scoreboard does not get worse unnoticed, and belongs to what is shipped beside it."""

from __future__ import annotations

import copy
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stackwright.calibration.fit.observations import METRICS
from stackwright.calibration.judge.crossval import cross_validate
from stackwright.calibration.judge.score import score_of
from stackwright.calibration.judge.sets import set_of
from stackwright.calibration.rows.dataset import Dataset, dataset
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.measure import read_measurements
from stackwright.measure.importers import import_silicon_sample
from stackwright.measure.importers.silicon_sample import sample_path
from stackwright.performance.constants import prior_constants

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "docs" / "scoreboard"
RECORD = ROOT / "src" / "stackwright" / "performance" / "data" / "calibration.json"
WORSE = 1.05
LEAST = 100

Scores = dict[str, dict[str, dict[str, float]]]


def told() -> dict[str, Any]:
    path = BOARD / "summary.json"
    if not path.is_file():
        pytest.skip("no docs/scoreboard/summary.json: run `make scoreboard`")
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def committed() -> Scores:
    """Scores of unseen pairs, strict rows, by set and metric."""
    return {name: scores["strict"] for name, scores in told()["sets"]["pair"].items()}


def worsened(before: Scores, now: Scores) -> list[str]:
    """Mean and median errors of sets of at least `LEAST` rows that are more than 5 % above what they were."""
    found = []
    for name, scores in before.items():
        for metric, was in scores.items():
            if was["n"] < LEAST:
                continue
            found += [
                f"{name}, {metric} {key}: {was[key]:.1f} -> {new:.1f}"
                for key in ("mape_pct", "median_ape_pct")
                for new in [now.get(name, {}).get(metric, {}).get(key, np.inf)]
                if new > WORSE * was[key]
            ]
    return found


def measured_now(data: Dataset) -> Scores:
    x = cross_validate(data, prior_constants(), "pair")
    sets = np.array([set_of(p) for p in data.points])
    found: Scores = {}
    for name in set(sets):
        for m, metric in enumerate(METRICS):
            s = score_of(np.exp(-x.residual[m, (sets == name) & data.strict]))
            if s is not None:
                found.setdefault(name, {})[metric] = dict(s.__dict__)
    return found


@pytest.fixture(scope="module")
def data() -> Dataset:
    folder, given = (os.environ.get(f"STACKWRIGHT_{name}", "") for name in ("DATA", "SILICON_SAMPLE"))
    points = Path(folder) / "measurements" / "operating_points.csv.gz"
    try:
        sample = Path(given) if given else sample_path()
    except InputError as error:
        pytest.skip(str(error))
    if not folder or not points.exists() or not sample.exists():
        pytest.skip("set STACKWRIGHT_DATA and STACKWRIGHT_SILICON_SAMPLE to the measured tables")
    rows = [*read_measurements(points), *import_silicon_sample(sample)]
    return dataset(rows, load_catalog(), prior_constants())


@pytest.mark.shared
@pytest.mark.slow
def test_the_grouped_error_does_not_worsen_by_more_than_5_percent(data: Dataset) -> None:
    assert not worsened(committed(), measured_now(data))


@pytest.mark.shared
def test_the_scoreboard_is_of_the_rows_that_pass_the_gate_now(data: Dataset) -> None:
    assert told()["data_hash"] == data.data_hash, "other strict rows: run `make scoreboard` and `make calibrate`"


@pytest.mark.parametrize("key", ["mape_pct", "median_ape_pct"])
@pytest.mark.parametrize("metric", ["tpot", "ttft"])
def test_the_gate_closes_on_any_worse_figure_and_only_then(metric: str, key: str) -> None:
    before = committed()
    assert worsened(before, before) == []
    names = [name for name, scores in before.items() if metric in scores and scores[metric]["n"] >= LEAST]
    assert names, "no set is large enough to judge"
    for name in names:
        for factor, closed in ((0.5, False), (1.04, False), (1.06, True), (np.nan, False)):
            now = copy.deepcopy(before)
            now[name][metric][key] *= factor
            if np.isnan(factor):
                del now[name][metric]
                closed = True
            assert bool(worsened(before, now)) == closed, (name, factor)


def test_small_sets_do_not_judge() -> None:
    before = {"few": {"tpot": {"n": LEAST - 1, "mape_pct": 1.0, "median_ape_pct": 1.0}}}
    assert worsened(before, {}) == []


def test_the_scoreboard_belongs_to_the_shipped_record() -> None:
    if not RECORD.is_file():
        pytest.skip("no calibration record is shipped")
    record = json.loads(RECORD.read_text())
    assert {k: record[k] for k in ("data_hash", "n_rows")} == told()["record"], (
        "run `make scoreboard` and `make calibrate` on the same rows"
    )


def test_the_scoreboard_belongs_to_the_constants_and_the_page_to_the_scoreboard() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from scoreboard import compact, constants_hash

    assert told().get("constants_hash") == constants_hash(), "the constants changed: run `make scoreboard`"
    assert (BOARD / "targets.md").read_text() == compact(told()) + "\n"
    assert compact(told()) in (BOARD / "README.md").read_text()
