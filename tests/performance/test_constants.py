"""The record of constants: sources, bounds, effects, broken files."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.performance import Candidate, Constants, Layout, candidates, load_constants
from stackwright.performance.calibration import Calibration, Context
from stackwright.performance.constants import prior_constants
from stackwright.performance.kernel_prior import kernel_prior
from stackwright.performance.models import model_of

RECORD = """
version: 1
date: 2026-01-01
constants:
  speed: {{value: {value}, sd: {sd}, low: 0.5, high: 4.0, unit: x, meaning: a test, source: a test}}
"""


def written(tmp_path, value="1.0", sd="0.2"):
    path = tmp_path / "constants.yaml"
    path.write_text(RECORD.format(value=value, sd=sd))
    return path


def shifted(shifts, slopes=None):
    return Calibration(
        1, "2026-01-01", "0" * 16, 1, shifts, slopes or {}, {}, 0.0, {("c", "n", "a"): 4, ("d", "m", "a"): 2}
    )


def context(engine="a", family="f", chip="c", network="n", year=0.0):
    return Context(engine, "V", family, chip, "fp8", network, year=year)


def test_every_shipped_constant_has_unit_meaning_source_and_is_within_bounds():
    for c in load_constants().entries.values():
        assert c.unit
        assert len(c.meaning) > 10
        assert len(c.source) > 10
        assert c.low <= c.value <= c.high
        assert c.sd >= 0


def test_uncertain_constants_are_those_with_a_spread():
    constants = load_constants()
    assert "gemm_efficiency" in constants.uncertain
    assert "roofline_sharpness" not in constants.uncertain


def test_shifts_add_up_in_the_logarithm_and_are_cut_at_the_bounds(tmp_path):
    shifts = {
        "engine": {"a": {"speed": 0.3}},
        "family": {"f": {"speed": 0.2}},
        "engine|family": {"a|f": {"speed": 5.0}},
    }
    constants = replace(load_constants(written(tmp_path)), calibration=shifted(shifts))
    theta = constants.theta([context(family="g"), context(engine="b"), context()])
    np.testing.assert_allclose(theta["speed"], [[np.exp(0.3)], [np.exp(0.2)], [4.0]])


def test_a_slope_counts_per_year(tmp_path):
    record = shifted({"all": {"": {"speed": 0.1}}}, {"all": {"": {"speed": -0.4}}})
    constants = replace(load_constants(written(tmp_path)), calibration=record)
    theta = constants.theta([context(), context(year=0.5)])
    np.testing.assert_allclose(theta["speed"], [[np.exp(0.1)], [np.exp(-0.1)]])


def test_a_pair_measured_with_another_engine_was_not_measured_together():
    record = replace(shifted({}), seen={("c", "n", "a"): 1, ("c", "m", "b"): 1})
    assert record.support(context("a", network="n")) == "pair_seen"
    assert record.support(context("b", network="n")) == "pair_unseen"


def test_changes_count_from_their_month_on(tmp_path):
    record = replace(shifted({"all": {"": {"speed": 0.1}}}), steps={"engine": {"a@2026-03": {"speed": -0.3}}})
    constants = replace(load_constants(written(tmp_path)), calibration=record)
    days = [(date - dt.date(2026, 1, 1)).days / 365.25 for date in (dt.date(2026, 2, 28), dt.date(2026, 3, 1))]
    theta = constants.theta([context(year=days[0]), context(year=days[1]), context("b", year=days[1])])
    np.testing.assert_allclose(theta["speed"], np.exp([[0.1], [-0.2], [0.1]]))


@pytest.mark.parametrize("day", ["2025-12-01", "2026-02-28", "2026-04-01", "2027-01-01"])
def test_the_month_is_that_of_the_calendar(day):
    year = (dt.date.fromisoformat(day) - dt.date(2026, 1, 1)).days / 365.25
    assert context(year=year).month == day[:7]


def test_without_calibration_a_constant_is_one_number(tmp_path):
    constants = load_constants(written(tmp_path))
    assert isinstance(constants, Constants)
    assert constants.theta([context()])["speed"].shape == ()


def test_support_says_what_was_never_measured():
    record = shifted({})
    assert record.support(context()) == "pair_seen"
    assert record.support(context(network="m")) == "pair_unseen"
    assert record.support(context(network="new")) == "model_unseen"
    assert record.support(context(chip="new")) == "chip_unseen"
    assert record.support(context(chip="new", network="new")) == "unseen"
    assert record.support(context(engine="new")) == "unseen"


@pytest.mark.parametrize("sd", ["-1", "1e300", ".inf", ".nan"])
def test_an_impossible_spread_is_refused(tmp_path, sd):
    with pytest.raises(InputError, match="sd = "):
        load_constants(written(tmp_path, sd=sd))


@pytest.mark.parametrize("value", ["9.0", "x", "[1]", ".nan", "null"])
def test_broken_values_name_the_file(tmp_path, value):
    with pytest.raises(InputError, match=r"constants\.yaml"):
        load_constants(written(tmp_path, value=value))


def test_broken_files_name_the_file(tmp_path):
    path = tmp_path / "constants.yaml"
    for text in ("a: [", "[]", "version: 1"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"constants\.yaml"):
            load_constants(path)
    with pytest.raises(InputError, match="cannot read"):
        load_constants(tmp_path / "absent.yaml")


def test_measured_kernels_replace_the_median_before_the_shift(tmp_path):
    record = shifted({"engine": {"a": {"speed": 0.3}}})
    constants = replace(load_constants(written(tmp_path)), calibration=record)
    theta = constants.theta([context(), context()], [{"speed": 2.0}, {}])
    np.testing.assert_allclose(theta["speed"], [[2.0 * np.exp(0.3)], [np.exp(0.3)]])


def test_kernels_count_where_the_network_was_measured_and_the_record_says_so():
    """The choice between kernel and flat priors is by support: an unseen network keeps the flat one."""
    catalog = load_catalog()
    entry = Candidate(catalog.engine("vllm"), catalog.chip("h200-sxm"), Layout(tp=8, weight_precision="fp8"))
    model = model_of(catalog.model("Qwen/Qwen3-32B"))
    name = "weight_bandwidth_efficiency"
    measured = kernel_prior("vllm", entry.chip, model, "fp8", "bf16")[name]
    flat = prior_constants().value(name)
    for seen, kernels, expected in (
        (model.network or model.id, True, measured),
        (model.network or model.id, False, flat),
        ("another", True, flat),
    ):
        record = Calibration(1, "", "", 1, {}, {}, {}, 0.0, {("c", seen, "e"): 1}, kernel_priors=kernels)
        theta = candidates(model, [entry], replace(prior_constants(), calibration=record)).theta
        assert theta[name].item() == pytest.approx(expected)
    assert measured != flat
