"""The record of constants: sources, bounds, effects, broken files."""

from __future__ import annotations

import numpy as np
import pytest

from stackwright.errors import InputError
from stackwright.performance import Constants, load_constants

RECORD = """
version: 1
status: calibrated
date: 2026-01-01
effects: {effects}
constants:
  speed: {{value: {value}, sd: 0.2, low: 0.5, high: 4.0, unit: x, meaning: a test, source: a test}}
"""


def written(tmp_path, value="1.0", effects="{}"):
    path = tmp_path / "constants.yaml"
    path.write_text(RECORD.format(value=value, effects=effects))
    return path


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


def test_effects_add_up_in_the_logarithm_and_are_cut_at_the_bounds(tmp_path):
    effects = "{engine: {a: {speed: 0.3}}, family: {f: {speed: 0.2}}, 'engine|family': {a|f: {speed: 5.0}}}"
    theta = load_constants(written(tmp_path, effects=effects)).theta(["a", "b", "a"], ["g", "f", "f"], ["c"] * 3)
    np.testing.assert_allclose(theta["speed"], [[np.exp(0.3)], [np.exp(0.2)], [4.0]])


def test_without_effects_a_constant_is_one_number(tmp_path):
    constants = load_constants(written(tmp_path))
    assert isinstance(constants, Constants)
    assert constants.theta(["a"], ["f"], ["c"])["speed"].shape == ()


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
