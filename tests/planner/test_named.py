"""Chips that a question names: shown with their probability, or explained where nothing of them runs the model."""

from __future__ import annotations

import pytest

from stackwright import api
from stackwright.errors import InputError
from stackwright.planner.evaluate import CONFIDENT
from tests.planner.questions import MODEL


def test_a_named_chip_that_nobody_rents_is_shown_with_its_probability() -> None:
    answer = api.plan(MODEL, chips=("m4-max",), engines=("mlx",))
    (best,) = answer.unpriced
    assert answer.plans == ()
    assert best.stack.chip.id == "m4-max"
    assert 0.0 < best.p_meets_slo < CONFIDENT
    assert not best.meets_slo
    assert any("probability" in note for note in best.notes)


def test_chips_that_nobody_named_are_listed_only_where_they_are_sure() -> None:
    unpriced = api.plan(MODEL, vendors=("apple", "nvidia"), clouds=("aws",), ttft=10.0, tpot=0.2).unpriced
    assert unpriced
    assert all(p.p_meets_slo >= CONFIDENT for p in unpriced)


def test_a_named_chip_that_runs_in_no_way_says_why() -> None:
    answer = api.plan("openai/gpt-oss-120b", chips=("tpu-8i", "h100-sxm"), clouds=("aws",), engines=("vllm",))
    assert "tpu-8i is not listed: vllm has no mxfp4 weights on tpu8" in answer.assumptions


def test_too_little_at_hand_says_what_the_smallest_stack_takes() -> None:
    with pytest.raises(InputError, match=r"what stands there \(rtx-4090\): the smallest stack that fits takes 4 x"):
        api.plan("meta-llama/Llama-3.3-70B-Instruct", have=("rtx-4090",), clouds=("at-hand",))
    assert api.plan("Qwen/Qwen3-32B", have=("rtx-4090",), clouds=("at-hand",)).plans


def test_the_number_of_what_is_at_hand_comes_last() -> None:
    with pytest.raises(InputError, match="the number comes last, as in rtx-4090x2"):
        api.plan(MODEL, have=("2xrtx-4090",))


def test_over_a_budget_the_nearest_is_one_that_keeps_the_promise() -> None:
    with pytest.raises(InputError, match="nothing within the limits") as refused:
        api.plan(MODEL, chips=("h100-sxm", "l40s"), engines=("vllm",), rate=5.0, max_usd_per_hour=1.0)
    sure = int(str(refused.value).split("% sure")[0].rsplit(" ", 1)[-1])
    assert sure >= 90


def test_of_the_surest_stacks_of_a_named_chip_the_best_per_chip_is_shown() -> None:
    question = {"chips": ("tpu-8i",), "rate": 5.0, "engines": ("vllm",), "clouds": ("gcp",)}
    (shown,) = api.plan("meta-llama/Llama-3.3-70B-Instruct", **question).unpriced  # type: ignore[arg-type]
    assert shown.p_meets_slo < CONFIDENT
    assert shown.n_chips < 64  # a few points of probability are not worth a tenfold machine
