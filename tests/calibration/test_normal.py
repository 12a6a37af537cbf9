"""The arrow form of the normal equations against the same system written out."""

from __future__ import annotations

import numpy as np
import pytest

from stackwright.calibration.fit.normal import normal_equations, structure

N, K = 60, 3


@pytest.fixture(scope="module", params=[0, 1, 2])
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, ...]:
    """A nested design (cell in model, version in model), its arrow, and the dense matrix and gradient."""
    rng = np.random.default_rng(request.param)
    model, chip, version = rng.integers(0, 5, N), rng.integers(0, 4, N), rng.integers(0, 2, N)
    cell, own = 4 * model + chip, 2 * model + version
    keys = [np.zeros(N, int), chip, chip, model, cell, own]
    columns, local = [], []
    for number, level in enumerate(keys):
        for key in np.unique(level):
            columns.append((level == key) * (rng.normal(size=N) if number == 2 else 1.0))
            local.append(number >= 3)
    x = np.array(columns).T
    sd = np.where(rng.random((len(columns), K)) < 0.8, 0.5, 0.0)
    jacobian, residuals = rng.normal(size=(K, 2, N)), rng.normal(size=(2, N))
    weights = np.where(rng.random((2, N)) < 0.7, rng.random((2, N)), 0.0)
    arrow = normal_equations(structure(x, sd, local), x, jacobian, weights, residuals)
    free = np.array([(g, k) for g in range(len(columns)) for k in range(K) if sd[g, k] > 0])
    j = np.concatenate([(x[:, free[:, 0]] * jacobian[free[:, 1], m].T) for m in range(2)])
    w = weights.ravel()
    return arrow, (j.T * w) @ j, j.T @ (w * residuals.ravel()), rng.random(len(free)) + 0.1


def test_gradient_and_diagonal_are_those_of_the_dense_system(case):
    arrow, matrix, gradient, _ = case
    assert np.allclose(arrow.gradient, gradient)
    assert np.allclose(arrow.diagonal, np.diag(matrix))


def test_solution_is_that_of_the_dense_system(case):
    arrow, matrix, gradient, added = case
    assert np.allclose(arrow.solve(gradient, added), np.linalg.solve(matrix + np.diag(added), gradient))


def test_inverse_diagonal_is_that_of_the_dense_inverse(case):
    arrow, matrix, _, added = case
    assert np.allclose(arrow.inverse_diagonal(added), np.diag(np.linalg.inv(matrix + np.diag(added))))


def test_models_do_not_meet_except_in_shared_shifts(case):
    arrow = case[0]
    assert len(arrow.structure.own) == 5
    assert sum(map(len, arrow.structure.own)) + len(arrow.structure.shared) == arrow.structure.size
