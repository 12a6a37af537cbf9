"""Power constants: recovered from made-up watts, shrunk where nothing was measured, scored on points left out."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stackwright import api
from stackwright.calibration import PointPrediction, predict_points
from stackwright.calibration.calibrate import calibration_of
from stackwright.calibration.fit.energy import (
    FEWEST,
    METRICS,
    PowerPoints,
    describe,
    energy_scores,
    fit_energy,
    measured_watts,
    power_factors,
    power_points,
    with_power,
)
from stackwright.calibration.judge.crossval import OutOfFold, cross_validate
from stackwright.calibration.record import record_document, record_text
from stackwright.calibration.rows.dataset import dataset
from stackwright.catalog import load_catalog
from stackwright.measure.importers import as_csv
from stackwright.measure.importers.cells import row
from stackwright.performance import Constants, load_constants
from stackwright.performance.constants import prior_constants
from stackwright.serving.intervals import Z
from tests.calibration.rows import CHIPS, made_up

CATALOG, PRIOR = load_catalog(), prior_constants()
TRUE = {"power_idle_fraction": 0.25, "power_memory_fraction": 0.55}
NOTHING = calibration_of(None, ())


def warmer() -> Constants:
    """Constants of a chip that idles warmer and streams cooler than the prior says."""
    entries = {name: replace(PRIOR.entries[name], value=value) for name, value in TRUE.items()}
    return replace(PRIOR, entries={**PRIOR.entries, **entries})


def measured(noise: float = 0.0, chips=CHIPS, **change: float):
    """Made-up rows, with the watts and throughput that the warmer constants predict."""
    rng = np.random.default_rng(1)
    plain = [m for m in made_up(slower=1.0, noise=0.0) if m.text["chip"] in chips]
    found = []
    for m, p in zip(plain, predict_points(plain, CATALOG, warmer(), intervals=False), strict=True):
        assert isinstance(p, PointPrediction)
        watts = p.metrics["chip_watts"][0] * math.exp(rng.normal(0.0, noise))
        rate = p.metrics["output_tokens_per_s_per_chip"][0]
        cells = {"watts_per_chip": watts, "joules_per_output_token": watts / rate, "output_tokens_per_s_per_chip": rate}
        found.append(row({k: v for k, v in m.raw.items() if v} | cells | change, m.row, Path("made up")))
    return found


def points_of(rows):
    return power_points(dataset(rows, CATALOG, PRIOR))


def one_fold(n: int) -> OutOfFold:
    nothing = np.zeros((3, n))
    return OutOfFold("random", ("",) * n, ("unseen",) * n, ("",) * n, nothing, nothing, (0,) * n, (NOTHING,))


def watts_error(rows, constants) -> np.ndarray:
    answers = predict_points(rows, CATALOG, constants, intervals=False)
    told = np.array([p.metrics["chip_watts"][0] for p in answers if isinstance(p, PointPrediction)])
    return np.abs(told / np.array([m.numbers["watts_per_chip"] for m in rows]) - 1.0)


def test_the_fit_finds_the_power_that_was_put_in():
    rows = measured()
    points = points_of(rows)
    shifts = fit_energy(points, PRIOR, NOTHING)
    assert set(shifts) <= {"all", "vendor", "chip"}
    after = replace(PRIOR, calibration=with_power(NOTHING, shifts, {}))
    assert watts_error(rows, PRIOR).mean() > 0.05
    assert watts_error(rows, after).mean() < 0.02


def test_one_point_moves_the_constants_less_than_many():
    hot = points_of(measured(watts_per_chip=560.0, joules_per_output_token=0.0)[:1])

    def moved(times):
        points = PowerPoints(hot.points * times, hot.keys * times, hot.rows * times)
        return fit_energy(points, PRIOR, NOTHING)["all"][""]["power_memory_fraction"]

    assert 0.0 < moved(1) < moved(9) < moved(99) < math.log(1.0 / 0.7)


def test_bounds_hold_however_hot_a_chip_runs():
    rows = measured(watts_per_chip=900.0, joules_per_output_token=0.0)
    record = with_power(NOTHING, fit_energy(points_of(rows), PRIOR, NOTHING), {})
    constants = replace(PRIOR, calibration=record)
    answers = predict_points(rows, CATALOG, constants, intervals=False)
    for m, p in zip(rows, answers, strict=True):
        assert isinstance(p, PointPrediction)
        bound = max(PRIOR.entries[f"power_{k}_fraction"].high for k in ("memory", "compute"))
        assert p.metrics["chip_watts"][0] <= bound * CATALOG.chip(m.text["chip"]).power.tdp_w


@pytest.mark.parametrize(
    ("change", "kept"),
    [({}, True), ({"watts_per_chip": 5000.0}, False), ({"joules_per_output_token": 9.0}, False),
     ({"joules_per_output_token": 0.0}, True), ({"watts_per_chip": 0.0}, False),
     ({"output_tokens_per_s_per_chip": 1.0, "joules_per_output_token": 0.0}, False)],
)  # fmt: skip
def test_watts_that_are_not_of_the_board_alone_are_left_out(change, kept):
    data = dataset(measured(**change), CATALOG, PRIOR)
    assert (measured_watts(data.points[0]) is not None) == kept
    assert bool(len(power_points(data))) == kept


def test_scores_leave_the_operating_point_and_the_chip_out():
    rows = measured(noise=0.02)
    points = points_of(rows)
    scores = energy_scores(points, PRIOR, one_fold(len(rows)))
    everything = scores[0]
    assert [s.chip for s in scores] == ["all", *sorted(CHIPS)]
    assert everything.n == len(rows) == sum(s.n for s in scores[1:])
    before, after = everything.uncalibrated["watts"], everything.out_of_fold["watts"]
    assert after.mape_pct < 0.5 * before.mape_pct
    assert everything.unseen_chip["watts"].mape_pct > after.mape_pct  # the chip's own points say more
    alone = energy_scores(points_of(rows[:1]), PRIOR, one_fold(1))[0]
    assert alone.out_of_fold == alone.uncalibrated  # nothing is left to fit on
    document = describe(scores)
    assert set(document["out_of_fold"]) == set(METRICS)
    json.dumps(document, allow_nan=False)
    assert describe([]) is None
    assert energy_scores(points_of(made_up()), PRIOR, one_fold(0)) == []


def test_chips_measured_have_their_own_interval_of_power_and_others_the_prior():
    rows = measured(noise=0.03, chips=CHIPS[:2])
    points = points_of([*rows[:9], *rows[9 : 9 + FEWEST - 1]])
    factors = power_factors(points, PRIOR, one_fold(27))
    assert set(factors) == {CHIPS[0]}  # the second has too few points
    assert factors[CHIPS[0]].n == 9
    assert 0.03 < factors[CHIPS[0]].high < 0.2
    times = {m: dict.fromkeys(("pair_seen", "pair_unseen", "model_unseen", "chip_unseen", "unseen"), (-0.1, 0.1))
             for m in ("ttft", "tpot", "throughput")}  # fmt: skip
    some = factors[CHIPS[0]]
    record = with_power(NOTHING, {}, factors)
    record = replace(record, factors={**record.factors, **{m: dict.fromkeys(by, some) for m, by in times.items()}})
    answers = predict_points(measured(), CATALOG, replace(PRIOR, calibration=record))
    for m, p in zip(measured(), answers, strict=True):
        assert isinstance(p, PointPrediction)
        value, low, high = p.metrics["chip_watts"]
        own = some.high if m.text["chip"] == CHIPS[0] else Z * 0.3
        assert math.log(high / value) == pytest.approx(own)
        assert math.log(value / low) == pytest.approx(own)


def test_the_record_keeps_the_shifts_of_times_beside_those_of_power(tmp_path):
    times = {"vendor": {"NVIDIA": {"gemm_efficiency": 0.1}}, "source": {"x": {"burst_weight": 0.2}}}
    power = {"vendor": {"NVIDIA": {"power_idle_fraction": 0.3}}, "chip": {"h100-sxm": {"power_idle_fraction": -0.1}}}
    record = with_power(replace(NOTHING, shifts=times), power, {})
    assert record.shifts["vendor"]["NVIDIA"] == {"gemm_efficiency": 0.1, "power_idle_fraction": 0.3}
    assert times["vendor"]["NVIDIA"] == {"gemm_efficiency": 0.1}
    assert record.shifts["source"] == times["source"]
    path = tmp_path / "record.json"
    path.write_text(record_text(record_document(record, dataset(measured(), CATALOG, PRIOR))))
    read = load_constants(path).calibration
    assert read is not None
    assert read.shifts == record.shifts


def test_calibrate_and_validate_report_energy(tmp_path):
    path, more = tmp_path / "points.csv", tmp_path / "power.csv"
    rows = measured(noise=0.02)
    path.write_text(as_csv(rows[:18]))
    more.write_text(as_csv(rows[18:]))
    out = tmp_path / "record.json"
    document = api.calibrate(path, out, power=more, hows=("random",))
    assert document["energy"]["n"] == 27
    assert [c["chip"] for c in document["energy"]["chips"]] == sorted(CHIPS)
    assert document["fitted"] == 18  # only power is fitted to the other nine
    assert set(document["factors"]["watts"]) == set(CHIPS)
    assert "chip" in load_constants(out).calibration.shifts
    found = api.validate(path, cv="random")["energy"]
    assert found["n"] == 18
    assert found["out_of_fold"]["watts"]["mape_pct"] < found["uncalibrated"]["watts"]["mape_pct"]
    plain = api.validate(path, constants=PRIOR)
    assert plain["watts"]["n"] == plain["joules_per_output_token"]["n"] == 18
    assert plain["groups"][0]["watts"]["n"] == plain["groups"][0]["n"]
    assert api.calibrate(path, hows=())["energy"] is None


def test_every_fold_has_its_record():
    data = dataset(measured(), CATALOG, PRIOR)
    x = cross_validate(data, PRIOR, "chip")
    assert len(x.records) == len(set(x.fold)) == 3
    for i, p in enumerate(data.points):
        assert p.candidate.chip.id not in {chip for chip, _, _ in x.records[x.fold[i]].seen}
