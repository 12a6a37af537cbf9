"""Measured rows with speculative decoding: what they state, what recipes add, how they are fitted and reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stackwright.calibration.calibrate import calibration_of, fit_rows, predict_rows
from stackwright.calibration.fit.observations import observe
from stackwright.calibration.judge.sets import set_of
from stackwright.calibration.rows.points import PointPrediction, Refusal, predict_points, resolve_point
from stackwright.calibration.rows.speculation import covered, recipe_draft_tokens
from stackwright.catalog import load_catalog
from stackwright.measure import Measurement
from stackwright.measure.importers.cells import row
from stackwright.performance.candidates import context_of
from stackwright.performance.constants import prior_constants

CATALOG = load_catalog()


def mtp(**cells: object) -> Measurement:
    """8 H200 with SGLang and DeepSeek R1, two tokens drafted per step."""
    base = {
        "id": "x", "source": "made up", "date": "2026-03-01", "chip": "h200-sxm", "n_chips": 8, "tp": 8,
        "model": "deepseek-ai/DeepSeek-R1", "engine": "sglang", "mode": "aggregated", "weight_precision": "fp8",
        "speculative": "mtp2", "isl": 1024, "osl": 1024, "length_dist": "fixed", "concurrency": 16,
        "ttft_stat": "mean", "tpot_stat": "mean",
    }  # fmt: skip
    return row(base | cells, 1, Path("made up"))  # type: ignore[arg-type]


def stating(**cells: str) -> Measurement:
    """A row with columns that importers do not write."""
    plain = mtp(speculative="mtp")
    return Measurement(plain.row, plain.text, plain.numbers, {**plain.raw, **cells})


def answer(m: Measurement) -> PointPrediction | Refusal:
    return predict_points([m], CATALOG, prior_constants(), intervals=False)[0]


def tpot(m: Measurement) -> float:
    found = answer(m)
    assert isinstance(found, PointPrediction), found
    return found.metrics["tpot_mean_s"][0]


@pytest.mark.parametrize(
    ("m", "method", "tokens", "accepted"),
    [
        (mtp(), "mtp", 2, None),
        (mtp(speculative="mtp"), "mtp", 2, None),
        (mtp(speculative="MTP1"), "mtp", 1, None),
        (mtp(speculative="mtp", engine="tensorrt-llm"), "mtp", 3, None),
        (mtp(speculative="mtp", engine="tensorrt-llm", tp=1, attention_dp=8, ep=8), "mtp", 1, None),
        (mtp(speculative="eagle3"), "eagle", 2, None),
        (stating(draft_tokens="4", acceptance_length="2.5"), "mtp", 4, 2.5),
    ],
)
def test_what_a_row_states_and_what_its_recipe_adds(m: Measurement, method: str, tokens: int, accepted: float) -> None:
    found = resolve_point(m, CATALOG, {}).candidate.speculation
    assert found is not None
    assert (found.method, found.draft_tokens, found.acceptance_length) == (method, tokens, accepted)
    assert set_of(resolve_point(m, CATALOG, {})) == "speculative, aggregated"


@pytest.mark.parametrize("word", ["none", ""])
def test_rows_without_speculation_have_none(word: str) -> None:
    point = resolve_point(mtp(speculative=word), CATALOG, {})
    assert point.candidate.speculation is None
    assert set_of(point) != "speculative, aggregated"


@pytest.mark.parametrize(
    ("m", "said"),
    [
        (mtp(speculative="medusa"), "'medusa' is not covered; known: mtp"),
        (mtp(speculative="unknown"), "'unknown' is not covered"),
        (mtp(model="Qwen/Qwen3-8B"), "no multi-token-prediction module"),
        (stating(draft_tokens="1", acceptance_length="2.5"), "not from 1 to 2"),
        (stating(draft_tokens="two"), "draft_tokens is 'two', not a number"),
        (stating(draft_tokens="inf"), "not a number"),
        (stating(draft_tokens="1.5"), "not a whole number"),
        (mtp(speculative="mtp0"), "from 1 to 64"),
    ],
)
def test_what_cannot_be_is_refused(m: Measurement, said: str) -> None:
    found = answer(m)
    assert isinstance(found, Refusal)
    assert said in found.reason


def test_neighbours_with_speculation_change_nothing() -> None:
    plain = mtp(speculative="none")
    together = predict_points([mtp(), plain, mtp(speculative="mtp3")], CATALOG, prior_constants(), intervals=False)
    assert isinstance(together[1], PointPrediction)
    assert together[1].metrics == answer(plain).metrics  # type: ignore[union-attr]
    assert tpot(mtp()) < tpot(plain)


def test_recipes_cover_every_engine() -> None:
    assert recipe_draft_tokens("vllm", "NVIDIA", attention_dp=False) >= 1
    assert covered("mtp3")
    assert not covered("medusa")


def test_a_fit_finds_the_acceptance_and_leaves_other_rows_the_constants() -> None:
    """Rows made with an acceptance of 0.5: the shift of the constant leads there; plain rows see no gradient."""
    users = (2, 8, 32)
    made = []
    for n in users:
        low = stating(acceptance_length="1.75", draft_tokens="2")
        point = {**low.numbers, "concurrency": float(n)}
        exact = predict_points(
            [Measurement(1, low.text, point, {**low.raw, "concurrency": str(n)})], CATALOG, prior_constants(), False
        )[0]
        assert isinstance(exact, PointPrediction)
        cells = {"tpot_s": exact.metrics["tpot_mean_s"][0], "ttft_s": exact.metrics["ttft_mean_s"][0]}
        made.append(mtp(id=f"s{n}", concurrency=n, **cells))
        plain = mtp(speculative="none", concurrency=n)
        found = answer(plain)
        assert isinstance(found, PointPrediction)
        cells = {"tpot_s": found.metrics["tpot_mean_s"][0], "ttft_s": found.metrics["ttft_mean_s"][0]}
        made.append(mtp(id=f"p{n}", speculative="none", concurrency=n, **cells))
    points = [resolve_point(m, CATALOG, {}) for m in made]
    constants = prior_constants()
    o = observe(points, constants)
    k = o.constants.index("draft_acceptance")
    moved = o.prior.copy()
    moved[:, k] += 0.1
    drafts = np.array([p.candidate.speculation is not None for p in points])
    change = np.abs(o.predict(moved) - o.predict(o.prior)).max(axis=0)
    assert np.all(change[drafts] > 1e-3)
    assert np.all(change[~drafts] == 0.0)

    fitted = fit_rows(o, constants)
    before = np.abs(o.predict(o.kernels)[1, drafts] - o.observed[1, drafts])
    after = np.abs(predict_rows(o, fitted, np.arange(len(points)))[1, drafts] - o.observed[1, drafts])
    assert after.max() < 0.5 * before.max()
    contexts = [context_of(p.model, p.candidate) for p in points]
    record = calibration_of(fitted, contexts)
    total = sum(s for (_, key), row_ in zip(fitted.groups.names, fitted.fit.shifts, strict=True) for s in [row_[k]]
                if key in set(contexts[0].keys().values()))  # fmt: skip
    assert total < -0.05
    assert record.shifts_for(contexts[:1])["draft_acceptance"][0] == pytest.approx(total, abs=5e-3)
