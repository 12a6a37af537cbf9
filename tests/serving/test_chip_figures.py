"""Ranges of a chip's figures widen its intervals by what the ends change, and nothing else changes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from stackwright.catalog import load_catalog
from stackwright.performance import Candidate, Layout, candidates, load_constants
from stackwright.performance.chip_ranges import at_end, range_words, uncertain_figures
from stackwright.performance.models import model_of
from stackwright.serving.chip_figures import has_ranges, without_ranges
from stackwright.serving.prediction import predict, serve, service_metrics, spread_of
from stackwright.workload import Lengths, Workload
from tests.performance.parts import chip, engine

CATALOG = load_catalog()
CONSTANTS = load_constants()
MODEL = model_of(CATALOG.model("meta-llama/Llama-3.1-8B-Instruct"))
CLOSED = Workload("w", Lengths.fixed(1000), Lengths.fixed(500), concurrency=64)
OPEN = Workload("w", Lengths.fixed(1000), Lengths.fixed(500), rate_per_s=2.0)
FP8 = Layout(weight_precision="fp8", kv_precision="fp8")


def ranged(**ends):
    """The test chip announced, its memory figure with the given low and high factors."""
    exact = chip()
    given = {k: {"bandwidth_bytes_per_s": v * exact.store.bandwidth_bytes_per_s} for k, v in ends.items()}
    memory = exact.store.model_copy(update=given)
    return exact.model_copy(update={"memory": memory, "status": "announced"})


def spread(*chips, w=CLOSED, percentiles=(95.0,)):
    c = candidates(MODEL, [Candidate(engine(), x, FP8) for x in chips], CONSTANTS)
    load = np.full((len(chips), 1), 64.0 if w is CLOSED else 20.0)
    return c, spread_of(c, w, load, percentiles)


def test_what_is_exact_or_from_a_data_sheet_has_no_range():
    assert uncertain_figures(CATALOG.chip("h100-sxm")) == {}
    assert CATALOG.chip("b200-hgx").store.low  # two makers' pages differ, which no prediction is widened for
    assert uncertain_figures(CATALOG.chip("b200-hgx")) == {}
    assert set(uncertain_figures(CATALOG.chip("rubin-vr200"))) == {"compute", "memory"}


def test_the_chips_calibrated_on_keep_their_answers():
    record = CONSTANTS.calibration
    assert record is not None
    assert [c for c in sorted({chip for chip, _, _ in record.seen}) if uncertain_figures(CATALOG.chip(c))] == []


def test_at_its_end_a_chip_has_the_figure_of_the_range_and_else_its_own():
    low, high = (at_end(ranged(low=0.5), end) for end in ("low", "high"))
    assert low.store.bandwidth_bytes_per_s == 0.5 * chip().store.bandwidth_bytes_per_s
    assert high.store.bandwidth_bytes_per_s == chip().store.bandwidth_bytes_per_s
    assert low.compute == high.compute == chip().compute
    assert at_end(chip(), "low") is not None
    assert range_words(ranged(low=0.5, high=1.25)) == "memory -50..+25 %"
    assert range_words(CATALOG.chip("rtx-4090")) == "link -62 %"
    assert range_words(CATALOG.chip("rtx-4090"), alone=True) == ""


@pytest.mark.parametrize("w", [CLOSED, OPEN], ids=["closed", "open"])
def test_a_range_adds_at_the_end_it_lies_at_what_that_end_changes(w):
    _, plain = spread(chip(), w=w)
    c, wide = spread(ranged(low=0.5), w=w)
    slow, _ = spread(chip(bandwidth=0.5 * 3.3e12), w=w)
    assert has_ranges(c)
    assert not has_ranges(without_ranges(c))
    low, high = wide.ends["tpot_mean_s"]
    low_0, high_0 = plain.ends["tpot_mean_s"]
    np.testing.assert_array_equal(wide.value["tpot_mean_s"], plain.value["tpot_mean_s"])
    np.testing.assert_allclose(low, low_0)
    assert high > high_0 + 0.1
    if w is CLOSED:
        at = np.full((1, 1), 64.0)
        tpot = [service_metrics(x, serve(x, w, at), w, ())["tpot_mean_s"] for x in (slow, c)]
        np.testing.assert_allclose(high - high_0, np.log(tpot[0] / tpot[1]), rtol=1e-9)


def test_rows_of_other_chips_stay_as_they_are():
    _, alone = spread(chip())
    _, both = spread(chip(), ranged(low=0.5, high=2.0))
    for name, (low, high) in alone.ends.items():
        assert both.ends[name][0][0] == low[0]
        assert both.ends[name][1][0] == high[0]
    assert both.ends["tpot_mean_s"][0][1] < both.ends["tpot_mean_s"][0][0]


def test_without_a_record_the_range_joins_the_parts_of_the_spread():
    prior = replace(CONSTANTS, calibration=None)
    c = candidates(MODEL, [Candidate(engine(), x, FP8) for x in (ranged(low=0.5), chip())], prior)
    wide = spread_of(c, CLOSED, np.full((2, 1), 64.0), (95.0,))
    part = wide.parts["chip figures"]["tpot_mean_s"]
    assert part[0] != 0.0
    assert part[1] == 0.0


def test_a_prediction_says_that_its_chip_is_announced_and_how_much_wider_it_is():
    found = predict(MODEL, Candidate(CATALOG.engine("vllm"), CATALOG.chip("rubin-vr200"), FP8), CLOSED, CONSTANTS)
    assert any("rubin-vr200 is announced" in n for n in found.notes)
    (note,) = [n for n in found.notes if "times as wide" in n]
    assert "compute -29..+50 %, memory -18 %" in note
    tpot = found.metrics["tpot_mean_s"]
    record = CONSTANTS.calibration
    assert record is not None
    unseen = record.factors["tpot"]["chip_unseen|NVIDIA"]
    assert math.log(tpot.high / tpot.low) > 1.01 * (unseen.high - unseen.low)
    known = predict(MODEL, Candidate(CATALOG.engine("vllm"), CATALOG.chip("h100-sxm"), FP8), CLOSED, CONSTANTS)
    assert not any("times as wide" in n for n in known.notes)


def test_a_runtime_that_nobody_measured_is_said_to_be_assumed():
    entry = Candidate(CATALOG.engine("vendor-runtime"), CATALOG.chip("maia-200"), FP8)
    notes = predict(MODEL, entry, CLOSED, CONSTANTS).notes
    assert any("assumed" in n for n in notes)
    assert any("used by its maker only" in n for n in notes)
