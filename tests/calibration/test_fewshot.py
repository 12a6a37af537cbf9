from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackwright.calibration.fit.fewshot import NOISE, learn, own_points, with_own_points
from stackwright.calibration.judge.conformal import factors
from stackwright.calibration.judge.crossval import cross_validate
from stackwright.calibration.rows.dataset import dataset
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.performance.constants import prior_constants
from stackwright.performance.own_points import LENGTHS, likeness
from tests.calibration.rows import made_up

SD, NOISY = 0.3, 0.05
HERE = np.zeros((1, 7))


def spread(n: int, seed: int = 0) -> np.ndarray:
    """Places of a cell: loads that differ, one layout."""
    found = np.zeros((n, 7))
    found[:, :3] = np.random.default_rng(seed).uniform(0.0, 4.0, (n, 3))
    return found


def learnt(places: np.ndarray, residual: np.ndarray, sd: float = SD):
    found = learn(places, residual, sd, NOISY)
    assert found is not None
    return found


def test_no_point_says_nothing():
    assert learn(np.zeros((0, 7)), np.zeros(0), SD, NOISY) is None
    assert learn(spread(3), np.full(3, np.nan), SD, NOISY) is None


def test_one_point_moves_the_prediction_toward_it():
    factor, left = learnt(HERE, np.array([0.01])).at(HERE)
    assert factor[0] == pytest.approx(0.01 * SD**2 / (SD**2 + NOISY**2))
    posterior = SD**2 * NOISY**2 / (SD**2 + NOISY**2)
    assert left[0] == pytest.approx(np.sqrt((posterior + NOISY**2) / (SD**2 + NOISY**2)))


@settings(max_examples=30, deadline=None)
@given(st.floats(-2.0, 2.0), st.floats(0.05, 1.0))
def test_a_far_point_moves_less_and_never_beyond(residual: float, sd: float):
    found = learnt(HERE, np.array([residual]), sd)
    steps = np.zeros((6, 7))
    steps[:, 0] = np.arange(6) * LENGTHS[0]
    moved, left = (np.abs(v) for v in found.at(steps))
    assert moved[0] <= abs(residual) + 1e-12
    assert (np.diff(moved) <= 1e-12).all()
    assert (np.diff(left) >= -1e-12).all()
    assert ((left > 0.0) & (left <= 1.0)).all()


def test_many_points_are_followed():
    places = spread(400)
    truth = 0.2 + 0.1 * np.sin(places[:, 0]) - 0.05 * places[:, 1]
    factor, left = learnt(places, truth).at(places)
    assert factor == pytest.approx(truth, abs=0.02)
    assert left.mean() < 0.35


def test_an_outlier_moves_less():
    places, residual = np.zeros((5, 7)), np.array([0.2, 0.2, 0.2, 0.2, 3.0])
    assert learnt(places, residual).at(HERE)[0][0] == pytest.approx(0.2, abs=0.03)


def test_another_layout_shares_half():
    other = HERE.copy()
    other[0, 3:] = 10.0
    far = np.full((1, 7), 10.0)
    assert likeness(HERE, np.vstack([HERE, other, far]))[0] == pytest.approx([1.0, 0.5, 0.25])


def test_rows_teach_their_own_cell():
    rows = made_up(slower=1.5, noise=0.0)
    found = own_points(rows, load_catalog(), prior_constants())
    assert len(found.cells) == 9
    assert not found.refused
    for own in found.cells.values():
        assert own.n == 3
        for metric, one in own.metrics.items():
            factor, _ = one.at(one.places)
            assert 1.35 < np.exp(factor).min() <= np.exp(factor).max() < 1.51, metric


def test_throughput_stands_for_tpot():
    from tests.calibration.rows import _row

    row = made_up(slower=1.0, noise=0.0)[0]
    users, chips, osl = 4, 4, 256
    e2e = 1.3 * (row.numbers["ttft_s"] + (osl - 1) * row.numbers["tpot_s"])
    cells = {"output_tokens_per_s_per_chip": users * osl / e2e / chips}
    thin = _row(row.text["chip"], row.text["model"], users, "x", cells)
    bare = _row(row.text["chip"], row.text["model"], users, "y", {})
    found = own_points([thin, bare], load_catalog(), prior_constants())
    (own,) = found.cells.values()
    assert list(own.metrics) == ["tpot"]
    assert 0.2 < own.metrics["tpot"].at(own.metrics["tpot"].places)[0][0] < np.log(1.4)
    assert [r.reason for r in found.refused] == ["states neither TTFT nor TPOT, nor users and throughput"]


def test_scores_with_own_points_are_of_the_other_rows():
    many = made_up() + made_up(seed=1) + made_up(seed=2) + made_up(seed=3) + made_up(seed=4)
    data = dataset(many, load_catalog(), prior_constants())
    k = prior_constants()
    found = {how: cross_validate(data, k, how) for how in ("random", "pair")}
    scores = with_own_points(data, found["pair"], factors(found), k, (0, 5), repeats=2)
    assert scores[0].ratio.shape == scores[0].inside.shape == (3, 2 * 9 * 15)
    assert scores[5].ratio.shape == (3, 2 * 9 * 10)
    errors = {n: np.abs(s.ratio).mean(axis=1) for n, s in scores.items()}
    assert (errors[5] <= errors[0] * 1.05).all()
    assert scores[5].inside.mean() > 0.85
    with pytest.raises(InputError, match="by pair and at random"):
        with_own_points(data, found["pair"], {}, k, (1,))


def test_noise_is_of_both_latencies():
    assert set(NOISE) == {"ttft", "tpot"}
