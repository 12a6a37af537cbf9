"""The page of constants is what its script writes, with and without a record."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stackwright.calibration.calibrate import calibration_of
from stackwright.performance import load_constants
from stackwright.performance.calibration import Context
from stackwright.performance.constants import prior_constants

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from constants_page import page, ranges  # noqa: E402

SEEN = [
    Context("vllm", "NVIDIA", "hopper", "h100-sxm", "bf16", "deepseek-v3"),
    Context("sglang", "AMD", "cdna4", "mi355x", "fp8", "deepseek-v3"),
]


def with_record(shifts, **other):
    record = replace(calibration_of(None, SEEN), shifts=shifts, **other)
    return replace(prior_constants(), calibration=record)


def test_the_committed_page_is_what_the_script_writes():
    assert (ROOT / "docs" / "constants.md").read_text() == page(load_constants()), "run `make pages`"


def test_every_constant_is_on_the_page_once_with_its_bounds():
    text = page(prior_constants())
    for name, c in prior_constants().entries.items():
        (line,) = [row for row in text.splitlines() if row.startswith(f"| `{name}` |")]
        assert c.meaning in line
        assert c.unit in line
    assert "priors alone" in text
    assert "fitted" not in text


def test_fitted_ranges_span_the_combinations_measured():
    constants = with_record({"vendor": {"AMD": {"gemm_efficiency": -0.5}}})
    found = ranges(constants)["gemm_efficiency"]
    prior = constants.value("gemm_efficiency")
    assert sorted(found.values) == pytest.approx([prior * 2.718281828**-0.5, prior])
    assert (found.at_low, found.at_high) == (0, 0)
    assert "2 combinations" in page(constants)


def test_a_constant_at_its_bound_is_told_and_no_efficiency_passes_1():
    constants = with_record({"engine": {"vllm": {"link_efficiency": 3.0, "request_overhead_s": -9.0}}})
    found = ranges(constants)
    assert found["link_efficiency"].values.max() == 1.0
    text = page(constants)
    (link,) = [row for row in text.splitlines() if row.startswith("| `link_efficiency` |")]
    assert link.endswith("| 1 at high |")
    (overhead,) = [row for row in text.splitlines() if row.startswith("| `request_overhead_s` |")]
    assert overhead.endswith("| 1 at low |")
    assert "The largest calibrated one is 1.000 (`link_efficiency`)" in text
    assert "none may exceed 1" in text


def test_measured_kernels_are_part_of_the_range():
    flat, kernels = (ranges(with_record({}, kernel_priors=k))["gemm_efficiency"].values for k in (False, True))
    assert len(set(flat)) == 1
    assert set(kernels) != set(flat)
