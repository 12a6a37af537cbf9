from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import PLAN, Shell

CHOOSE = ("plan", "--models", "qwen3-8b,claude-sonnet-4-5", *PLAN[2:], "--rate", "5")
QUESTION = """
workload: chat
rate: 5
ttft: 1s
ecosystems:
  - {name: rented, models: [qwen3-8b], chips: [h100-sxm], clouds: [aws], engines: [vllm]}
  - {name: bought, models: [claude-sonnet-4-5], rent: false, api: any}
"""


@pytest.fixture
def question(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(QUESTION)
    return str(path)


def test_models_as_a_table_and_as_json(shell: Shell) -> None:
    said = shell.answered(*CHOOSE)
    assert "Qwen3-8B" in said
    assert "Anthropic API" in said
    assert "latency of the API is not known" in said
    document = shell.document(*CHOOSE)
    assert document["question"]["models"] == ["qwen3-8b", "claude-sonnet-4-5"]
    assert {o["kind"] for o in document["choice"]} == {"self_hosted", "api"}


def test_top_counts_sellers_of_a_model(shell: Shell) -> None:
    assert shell.answered(*CHOOSE, "--top", "1").count(" API") < shell.answered(*CHOOSE).count(" API")
    assert "more sellers by API" in shell.answered(*CHOOSE, "--top", "1")


def test_reports(shell: Shell, tmp_path: Path, question: str) -> None:
    one, two = tmp_path / "choice.html", tmp_path / "compare.html"
    shell.answered(*CHOOSE, "--report", str(one))
    shell.answered("compare", question, "--report", str(two))
    assert "Every way to have each model" in one.read_text()
    assert "The best of each ecosystem" in two.read_text()


def test_compare(shell: Shell, question: str) -> None:
    said = shell.answered("compare", question)
    for words in ("rented", "bought", "P(row costs less than column)", "What it locks"):
        assert words in said
    document = shell.document("compare", question, "--rate", "10", "--porting-usd", "1000")
    assert document["question"]["workload"]["requests_per_s"] == 10
    assert shell.answered("compare", question, "--show") == QUESTION
    assert "NVIDIA + Azure" in shell.answered("compare", "--show")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "qwen3-8b", "--quality", "gpqa-diamond"], "--quality belongs to --models"),
        (["plan", "qwen3-8b", "--api-providers", "aws"], "--api-providers belongs to --models"),
        (["plan", "--models", "qwen3-8b", "--own", __file__], "--own belongs to one MODEL"),
        (["plan", "--models", "qwen3-8b", "--compare", __file__], "--compare belongs to one MODEL"),
        (["plan", "--models", "qwen3-8b", "--verify"], "--verify"),
        (["plan", "--models", "qwen3-8b", "--min-quality", "1"], "--quality NAME or FILE"),
        (["plan", "--models", "qwen3-8b", "--quality", "nope"], "unknown quality 'nope'"),
        (["plan", "--models", ","], "the list is empty"),
        (["compare", "nope"], "unknown question 'nope'"),
        (["compare", "nope.yaml"], "no such question file"),
        (["compare", "--rate", "0"], "not a number above 0"),
    ],
)
def test_refusals(shell: Shell, arguments: list[str], said: str) -> None:
    assert said in shell.refused(*arguments)
