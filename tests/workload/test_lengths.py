import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackwright.errors import InputError
from stackwright.workload import Lengths, parse_lengths
from stackwright.workload.fit import fit_lengths

tokens = st.floats(1, 1e5)


@st.composite
def lengths(draw: st.DrawFn) -> Lengths:
    kind = draw(st.sampled_from(["fixed", "uniform", "lognormal", "empirical"]))
    if kind == "fixed":
        return Lengths.fixed(draw(tokens))
    if kind == "uniform":
        return Lengths.uniform(*sorted([draw(tokens), draw(tokens)]))
    if kind == "lognormal":
        return Lengths.lognormal(draw(tokens), draw(st.floats(0.05, 2)))
    inner = draw(st.lists(st.floats(0.01, 0.99), max_size=8, unique=True))
    values = sorted(draw(st.lists(tokens, min_size=len(inner) + 2, max_size=len(inner) + 2)))
    return Lengths.empirical([0.0, *sorted(inner), 1.0], values)


@given(lengths(), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_quantile_never_falls_and_scalars_equal_arrays(dist: Lengths, probabilities: list[float]) -> None:
    p = sorted(probabilities)
    q = dist.quantile(p)
    assert (q[1:] >= q[:-1] * (1 - 1e-12)).all()
    assert [dist.quantile(v) for v in p] == pytest.approx(q.tolist(), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(lengths(), st.integers(0, 2**32 - 1))
def test_mean_and_cv_agree_with_samples(dist: Lengths, seed: int) -> None:
    n = 20_000
    drawn = dist.sample(np.random.default_rng(seed), n)
    assert drawn.dtype == np.int64
    assert drawn.min() >= 1
    error = dist.cv * dist.mean / math.sqrt(n)
    assert abs(drawn.mean() - dist.mean) <= 7 * error + 0.5  # 0.5: rounding to whole tokens
    if dist.kind != "lognormal" and dist.mean > 50:
        assert drawn.std() / drawn.mean() == pytest.approx(dist.cv, rel=0.25, abs=0.02)


@given(lengths())
def test_mean_and_cv_are_integrals_of_the_quantile_function(dist: Lengths) -> None:
    if dist.kind == "lognormal":  # unbounded: compare the moments of ln X instead, which have a closed form
        sigma = math.log(dist.quantile(0.841344746) / dist.quantile(0.5))
        assert math.expm1(sigma**2) == pytest.approx(dist.cv**2, rel=1e-6)
        assert dist.quantile(0.5) * math.exp(sigma**2 / 2) == pytest.approx(dist.mean, rel=1e-6)
        return
    q = dist.quantile(np.linspace(0, 1, 20_001))
    assert q.mean() == pytest.approx(dist.mean, rel=0.01)
    assert q.std() == pytest.approx(dist.cv * dist.mean, rel=0.02, abs=0.01 * dist.mean)


def test_shapes_by_hand() -> None:
    assert Lengths.fixed(7).quantile([0, 0.5, 1]).tolist() == [7, 7, 7]
    assert Lengths.uniform(100, 300).cv == pytest.approx(200 / math.sqrt(12) / 200)
    table = Lengths.empirical([0, 0.5, 1], [10, 20, 120])
    assert table.mean == pytest.approx(0.5 * 15 + 0.5 * 70)
    assert table.quantile(0.75) == 70
    assert Lengths.lognormal(100, 1).quantile(0.5) == pytest.approx(100 / math.sqrt(2))
    assert Lengths.lognormal(100, 1).quantile(1.0) == math.inf


def test_same_seed_same_lengths() -> None:
    dist = Lengths.lognormal(500, 0.8)
    a, b = (dist.sample(np.random.default_rng(5), 50).tolist() for _ in range(2))
    assert a == b


@given(lengths(), st.floats(1, 5))
def test_scaling_scales_the_mean_and_keeps_the_cv(dist: Lengths, factor: float) -> None:
    scaled = dist.scaled(factor)
    assert scaled.mean == pytest.approx(dist.mean * factor)
    assert scaled.cv == pytest.approx(dist.cv, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, 10**400, True, "12", None])
def test_lengths_that_are_no_lengths_are_refused(bad: object) -> None:
    makers = [
        lambda v: Lengths.fixed(v),
        lambda v: Lengths.uniform(v, 10),
        lambda v: Lengths.uniform(1, v),
        lambda v: Lengths.lognormal(v, 1),
        lambda v: Lengths.lognormal(100, v) if v is not True else Lengths.fixed(v),
        lambda v: Lengths.empirical([0, 1], [v, 1e6]),
    ]
    for make in makers:
        with pytest.raises(InputError):
            make(bad)


@pytest.mark.parametrize(
    ("p", "x"),
    [([0, 1], [1]), ([0], [1]), ([0, 0.9], [1, 2]), ([0.1, 1], [1, 2]), ([0, 0, 1], [1, 2, 3]), ([0, 1], [2, 1])],
)
def test_broken_length_tables_are_refused(p: list[float], x: list[float]) -> None:
    with pytest.raises(InputError):
        Lengths.empirical(p, x)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_probabilities_outside_0_to_1_are_refused(p: float) -> None:
    for dist in (Lengths.fixed(3), Lengths.lognormal(10, 1)):
        with pytest.raises(InputError):
            dist.quantile(p)
        with pytest.raises(InputError):
            dist.quantile([p])


def test_length_dist_of_a_measurement_table() -> None:
    assert parse_lengths("fixed", 1024) == Lengths.fixed(1024)
    assert parse_lengths("", 1024) == Lengths.fixed(1024)
    assert parse_lengths(" Uniform( 0.8 , 1.0 ) ", 1000) == Lengths.uniform(800, 1000)
    assert parse_lengths("lognormal(0.5)", 1000) == Lengths.lognormal(1000, 0.5)


@pytest.mark.parametrize(
    "text",
    ["zipf", "fixed(3)", "uniform(0.8)", "uniform(1,0.5)", "uniform(0,1)", "uniform(nan,1)", "uniform(-1,1)",
     "lognormal()", "lognormal(0)", "lognormal(x)", "uniform(0.8,1.0", "fixed; drop"],
)  # fmt: skip
def test_unreadable_length_dist_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_lengths(text, 1000)


def test_nominal_length_must_be_a_length() -> None:
    with pytest.raises(InputError, match="nominal"):
        parse_lengths("fixed", 0)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 2))
def test_fitting_keeps_the_mean_and_the_quoted_quantiles(seed: int, cv: float) -> None:
    sample = Lengths.lognormal(2000, cv).sample(np.random.default_rng(seed), 4000)
    fitted = fit_lengths(sample)
    assert fitted.mean == pytest.approx(sample.mean(), rel=0.03)
    for p in (0.05, 0.5, 0.95, 0.99):
        assert fitted.quantile(p) == pytest.approx(np.quantile(sample, p), abs=0.06)
    assert len(fitted.values) == 16


def test_fitting_few_or_equal_lengths() -> None:
    assert fit_lengths([5, 5, 5]) == Lengths.fixed(5)
    assert fit_lengths([1, 3]).mean == pytest.approx(2, abs=0.01)
    for bad in ([], [0, 1], [math.nan, 2]):
        with pytest.raises(InputError):
            fit_lengths(bad)


def test_descriptions_name_the_shape() -> None:
    assert Lengths.fixed(8).describe() == "8 tokens, fixed"
    assert Lengths.uniform(2, 4).describe() == "uniform, 2 to 4 tokens"
    assert "p95" in Lengths.empirical([0, 1], [1, 9]).describe()
