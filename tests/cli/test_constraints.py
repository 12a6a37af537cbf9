"""Constraints on the command line: budgets, places, chips at hand, penalties, sectors."""

from __future__ import annotations

import pytest

from tests.cli.commands import PLAN, Shell

BARE = ("plan", "Qwen/Qwen3-8B", "--engines", "vllm", "--no-launch")


def test_a_budget_by_the_day_or_month_is_one_by_the_hour(shell: Shell) -> None:
    hourly = shell.document(*PLAN, "--max-usd-per-hour", "100")["question"]["max_usd_per_hour"]
    daily = shell.document(*PLAN, "--max-usd-per-hour", "2400/day")["question"]["max_usd_per_hour"]
    monthly = shell.document(*PLAN, "--max-usd-per-hour", "73050/month")["question"]["max_usd_per_hour"]
    assert hourly == daily == monthly == 100.0


def test_power_is_limited_as_the_plan_shows_it(shell: Shell) -> None:
    document = shell.document(*PLAN, "--rate", "5", "--per", "stack", "--top", "50")
    watts = sorted(p["facility_watts"] for p in document["plans"])
    limit = watts[len(watts) // 2] / 1000
    kept = shell.document(*PLAN, "--rate", "5", "--per", "stack", "--top", "50", "--max-kw", f"{limit!r}")["plans"]
    assert 0 < len(kept) < len(watts)
    assert max(p["facility_watts"] for p in kept) <= limit * 1000
    said = shell.refused(*PLAN, "--rate", "5", "--max-kw", "0.001")
    assert "nearest deployment takes" in said
    assert "kW" in said


def test_what_is_left_out_is_said(shell: Shell) -> None:
    arguments = (*BARE, "--chips", "h100-sxm", "--rate", "5", "--residency", "eu", "--certified", "soc2,hipaa")
    text = " ".join(shell.answered(*arguments).split())
    assert "offers left out by the constraints: " in text
    assert "country of its region unknown" in text
    assert "nearest of those: " in text
    document = shell.document(*arguments)
    assert document["left_out_offers"]["count"] > 5
    assert document["question"]["residency"] == "eu"
    assert document["question"]["certified"] == ["soc2", "hipaa"]
    assert shell.document(*PLAN)["left_out_offers"] == {"count": 0, "by_reason": [], "nearest": None}


def test_a_machine_at_hand_answers_a_small_question(shell: Shell) -> None:
    text = shell.answered(*BARE, "--have", "l40s", "--clouds", "at-hand")
    assert "at-hand/l40s" in text
    assert "one person at a time" in text
    document = shell.document(*BARE, "--have", "l40s", "--clouds", "at-hand", "--usd-per-kwh", "0.5")
    assert document["question"]["have"] == ["l40s"]
    assert "0.5 USD/kWh" in document["plans"][0]["stack"]["offer"]["price_source"]
    assert document["unpriced"] == []


def test_a_penalty_has_a_table_of_its_own(shell: Shell) -> None:
    text = shell.answered(*PLAN, "--rate", "5", "--penalty", "10%<99,25%<95", "--fee-usd-per-month", "20000")
    assert "Expected penalty under 10%<99,25%<95" in text
    assert "20,000" in text
    assert "USD per million output tokens, expected penalty included" in " ".join(
        shell.answered(*PLAN, "--rate", "5", "--penalty", "10%<99", "--objective", "expected_cost").split()
    )


def test_a_sector_says_what_it_assumes_and_yields_to_what_is_given(shell: Shell) -> None:
    arguments = (*BARE, "--chips", "h100-sxm", "--rate", "1", "--sector", "medical")
    text = " ".join(shell.answered(*arguments).split())
    assert "sector medical assumes what is not given (no legal advice)" in text
    assert "residency eu: health data are a special category" in text
    given = shell.document(*arguments, "--workload", "chat", "--ttft", "1")["question"]
    assert given["workload"]["name"] == "chat"
    assert {a["option"] for a in given["sector"]["assumes"]} == {"tpot", "residency", "certified", "contracts"}


def test_spot_is_a_switch(shell: Shell) -> None:
    assert "spot" in shell.document(*PLAN, "--spot")["question"]["contracts"]
    assert "spot" not in shell.document(*PLAN, "--contracts", "all", "--no-spot")["question"]["contracts"]


def test_the_report_names_the_constraints(shell: Shell, tmp_path) -> None:  # type: ignore[no-untyped-def]
    report = tmp_path / "r.html"
    shell.answered(*BARE, "--chips", "h100-sxm", "--rate", "1", "--sector", "finance", "--penalty", "10%<99",
                   "--report", str(report))  # fmt: skip
    page = report.read_text()
    for said in (
        "data stay in eu",
        "left out by these constraints",
        "sector finance assumes",
        "penalty clause is expected to cost",
    ):
        assert said in page, said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-usd-per-hour", "20/week"], "'20/day' or '500/month'"),
        (["--max-usd-per-hour", "/day"], "cannot read '/day'"),
        (["--max-kw", "0"], "--max-kw"),
        (["--residency", "narnia"], "unknown place 'narnia'"),
        (["--certified", "soc3"], "unknown certification 'soc3'; did you mean 'soc2'"),
        (["--certified", ","], "the list is empty"),
        (["--have", "rtx-9999"], "unknown chip 'rtx-9999'"),
        (["--clouds", "at-hand"], "needs --have"),
        (["--usd-per-kwh", "0.3"], "give both"),
        (["--penalty", "ten"], "cannot read 'ten'"),
        (["--fee-usd-per-month", "5"], "belongs to --penalty"),
        (["--objective", "expected_cost"], "needs --penalty"),
        (["--sector", "law"], "unknown sector 'law'"),
        (["--no-spot", "--contracts", "spot"], "leaves no contract"),
    ],
)
def test_constraints_that_are_none(shell: Shell, arguments: list[str], said: str) -> None:
    assert said in shell.refused(*PLAN, *arguments)
