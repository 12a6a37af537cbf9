"""Disaggregated rows: resolved or refused, their rate per chip, and fitted on top of the aggregated ones."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stackwright import api
from stackwright.calibration import PointPrediction, Refusal, predict_points
from stackwright.calibration.calibrate import calibration_of, contexts_of, fit_rows, predict_rows
from stackwright.calibration.fit.observations import observe
from stackwright.calibration.gate.admit import gate
from stackwright.calibration.judge.crossval import cross_validate_pools
from stackwright.calibration.judge.sets import set_of
from stackwright.calibration.record import PoolData, make_calibration, pool_validations, record_document, record_text
from stackwright.calibration.rows.dataset import Dataset, dataset
from stackwright.calibration.rows.points import resolve_point
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.measure import Measurement, read_measurements
from stackwright.measure.importers import as_csv
from stackwright.measure.importers.cells import row
from stackwright.performance.calibration import Context
from stackwright.performance.constants import load_constants, prior_constants
from stackwright.performance.pools import DISAGGREGATED, Pools
from stackwright.serving.measured_error import has_factors
from tests.calibration.rows import made_up

POOLS = {
    "id": "pools", "source": "made up", "date": "2026-03-01", "chip": "b200-hgx", "n_chips": 16,
    "model": "deepseek-ai/DeepSeek-R1", "engine": "tensorrt-llm", "mode": "disaggregated", "weight_precision": "nvfp4",
    "speculative": "none", "isl": 1024, "osl": 1024, "length_dist": "uniform(0.8,1.0)", "rounds": 10,
    "concurrency": 64, "ttft_s": 0.5, "ttft_stat": "mean", "tpot_s": 0.01, "tpot_stat": "mean",
    "prefill_workers": 2, "prefill_tp": 4, "prefill_ep": 4, "prefill_attention_dp": 1,
    "decode_workers": 1, "decode_tp": 1, "decode_ep": 8, "decode_attention_dp": 8,
}  # fmt: skip
CATALOG = load_catalog()


def pools(**cells: object) -> Measurement:
    return row(POOLS | cells, 1, Path("test"))  # type: ignore[arg-type]


def answer(m: Measurement) -> PointPrediction | Refusal:
    return predict_points([m], CATALOG, prior_constants())[0]


def test_a_row_is_resolved_and_predicted():
    point = resolve_point(pools(), CATALOG, {})
    assert isinstance(point.pools, Pools)
    assert str(point.pools) == "prefill 2 x tp4 ep4, decode 1 x tp1 ep8 dp8"
    assert (point.n_chips, point.candidate.layout.n_chips, point.candidate.mode) == (16, 8, DISAGGREGATED)
    assert set_of(point) == "disaggregated, speculative flag known"
    said = answer(pools())
    assert isinstance(said, PointPrediction)
    value, low, high = said.metrics["tpot_mean_s"]
    assert 0.0 < low < value < high
    assert "chip_watts" not in said.metrics
    rate = said.metrics["output_tokens_per_s_per_chip"][0] * 16
    cycle = said.metrics["ttft_mean_s"][0] + (0.9 * 1024 - 1) * value
    assert rate == pytest.approx(64 * 0.9 * 1024 / cycle, rel=1e-6)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"prefill_workers": None}, "prefill_workers is not stated"),
        ({"decode_workers": 1.5}, "decode_workers is 1.5"),
        ({"decode_workers": "two"}, "is not a number"),
        ({"n_chips": 24}, "not 24 chips"),
        ({"prefill_workers": 0, "n_chips": 8}, "at least one worker"),
        ({"decode_ep": 3}, "decode: expert parallel 3"),
        ({"concurrency": None}, "concurrency is needed"),
        ({"concurrency": None, "request_rate": 5}, "closed loop only"),
        ({"prefill_tp": 1, "prefill_ep": 1, "n_chips": 10}, "prefill worker needs"),
        ({"isl": 30000000}, "no room for one long request"),
    ],
)
def test_a_row_out_of_scope_is_refused_with_the_reason(cells: dict[str, object], said: str):
    found = answer(pools(**cells))
    assert isinstance(found, Refusal)
    assert said in found.reason


def test_speculation_speeds_the_decode_pool_up():
    plain, drafting = answer(pools()), answer(pools(speculative="mtp1"))
    assert isinstance(plain, PointPrediction)
    assert isinstance(drafting, PointPrediction)
    assert drafting.metrics["tpot_mean_s"][0] < 0.8 * plain.metrics["tpot_mean_s"][0]


@pytest.mark.parametrize("cell", ["nan", "inf", "1.5", "two"])
def test_workers_are_whole_numbers(cell: str):
    refused = answer(pools(prefill_workers=cell))
    assert isinstance(refused, Refusal)
    assert "prefill_workers" in refused.reason


def test_pools_speak_for_pools_only():
    where = Context("sglang", "NVIDIA", "blackwell", "b200-hgx", "fp8", "net")
    record = calibration_of(None, [replace(where, mode=DISAGGREGATED)])
    assert record.support(where) == "unseen"
    assert record.support(replace(where, mode=DISAGGREGATED)) == "pair_seen"
    assert not record.networks


def test_a_fit_on_no_row_moves_nothing():
    o = observe([resolve_point(m, CATALOG, {}) for m in made_up()], prior_constants())
    fitted = fit_rows(o, prior_constants(), np.array([], dtype=int))
    np.testing.assert_allclose(predict_rows(o, fitted, np.arange(len(o.points))), o.predict(o.prior))


def test_pools_alone_cannot_be_fitted(tmp_path: Path):
    path = tmp_path / "pools.csv"
    path.write_text(as_csv([pools(), pools(id="b", chip="h200-sxm", weight_precision="fp8", tpot_s=0.02)]))
    with pytest.raises(InputError, match="no row is left to fit"):
        api.calibrate(path, tmp_path / "r.json")


def test_both_kinds_of_rows_in_one_table():
    plain = made_up()[0]
    found = predict_points([plain, pools(), plain], CATALOG, prior_constants(), intervals=False)
    assert [isinstance(p, PointPrediction) for p in found] == [True] * 3


def test_output_rate_of_decode_chips_is_taken_per_chip():
    """8 of 16 chips decode: the printed output rate is twice what all chips give; the total rate shows it."""
    printed = {"output_tokens_per_s_per_chip": 200.0, "total_tokens_per_s_per_chip": 200.0}
    found = gate([pools(**printed)], CATALOG)
    assert found.repairs["rate of decode chips"] == 1
    assert found.kept[0].number("output_tokens_per_s_per_chip") == pytest.approx(100.0)
    sound = {"output_tokens_per_s_per_chip": 100.0, "total_tokens_per_s_per_chip": 200.0}
    again = gate([pools(**sound)], CATALOG)
    assert again.repairs.get("rate of decode chips", 0) == 0
    assert again.kept[0].number("output_tokens_per_s_per_chip") == 100.0


CHIPS = ("b200-hgx", "gb200", "h200-sxm")


def measured(slower: float) -> list[Measurement]:
    """Disaggregated rows of three chips whose steps are `slower` than the prior says."""
    rows = [
        pools(id=f"{chip}-{users}-{isl}", chip=chip, concurrency=users, isl=isl, weight_precision="fp8",
              prefill_tp=8, prefill_ep=8, n_chips=24)
        for chip in CHIPS for users in (8, 64, 256) for isl in (1024, 4096)
    ]  # fmt: skip
    found = []
    for m, p in zip(rows, predict_points(rows, CATALOG, prior_constants(), intervals=False), strict=True):
        assert isinstance(p, PointPrediction), p
        times = {f"{k}_s": slower * p.metrics[f"{k}_mean_s"][0] for k in ("ttft", "tpot")}
        found.append(row({**m.raw, **times}, 1, Path("test")))  # type: ignore[arg-type]
    return found


@pytest.fixture(scope="module")
def both() -> tuple[Dataset, Dataset]:
    rows = [*made_up(1.3), *measured(1.6)]
    return dataset(rows, CATALOG, prior_constants()), dataset(rows, CATALOG, prior_constants(), mode=DISAGGREGATED)


def test_each_dataset_holds_its_own_rows(both: tuple[Dataset, Dataset]):
    plain, split = both
    assert len(plain.points) == 27
    assert len(split.points) == 18
    assert split.strict.all()
    assert not any(p.pools for p in plain.points)


def test_pools_move_nothing_that_aggregated_replicas_read(both: tuple[Dataset, Dataset], tmp_path: Path):
    plain, split = both
    k = prior_constants()
    alone, together = make_calibration(plain, k, {}), make_calibration(plain, k, {}, PoolData(split, {}))
    path = tmp_path / "record.json"
    path.write_text(record_text(record_document(together, plain, split.strict_rows)))
    loaded = load_constants(path)
    assert loaded.calibration is not None
    assert loaded.calibration.n_rows == 45
    rows = plain.rows
    before, after = (
        predict_points(rows, CATALOG, c, intervals=False) for c in (_with(k, alone), _with(loaded, loaded.calibration))
    )
    for a, b in zip(before, after, strict=True):
        assert isinstance(a, PointPrediction)
        assert isinstance(b, PointPrediction)
        assert b.metrics["ttft_mean_s"][0] == pytest.approx(a.metrics["ttft_mean_s"][0], rel=2e-3)
    error = {name: _error(split.rows, c) for name, c in (("plain", _with(k, alone)), ("pools", loaded))}
    assert error["pools"] < 0.5 * error["plain"]


def _with(constants, record):
    return replace(constants, calibration=record)


def _error(rows, constants) -> float:
    said = predict_points(rows, CATALOG, constants, intervals=False)
    ratios = [p.metrics["tpot_mean_s"][0] / m.numbers["tpot_s"] for m, p in zip(rows, said, strict=True)]
    return float(np.abs(np.log(ratios)).mean())


def test_out_of_fold_predictions_of_pools(both: tuple[Dataset, Dataset]):
    """Steps 1.6 times slower on every chip carry over to the chip that is left out."""
    x = cross_validate_pools(*both, prior_constants(), "chip")
    assert set(x.keys) == set(CHIPS)
    assert np.median(np.abs(x.residual[1])) < 0.5 * np.log(1.6)


@pytest.mark.skipif(
    not os.environ.get("STACKWRIGHT_DATA"), reason="STACKWRIGHT_DATA names no folder of measured tables"
)
def test_published_rows_resolve_or_say_why():
    """Rows of unstated workers or layout are refused; 155 without speculation remain."""
    path = Path(os.environ["STACKWRIGHT_DATA"]) / "measurements" / "operating_points.csv.gz"
    data = dataset(read_measurements(path), CATALOG, prior_constants(), mode=DISAGGREGATED)
    assert data.strict.sum() == 155
    reasons = [r.reason for r in data.refused if r.measurement.text["mode"] == DISAGGREGATED]
    assert sum("contradicts itself" in r or "at least one worker" in r for r in reasons) > 50


def test_factors_of_pools_have_names_of_their_own(both: tuple[Dataset, Dataset]):
    plain, split = both
    k = prior_constants()
    found = pool_validations(plain, split, k, ("pair", "chip"))
    assert set(found) == {"pair"}
    record = make_calibration(plain, k, {}, PoolData(split, found))
    assert set(record.factors) == {"ttft|disaggregated", "tpot|disaggregated", "throughput|disaggregated"}
    assert not has_factors(record, contexts_of(observe(plain.points, k)))
