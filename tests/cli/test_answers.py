from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stackwright.cli import output
from tests.cli.commands import PLAN, POINT, Shell

TABLE = (
    "id,chip,n_chips,model,engine,tp,isl,osl,concurrency,ttft_s,tpot_s\n"
    "a,h100-sxm,2,Qwen/Qwen3-8B,vllm,2,1024,256,16,0.1,0.01\n"
    "b,nope,2,Qwen/Qwen3-8B,vllm,2,1024,256,16,0.1,0.01\n"
)

KINDS = ("chips", "systems", "engines", "models", "offers", "grids")


def at_width(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    from rich.console import Console

    def made() -> Any:
        return Console(highlight=False, markup=False, emoji=False, width=width)

    for module in ("plan_text", "predict", "explain", "validate", "calibrate", "catalog", "workload"):
        monkeypatch.setattr(f"stackwright.cli.{module}.console", made)


@pytest.mark.parametrize("arguments", [[], ["catalog"], ["workload"], ["-h"], ["--help"], ["plan", "--help"]])
def test_help_is_an_answer(shell: Shell, arguments: list[str]) -> None:
    assert shell.answered(*arguments).startswith("Usage: ")


@pytest.mark.parametrize(
    "command", ["plan", "compare", "predict", "explain", "validate", "calibrate", "catalog", "workload", "completion"]
)
def test_every_command_has_help_with_an_example_or_a_sentence(shell: Shell, command: str) -> None:
    assert command in shell.answered("--help")
    assert len(shell.answered(command, "--help").splitlines()) > 5


def test_version(shell: Shell) -> None:
    from stackwright import __version__

    assert __version__ in shell.answered("--version")


@pytest.mark.parametrize(
    "arguments",
    [
        [*PLAN], [*PLAN, "--rate", "20"], [*PLAN, "--concurrency", "0.3"], [*PLAN, "--rate", "1e-12"],
        [*PLAN, "--ttft", "1e300"], [*PLAN, "--percentile", "99.9"], [*PLAN, "--include-api"],
        [*PLAN, "--contracts", "all"],
        [*PLAN, "--objective", "carbon", "--per", "stack"],
        [*POINT, "--concurrency", "16"], [*POINT, "--rate", "1"], [*POINT, "--concurrency", "1e9"],
        [*POINT, "--concurrency", "1e-300"], [*POINT, "--rate", "1e-300"],
        ["explain", *POINT[1:], "--concurrency", "16"],
        ["catalog", "list"], *(["catalog", "list", k] for k in KINDS),
        ["catalog", "show", "h100"], ["catalog", "show", "aws/p5.48xlarge"], ["catalog", "show", "vllm"],
        ["workload", "list"], ["workload", "show", "chat"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_json_is_one_document_and_nothing_else(shell: Shell, arguments: list[str]) -> None:
    assert shell.document(*arguments)


def test_the_document_of_a_plan(shell: Shell) -> None:
    d = shell.document(*PLAN, "--rate", "20", "--top", "1", "--include-api")
    assert len(d["plans"]) == 1
    assert (
        d["plans"][0]["launch"]["command"].startswith("vllm serve")
        or "vllm serve" in d["plans"][0]["launch"]["command"]
    )
    assert d["question"]["workload"]["requests_per_s"] == 20.0
    assert isinstance(d["api"], list)


def test_the_text_of_a_plan(shell: Shell) -> None:
    text = shell.answered(*PLAN, "--rate", "20", "--ttft", "500ms", "--tpot", "40ms")
    for part in ("p95 TTFT <= 500 ms, p95 TPOT <= 40 ms", "USD/Mtok out [90 %]", "Why #1:", "Launch #1", "vllm serve",
                 "constants", "operating points in"):  # fmt: skip
        assert part in text
    assert "Launch #1" not in shell.answered(*PLAN, "--no-launch")


@pytest.mark.parametrize("width", [80, 100, 200])
def test_every_plan_is_readable_at_any_width(shell: Shell, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    at_width(monkeypatch, width)
    text = shell.answered(*PLAN, "--rate", "20", "--no-launch")
    assert max(len(line) for line in text.splitlines()) <= width
    for part in ("x h100-sxm", "aws/p5", "TTFT", "TPOT", "USD/h", "P(keeps)", "%"):
        assert part in text
    assert "…" not in text


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize(
    "arguments",
    [["catalog", "list", k] for k in KINDS] + [["workload", "list"], ["explain", *POINT[1:], "--concurrency", "16"]],
    ids=" ".join,
)
def test_tables_drop_columns_rather_than_figures(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, arguments: list[str], width: int
) -> None:
    at_width(monkeypatch, width)
    text = shell.answered(*arguments)
    assert "…" not in text
    if "wider terminal" in text:
        assert width == 80


def test_names_with_brackets_are_printed_as_they_are(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text('name: "[/red] :smile: [bold]"\ninput: 100\noutput: 10\n')
    assert "[/red] :smile: [bold]" in shell.answered(*PLAN, "--workload", str(path))


def test_unpriced_chips_are_listed_apart(shell: Shell) -> None:
    text = shell.answered("plan", "Qwen/Qwen3-8B", "--chips", "mi300x", "--clouds", "aws", "--engines", "vllm")
    assert "No stack with a price under these filters." in text
    assert "Nobody publishes a price" in text


def test_many_unpriced_chips_are_cut_short_in_text(shell: Shell) -> None:
    arguments = ("plan", "Qwen/Qwen3-8B", "--clouds", "hotaisle", "--engines", "vllm", "--no-launch")
    more = len(shell.document(*arguments)["unpriced"]) - 10
    assert more > 0
    assert f"and {more} more chips without a price" in " ".join(shell.answered(*arguments).split())


def test_compare_and_report(shell: Shell, tmp_path: Path) -> None:
    today, report = tmp_path / "today.yaml", tmp_path / "plan.html"
    today.write_text("chip: h100-sxm\nengine: vllm\ntp: 2\nusd_per_hour: 9\n")
    text = shell.answered(*PLAN, "--rate", "5", "--compare", str(today), "--report", str(report))
    assert "What you run today" in text
    assert "cost: 9.00 ->" in text
    assert report.read_text().lstrip().lower().startswith("<!doctype html>")
    compared = shell.document(*PLAN, "--rate", "5", "--compare", str(today))["compare"]
    assert compared["today"]["usd_per_hour"] == 9.0


def test_points_and_scores(shell: Shell, tmp_path: Path) -> None:
    points, out = tmp_path / "in.csv", tmp_path / "out.csv"
    points.write_text(TABLE)
    assert "1 of 2 rows predicted" in shell.answered("predict", "--points", str(points), "--out", str(out))
    assert "predicted_tpot_mean_s_low" in out.read_text()
    document = shell.document("validate", "--points", str(points), "--by", "chip")
    assert (document["n"], document["predicted"]) == (2, 1)
    assert set(document["tpot"]) == {"n", "mape_pct", "median_ape_pct", "p90_ape_pct", "bias_pct", "coverage90_pct"}
    assert document["refused"][0]["id"] == "b"
    text = shell.answered("validate", "--points", str(points))
    assert "1 rows refused: 1 unknown chip 'nope'" in text


def test_catalog_check_tells_errors_by_status(shell: Shell) -> None:
    status, out, _ = shell("catalog", "check")
    assert status == 0
    assert "0 errors" in out


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: Shell, name: str) -> None:
    assert "_STACKWRIGHT_COMPLETE" in shell.answered("completion", name)


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "-"), (0, "0"), (5.0, "5.00"), (99.97, "100"), (1234.4, "1,234"), (0.01234, "0.0123"), (-3.0, "-3.00")],
)
def test_numbers_have_three_digits(number: float | None, text: str) -> None:
    assert output.number(number) == text


def test_figures_without_a_value_are_dashes() -> None:
    nothing = {"value": None, "low": None, "high": None}
    assert output.interval(nothing) == output.interval(None) == output.value(nothing) == output.value(None) == "-"
    assert output.interval({"value": 1.0, "low": None, "high": 2.0}) == "1.00 [- - 2.00]"


def test_the_document_of_pools(shell: Shell) -> None:
    found = shell.document(*POINT, "--concurrency", "16", "--prefill", "2xtp1", "--decode", "1xtp2")
    assert (found["pools"]["n_chips"], found["pools"]["prefill"]["workers"], found["layout"]["tp"]) == (4, 2, 2)
    rate = found["output_tokens_per_s_per_chip"]["value"] * 4
    assert rate == pytest.approx(256 * found["requests_per_s"]["value"])
    assert "prefill 2 x tp1, decode 1 x tp2" in shell.answered(
        *POINT, "--concurrency", "16", "--prefill", "2xtp1", "--decode", "1xtp2"
    )
