from __future__ import annotations

import numpy as np
import pytest

from stackwright.calibration.conformal import factors
from stackwright.calibration.crossval import cross_validate
from stackwright.calibration.dataset import dataset
from stackwright.calibration.fewshot import Correction, correction, design, own_correction, with_own_points
from stackwright.calibration.record import cross_validations, make_calibration
from stackwright.catalog import load_catalog
from stackwright.performance.constants import prior_constants
from tests.calibration.rows import made_up


def rows(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([np.ones(n), rng.normal(0, 1.5, n), rng.normal(0, 0.7, n), rng.normal(0, 1, n)])


def test_no_point_moves_nothing():
    assert own_correction(np.zeros((0, 4)), np.zeros(0), 0.3, 0.1).tolist() == [0, 0, 0, 0]
    assert own_correction(rows(3), np.full(3, np.nan), 0.3, 0.1).tolist() == [0, 0, 0, 0]


def test_one_point_is_shrunk_to_the_record():
    x = np.array([[1.0, 0.0, 0.0, 0.0]])
    b = own_correction(x, np.array([0.05]), 0.3, 0.1)
    assert b[0] == pytest.approx(0.05 * 0.3**2 / (0.3**2 + 0.1**2))
    assert b[1:] == pytest.approx([0, 0, 0])


def test_many_points_find_offset_and_slopes():
    x, truth = rows(50), np.array([0.4, 0.05, -0.1, 0.08])
    b = own_correction(x, x @ truth, 0.3, 0.02)
    assert b == pytest.approx(truth, abs=0.02)


def test_an_outlier_hardly_counts():
    x = np.repeat([[1.0, 0.0, 0.0, 0.0]], 5, axis=0)
    residual = np.array([0.2, 0.2, 0.2, 0.2, 3.0])
    assert own_correction(x, residual, 0.3, 0.05)[0] == pytest.approx(0.2, abs=0.03)


def test_own_points_correct_a_prediction_that_is_off():
    data = dataset(made_up(slower=1.3), load_catalog(), prior_constants())
    record = make_calibration(data, prior_constants(), cross_validations(data, prior_constants(), ("random", "pair")))
    own = data.points[:3]
    found = correction(own, {"tpot": np.full(3, np.log(1.5))}, record, "pair_unseen")
    assert found.n == 3
    assert 1.0 < found.factor("tpot", 16, 4, 1024) <= 1.5
    assert found.factor("ttft", 16, 4, 1024) == 1.0
    assert Correction({}, 0).factor("tpot", 1, 1, 1) == 1.0
    assert design(own).shape == (3, 4)
    assert design([]).shape == (0, 4)


def test_scores_with_own_points_are_of_the_other_rows():
    many = made_up() + made_up(seed=1) + made_up(seed=2) + made_up(seed=3) + made_up(seed=4)
    data = dataset(many, load_catalog(), prior_constants())
    k = prior_constants()
    found = {how: cross_validate(data, k, how) for how in ("random", "pair")}
    ratios = with_own_points(data, found["pair"], factors(found), (0, 5), repeats=2)
    assert ratios[0].shape == (3, 2 * 9 * 15)
    assert ratios[5].shape == (3, 2 * 9 * 10)
    assert np.nanmean(np.abs(ratios[5][1])) <= np.nanmean(np.abs(ratios[0][1])) * 1.05
