"""The public scoreboard does not get worse unnoticed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from stackwright.calibration.crossval import cross_validate
from stackwright.calibration.dataset import dataset
from stackwright.calibration.observations import METRICS
from stackwright.calibration.score import score_of
from stackwright.calibration.sets import set_of
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.measure import read_measurements
from stackwright.measure.importers import import_silicon_sample
from stackwright.measure.importers.silicon_sample import sample_path
from stackwright.performance.constants import prior_constants

SUMMARY = Path(__file__).parents[2] / "docs" / "scoreboard" / "summary.json"
WORSE = 1.05
LEAST = 100


def shared_tables() -> tuple[Path, Path]:
    folder, given = (os.environ.get(f"STACKWRIGHT_{name}", "") for name in ("DATA", "SILICON_SAMPLE"))
    points = Path(folder) / "measurements" / "operating_points.csv.gz"
    try:
        sample = Path(given) if given else sample_path()
    except InputError as error:
        pytest.skip(str(error))
    if not folder or not points.exists() or not sample.exists():
        pytest.skip("set STACKWRIGHT_DATA and STACKWRIGHT_SILICON_SAMPLE to the measured tables")
    return points, sample


@pytest.mark.shared
@pytest.mark.slow
def test_the_grouped_error_does_not_worsen_by_more_than_5_percent() -> None:
    """Unseen pairs, strict rows, mean and median error of every set of at least `LEAST` rows."""
    points, sample = shared_tables()
    if not SUMMARY.is_file():
        pytest.skip("no docs/scoreboard/summary.json: run `make scoreboard`")
    told = json.loads(SUMMARY.read_text())
    rows = [*read_measurements(points), *import_silicon_sample(sample)]
    data = dataset(rows, load_catalog(), prior_constants())
    x = cross_validate(data, prior_constants(), "pair")
    worse = []
    for name, scores in told["sets"]["pair"].items():
        mask = np.array([set_of(p) == name for p in data.points]) & data.strict
        for metric, before in scores["strict"].items():
            now = score_of(np.exp(-x.residual[METRICS.index(metric), mask]))
            if before["n"] < LEAST or now is None:
                continue
            for key in ("mape_pct", "median_ape_pct"):
                if getattr(now, key) > WORSE * before[key]:
                    worse.append(f"{name}, {metric} {key}: {before[key]:.1f} -> {getattr(now, key):.1f}")
    assert not worse
