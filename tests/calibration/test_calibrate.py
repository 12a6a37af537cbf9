"""The whole way from rows to a record and back to predictions, on rows whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stackwright import api
from stackwright.calibration.calibrate import calibration_of, contexts_of, fit_rows, predict_rows
from stackwright.calibration.fit.observations import METRICS, observe
from stackwright.calibration.judge.conformal import correlation, covered, ends, factors, leave_group_out
from stackwright.calibration.judge.crossval import OutOfFold, cross_validate
from stackwright.calibration.record import make_calibration, record_document, record_text
from stackwright.calibration.rows.dataset import dataset, short_hash
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.measure.importers import as_csv
from stackwright.performance import load_constants
from stackwright.performance.calibration import Context
from stackwright.performance.constants import prior_constants
from tests.calibration.rows import made_up

POINT = {"chip": "h100-sxm", "engine": "vllm", "tp": 4, "isl": 1024, "osl": 256, "concurrency": 16,
         "weight_precision": "bf16"}  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return dataset(made_up(), load_catalog(), prior_constants())


@pytest.fixture(scope="module")
def points(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("points") / "points.csv"
    path.write_text(as_csv(made_up()))
    return path


@pytest.fixture(scope="module")
def record(points, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("record") / "record.json"
    api.calibrate(points, path, hows=("random", "pair", "model", "chip"))
    return path


def test_a_fit_finds_what_was_put_in(data):
    k = prior_constants()
    found = cross_validate(data, k, "random")
    tpot = found.residual[METRICS.index("tpot")]
    prior = observe(data.points, k)
    before = (prior.observed - prior.predict(prior.prior))[1]
    assert np.median(before) == pytest.approx(np.log(1.3), abs=0.03)
    assert abs(np.median(tpot)) < 0.7 * np.median(before)  # 18 rows in 9 groups do not move the constants all the way


def test_a_held_out_group_is_not_looked_at(data):
    """Rows of one model ten times slower move the predictions of other models out of fold, not their own."""
    k = prior_constants()
    rows = made_up()
    slow = [
        replace(m, numbers={**m.numbers, "tpot_s": 10 * m.numbers["tpot_s"]}) if "8B" in m.text["model"] else m
        for m in rows
    ]
    before, after = (cross_validate(dataset(r, load_catalog(), k), k, "model").predicted[1] for r in (rows, slow))
    own = np.array(["8B" in m.text["model"] for m in rows])
    np.testing.assert_allclose(before[own], after[own])
    assert np.median(np.abs(before[~own] - after[~own])) > 0.1


def test_supports_are_those_of_the_fold(data):
    for how, support in (("pair", "pair_unseen"), ("model", "model_unseen"), ("chip", "chip_unseen")):
        assert set(cross_validate(data, prior_constants(), how).supports) == {support}


def test_cross_validation_is_deterministic_and_tells_its_progress(data):
    steps = []
    first = cross_validate(data, prior_constants(), "model", lambda *s: steps.append(s))
    again = cross_validate(data, prior_constants(), "model")
    np.testing.assert_array_equal(first.predicted, again.predicted)
    assert steps == [("model", 1, 3), ("model", 2, 3), ("model", 3, 3)]


def test_the_record_predicts_what_the_fit_does(data, tmp_path):
    k = prior_constants()
    o = observe(data.points, k)
    rows = np.arange(len(data.points))
    fitted = fit_rows(o, k, rows)
    by_fit = np.exp(predict_rows(o, fitted, rows)[1])
    record = make_calibration(data, k, {})
    path = tmp_path / "record.json"
    path.write_text(record_text(record_document(record, data)))
    loaded = load_constants(path)
    p = api.predict("Qwen/Qwen3-8B", constants=loaded, **POINT)
    place = next(i for i, m in enumerate(data.rows) if m.id == "h100-sxm-Qwen/Qwen3-8B-16")
    year = data.points[place].candidate.year
    assert year == pytest.approx(59 / 365.25)
    context = contexts_of(o)[place]
    by_record = {name: record.shifts_for([context]).get(name, np.zeros(1))[0] for name in fitted.constants}
    by_groups = np.zeros(len(fitted.constants))
    for g, value in fitted.groups.members(context).items():
        by_groups += value * fitted.fit.shifts[g]
    np.testing.assert_allclose(list(by_record.values()), by_groups, atol=0.004)
    assert p.metrics["tpot_mean_s"].value == pytest.approx(by_fit[place], rel=0.25)  # another date, no harness


def test_the_same_rows_give_the_same_bytes(points, record, tmp_path):
    again = tmp_path / "again.json"
    api.calibrate(points, again, hows=("random", "pair", "model", "chip"))
    assert again.read_bytes() == record.read_bytes()
    raw = json.loads(record.read_text())
    assert list(raw) == sorted(raw)
    assert raw["date"] == "2026-03-01"
    assert (raw["n_rows"], len(raw["row_hashes"])) == (27, 27)
    assert all(len(h) == 12 for h in raw["row_hashes"])
    assert raw["rows"]["all"] == {"": 27}
    assert raw["rows"]["pair"]["h100-sxm|Qwen/Qwen3-8B|vllm"] == 3
    moved = raw["shifts"]["all"][""]
    assert set(raw["spreads"]["constant"]["all"][""]) == set(moved)
    assert all(sd > 0.0 for sd in raw["spreads"]["constant"]["all"][""].values())
    assert raw["sources"] == [{"source": "made up", "n": 27, "from": "2026-03-01", "to": "2026-03-01"}]


def test_intervals_come_from_the_record_at_one_evaluation(record, monkeypatch):
    from stackwright.serving import prediction

    calls, serve = [], prediction.serve
    monkeypatch.setattr(prediction, "serve", lambda *a, **k: calls.append(1) or serve(*a, **k))
    constants = load_constants(record)
    p = api.predict("Qwen/Qwen3-8B", constants=constants, **POINT)
    assert len(calls) == 2  # the point itself, and its figures
    assert constants.calibration is not None
    f = constants.calibration.factors["tpot"]["pair_seen"]
    figure = p.metrics["tpot_mean_s"]
    assert figure.low == pytest.approx(figure.value * np.exp(min(f.low, 0)))
    assert figure.high == pytest.approx(figure.value * np.exp(max(f.high, 0)))
    assert p.evidence is not None
    assert (p.evidence.support, p.evidence.same_all, p.evidence.same_chip, p.evidence.same_network) == (
        "pair_seen", 3, 9, 9,
    )  # fmt: skip
    assert "3 are of this chip, model and engine" in p.notes[0]
    for m in p.metrics.values():
        assert m.low <= m.value <= m.high


def test_farther_measurements_never_narrow_an_interval(record):
    constants = load_constants(record)
    found = {}
    for name, chip, model in (
        ("pair_seen", "h100-sxm", "Qwen/Qwen3-8B"),
        ("model_unseen", "h100-sxm", "Qwen/Qwen3-14B"),
        ("chip_unseen", "l40s", "Qwen/Qwen3-8B"),
        ("unseen", "l40s", "Qwen/Qwen3-14B"),
    ):
        p = api.predict(model, constants=constants, **{**POINT, "chip": chip})
        assert p.evidence is not None
        assert p.evidence.support == name
        tpot = p.metrics["tpot_mean_s"]
        found[name] = tpot.high / tpot.low
    assert found["pair_seen"] <= min(found["model_unseen"], found["chip_unseen"])
    assert max(found["model_unseen"], found["chip_unseen"]) <= found["unseen"]


def test_rows_of_the_record_never_count_in_the_headline(points, record, data, tmp_path):
    constants = load_constants(record)
    document = api.validate(points, constants=constants)
    assert (document["in_sample"]["n"], document["held_out"]["n"]) == (27, 0)
    assert document["tpot"] is None
    assert document["in_sample"]["tpot"]["n"] == 27
    assert all(g["tpot"] is None and g["in_sample"] == g["n"] for g in document["groups"])
    fresh = tmp_path / "fresh.csv"
    fresh.write_text(as_csv(made_up(seed=1)))
    document = api.validate([fresh, points], constants=constants, by=("chip",))
    assert (document["in_sample"]["n"], document["held_out"]["n"]) == (27, 27)
    assert document["tpot"]["n"] == 27
    assert document["tpot"] == document["held_out"]["tpot"]
    assert constants.calibration is not None
    assert {short_hash(m) for m in data.rows} == constants.calibration.row_hashes


def test_out_of_fold_scores(points):
    document = api.validate(f"table={points}", cv="model", by=("chip",))
    assert (document["n"], document["predicted"], document["cv"], document["cv_groups"]) == (27, 27, "model", 3)
    assert document["tpot"]["n"] == document["strict"]["tpot"]["n"] == 27
    assert 0 <= document["tpot"]["coverage90_pct"] <= 100
    assert [s["set"] for s in document["sets"]] == ["other"]
    assert sum(g["n"] for g in document["groups"]) == 27


def test_one_chip_cannot_be_left_out(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text(as_csv([m for m in made_up() if m.text["chip"] == "h100-sxm"]))
    with pytest.raises(InputError, match="both must be at least 2"):
        api.validate(path, cv="chip")


def test_the_gate_is_the_callers_choice(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(as_csv(made_up()).replace("fixed", ""))
    assert api.validate(path)["predicted"] == 27
    document = api.validate(path, gate=True)
    assert document["predicted"] == 0
    assert "gate, length distribution" in document["refused"][0]["reason"]


def test_nothing_to_fit_is_refused(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(as_csv(made_up()).replace("fixed", ""))
    with pytest.raises(InputError, match="no row is left to fit"):
        api.calibrate(path, tmp_path / "r.json", hows=())
    with pytest.raises(InputError, match="nothing to fit"):
        api.calibrate((), tmp_path / "r.json")
    with pytest.raises(InputError, match="no such folder"):
        api.calibrate(path, tmp_path / "no" / "r.json", hows=())
    assert not (tmp_path / "r.json").exists()


def test_groups_weigh_the_same_however_many_rows_they_have():
    few = np.linspace(-0.1, 0.1, 21)
    residual = np.concatenate([few + shift for shift in np.linspace(-0.5, 0.5, 30)])
    keys = [str(i) for i in range(30) for _ in range(21)]
    plain = ends(residual, keys)
    crowd = np.concatenate([residual, np.repeat(0.0, 10_000)])
    assert ends(crowd, [*keys, *["crowd"] * 10_000]) == pytest.approx(plain, abs=0.05)
    assert plain[0] == pytest.approx(-plain[1], abs=1e-6)


def test_left_out_groups_are_covered_as_promised():
    """Groups with their own offset: coverage of left-out groups by the ends of the others, over many draws."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(30):
        offsets = rng.normal(0, 0.3, 15)
        residual = np.concatenate([rng.normal(o, 0.1, 20) for o in offsets])
        keys = [str(i) for i in range(15) for _ in range(20)]
        low, high = ends(residual, keys)
        fresh = np.concatenate([rng.normal(o, 0.1, 5) for o in rng.normal(0, 0.3, 200)])
        shares.append(np.mean((fresh >= low) & (fresh <= high)))
    assert 0.86 < np.mean(shares) < 0.95


def test_one_group_covers_anything_when_left_out():
    low, high = leave_group_out(np.array([0.1, 0.2]), ["a", "a"])
    assert (low < -1e9).all()
    assert (high > 1e9).all()


def made_cv(how, support, spread, seed, n=300):
    rng = np.random.default_rng(seed)
    residual = rng.multivariate_normal([0, 0, 0], spread**2 * np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]), n).T
    keys = tuple(f"{i % 40}" for i in range(n))
    return OutOfFold(how, keys, (support,) * n, ("NVIDIA",) * n, np.zeros((3, n)), residual)


def test_factors_of_every_support_level():
    found = {
        "random": made_cv("random", "pair_seen", 0.1, 0),
        "pair": made_cv("pair", "pair_unseen", 0.2, 1),
        "model": made_cv("model", "model_unseen", 0.1, 2),
        "chip": made_cv("chip", "chip_unseen", 0.3, 3),
    }
    by = factors(found)["tpot"]
    assert by["pair_seen"].sd_ln == pytest.approx(0.1, rel=0.2)
    assert by["pair_unseen"].sd_ln == pytest.approx(0.2, rel=0.2)
    assert by["model_unseen"].low <= by["pair_unseen"].low  # never narrower than nearer by
    assert by["unseen"].high == pytest.approx(np.hypot(by["model_unseen"].high, by["chip_unseen"].high), abs=1e-3)
    assert correlation(found["random"]) == pytest.approx(0.5, abs=0.12)
    assert factors({}) == {}


def test_a_maker_with_enough_groups_has_factors_of_its_own():
    narrow, wide = made_cv("random", "pair_seen", 0.1, 0), made_cv("random", "pair_seen", 0.4, 1)
    both = OutOfFold(
        "random",
        narrow.keys + tuple(f"wide {k}" for k in wide.keys),
        narrow.supports + wide.supports,
        narrow.vendors + ("AMD",) * len(wide.keys),
        np.hstack([narrow.predicted, wide.predicted]),
        np.hstack([narrow.measured, wide.measured]),
    )
    by = factors({"random": both})["tpot"]
    assert by["pair_seen|NVIDIA"].sd_ln == pytest.approx(0.1, rel=0.2)
    assert by["pair_seen|AMD"].sd_ln == pytest.approx(0.4, rel=0.2)
    assert by["pair_seen|NVIDIA"].sd_ln < by["pair_seen"].sd_ln < by["pair_seen|AMD"].sd_ln
    amd = np.array([v == "AMD" for v in both.vendors])
    for part in (amd, ~amd):
        assert 0.85 < covered(both, 1)[part].mean() < 0.95


def test_a_record_without_rows_knows_nothing():
    context = Context("vllm", "NVIDIA", "hopper", "h100-sxm", "bf16", "x")
    assert calibration_of(None, []).support(context) == "unseen"
