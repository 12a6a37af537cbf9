from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from stackwright import api
from stackwright.api.comparison import Asked, read_question, shipped_questions
from stackwright.errors import InputError
from stackwright.planner.choose.ecosystems import Comparison

TEXT = """
name: two ways and one that cannot
workload: chat
rate: 5
ttft: 1s
tpot: 50ms
models: [Qwen/Qwen3-8B]
ecosystems:
  - {name: rented, chips: [h100-sxm], clouds: [aws], engines: vllm}
  - {name: bought, rent: false, api: [anthropic, aws], models: claude-sonnet-4-5}
  - {name: none, chips: [h100-sxm], clouds: [vultr]}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "mine.yaml"
    path.write_text(TEXT)
    return path


@functools.cache
def answered(file: Path) -> tuple[Asked, Comparison]:
    return api.compare(file)


def test_shipped_questions_are_read() -> None:
    assert "ecosystems" in shipped_questions()
    asked = read_question("ecosystems")
    assert len(asked.ecosystems) >= 6
    names = " ".join(e.name for e in asked.ecosystems)
    for part in ("Azure", "TPU", "Trainium", "AMD", "anyone", "API"):
        assert part in names


def test_the_answer_of_each_is_that_of_the_plan(file: Path) -> None:
    _, c = answered(file)
    by_name = {s.ecosystem.name: s for s in c.standings}
    plan = api.plan(
        "Qwen/Qwen3-8B", rate=5, ttft=1, tpot=0.05, chips=("h100-sxm",), clouds=("aws",), engines=("vllm",), top=1
    )
    rented = by_name["rented"].best
    assert rented is not None
    assert rented.usd_per_mtok_output == plan.plans[0].usd_per_mtok_output
    assert by_name["bought"].best is not None
    assert by_name["none"].best is None
    assert by_name["none"].refusal


def test_the_matrix_is_of_those_that_answer_and_its_halves_complete_each_other(file: Path) -> None:
    _, c = answered(file)
    n = len(c.answered)
    assert [s.ecosystem.name for s in c.answered] == ["rented", "bought"]
    for i in range(n):
        assert c.p_cheaper[i][i] == 0.5
        for j in range(n):
            assert c.p_cheaper[i][j] + c.p_cheaper[j][i] == pytest.approx(1.0)
    assert c.verdicts()[0].startswith("rented is cheaper than bought")


def test_the_document_is_json_and_complete(file: Path) -> None:
    asked, c = answered(file)
    document = api.comparison_document(asked, c)
    json.dumps(document, allow_nan=False)
    assert [row["ecosystem"] for row in document["compare"]] == ["rented", "bought", "none"]
    best = document["compare"][0]["best"]
    assert best["usd_per_month"] == pytest.approx(best["usd_per_hour"] * 730.5)
    assert document["compare"][0]["asked"]["chips"] == ["h100-sxm"]
    assert document["compare"][1]["asked"]["api"] == ["anthropic", "aws"]
    assert document["cheaper"]["names"] == ["rented", "bought"]


def test_changes_replace_what_the_file_says(file: Path) -> None:
    q = read_question(file, rate=50.0, ttft=2.0).ecosystems[0].question
    assert (q.workload.rate_per_s, q.slo.ttft_s, q.slo.tpot_s) == (50.0, 2.0, 0.05)
    q = read_question(file, concurrency=64.0).ecosystems[0].question
    assert (q.workload.rate_per_s, q.workload.concurrency) == (None, 64.0)


def test_own_porting_cost_replaces_the_assumption(file: Path) -> None:
    asked, c = answered(file)
    from dataclasses import replace

    moves = api.comparison_document(replace(asked, porting_usd=5e4), c)["compare"][0]["best"]["lock_in"]["moves"]
    given = [m for m in moves if m["confidence"] == "given"]
    assert given
    assert all(m["usd"] == {"low": 5e4, "high": 5e4} for m in given)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("rate: 5", "rat: 5"), "unknown key 'rat'; did you mean 'rate'"),
        (("rate: 5", "rate: five"), "rate: must be a number above 0"),
        (("ttft: 1s", "ttft: soon"), "ttft"),
        (("workload: chat", "workload: chatt"), "did you mean 'chat'"),
        (("clouds: [aws]", "clouds: [awss]"), "ecosystem 'rented': unknown cloud 'awss'"),
        (("chips: [h100-sxm], clouds: [aws]", "chip: [h100-sxm]"), "ecosystem 'rented': unknown key 'chip'"),
        (("name: bought", "name: rented"), "'rented' is given twice"),
        (("name: bought", "note: bought"), "ecosystem number 2: no name"),
        (("rent: false", "rent: perhaps"), "rent: true or false"),
        (("models: claude-sonnet-4-5", "models: []"), "ecosystem 'bought': models: must be a list of names"),
        (("api: [anthropic, aws]", "api: [anthropik]"), "ecosystem 'bought': unknown API provider 'anthropik'"),
        (("models: [Qwen/Qwen3-8B]", "models: [Qwen/Qwen3-9B]"), "did you mean 'Qwen/Qwen3-8B'"),
        (("ecosystems:", "ecosystem:"), "unknown key 'ecosystem'"),
        (("workload: chat", "workload: [chat"), "not valid YAML"),
    ],
)
def test_broken_files_are_refused_in_one_line(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    broken = tmp_path / "q.yaml"
    assert change[0] in TEXT
    broken.write_text(TEXT.replace(*change))
    with pytest.raises(InputError) as caught:
        api.compare(broken)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_questions() -> None:
    with pytest.raises(InputError, match="did you mean 'ecosystems'"):
        read_question("ecosystem")
    with pytest.raises(InputError, match="no such question file"):
        read_question("nope.yaml")


def test_plans_carry_their_lock_in() -> None:
    answer: Any = api.plan_document(api.plan("Qwen/Qwen3-8B", chips=("h100-sxm",), clouds=("aws",), top=1))
    x = answer["plans"][0]["lock_in"]
    assert x["weights_open"] is True
    assert "aws" not in x["providers_of_the_chip"]["names"]
    assert x["providers_of_the_chip"]["count"] == len(x["providers_of_the_chip"]["names"]) > 0
    assert x["api_sellers_of_the_model"] is None
