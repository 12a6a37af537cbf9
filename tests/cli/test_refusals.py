from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import PLAN, POINT, Shell

LONG = "9" * 400


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["foo"], "unknown command 'foo'; one of plan"),
        (["plam"], "did you mean 'plan'"),
        (["simulate"], "is not there yet"),
        (["simulate", "--help"], "is not there yet"),
        (["--nonsense"], "No such option"),
        (["plan"], "Missing argument 'MODEL'"),
        (["plan", "Qwen/Qwen3-9B"], "did you mean 'Qwen/Qwen3-8B'"),
        (["plan", ""], "no model given"),
        (["explain"], "Missing argument 'MODEL'"),
        (["predict"], "give a MODEL, or --points"),
        (["predict", "Qwen/Qwen3-8B", "--engine", "vllm"], "--chip is missing"),
        (["predict", "Qwen/Qwen3-8B", "--chip", "h100"], "--engine is missing"),
        (["predict", "Qwen/Qwen3-8B", "--out", "x.csv"], "--out belongs to --points"),
        ([*POINT, "--concurrency", "4", "--draft-tokens", "2"], "belong to --speculative"),
        ([*POINT, "--concurrency", "4", "--speculative", "ngram"], "needs --draft-tokens"),
        ([*POINT, "--concurrency", "4", "--speculative", "mtp", "--draft-tokens", "1"], "no multi-token-prediction"),
        (
            [*POINT, "--concurrency", "4", "--speculative", "ngram", "--draft-tokens", "2", "--acceptance-length", "4"],
            "not from 1 to 3",
        ),
        ([*POINT, "--concurrency", "4", "--prefill", "1xtp1"], "belong together"),
        ([*POINT, "--concurrency", "4", "--prefill", "two", "--decode", "1xtp1"], "cannot read the pool 'two'"),
        ([*POINT, "--concurrency", "4", "--prefill", "1xtp1", "--decode", "1xtp1", "--tp", "2"], "leave out"),
        (
            [*POINT, "--concurrency", "4", "--prefill", "1xtp1", "--decode", "1xtp1", "--own", __file__],
            "aggregated replicas",
        ),
        ([*POINT, "--rate", "4000", "--prefill", "1xtp1", "--decode", "1xtp1"], "these pools can sustain"),
        ([*POINT, "--rate", "4", "--prefill-chip", "h200-sxm"], "belong to the pools"),
        ([*POINT, "--rate", "4", "--kv-offload-gb", "10"], "--prefix-working-set-tokens"),
        ([*POINT, "--rate", "4", "--prefix-working-set-tokens", "1e6"], "--prefix-hit-rate"),
        ([*POINT, "--rate", "4", "--cp", "2"], "no prefill context parallelism"),
        ([*POINT, "--concurrency", "4", "--prefill", "0xtp1", "--decode", "1xtp1"], "at least one worker"),
        (["explain", *POINT[1:], "--concurrency", "4", "--prefill", "1xtp1", "--decode", "1xtp1"], "predict does"),
        (["validate"], "Missing option '--points'"),
        (["validate", "--points", "/no/such.csv"], "does not exist"),
        (["validate", "--points", "/"], "is a directory"),
        (["catalog", "list", "foo"], "is not one of"),
        (["catalog", "show", "nope"], "unknown catalogue id 'nope'"),
        (["workload", "show", "chatt"], "did you mean 'chat'"),
        (["workload", "fetch", "nope"], "unknown trace 'nope'"),
        (["completion", "tcsh"], "is not one of"),
    ],
)
def test_bad_commands(shell: Shell, arguments: list[str], said: str) -> None:
    assert said in shell.refused(*arguments)


@pytest.mark.parametrize("flag", ["--rate", "--concurrency", "--max-usd-per-hour"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "-inf", "1e300", "many", ""])
def test_numbers_that_are_none(shell: Shell, flag: str, value: str) -> None:
    assert flag in shell.refused(*PLAN, flag, value)


@pytest.mark.parametrize("flag", ["--ttft", "--tpot"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "3 parsecs", "1.2.3s", ""])
def test_times_that_are_none(shell: Shell, flag: str, value: str) -> None:
    assert flag in shell.refused(*PLAN, flag, value)


@pytest.mark.parametrize("flag", ["--top", "--max-chips"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "nan", LONG])
def test_counts_that_are_none(shell: Shell, flag: str, value: str) -> None:
    assert flag in shell.refused(*PLAN, flag, value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--percentile", "nan"], "percentile"),
        (["--percentile", "50"], "50<x<=99.9"),
        (["--percentile", "100"], "50<x<=99.9"),
        (["--chips", ","], "the list is empty"),
        (["--workload", "/no/such.yaml"], "cannot read workload file"),
        (["--workload", "/no/such.csv"], "cannot read trace"),
        (["--objective", "cost"], "unknown objective"),
        (["--verify"], "not there yet"),
        (["--models", "a,b"], "give one MODEL or --models, not both"),
        (["--compare", "/no/such.yaml"], "does not exist"),
        (["--catalog", "/no/such"], "does not exist"),
        (["--calibration", "/no/such"], "does not exist"),
        (["--report", "/"], "is a directory"),
        (["--report", "/no/such/folder/x.html"], "/no/such/folder/x.html"),
        (["--rate", "1e12"], "more than 100000 replicas"),
    ],
)
def test_bad_plans(shell: Shell, arguments: list[str], said: str) -> None:
    assert said in shell.refused(*PLAN, *arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give --rate or --concurrency"),
        (["--concurrency", "16", "--rate", "1"], "contradict"),
        (["--concurrency", "16", "--workload", "chat"], "contradict"),
        (["--concurrency", "16", "--n-chips", LONG], "--n-chips"),
        (["--concurrency", "16", "--tp", "3"], "does not divide"),
        (["--concurrency", "16", "--prefix-hit-rate", "1"], "0<=x<1"),
        (["--concurrency", "16", "--prefix-hit-rate", "nan"], "prefix hit rate"),
        (["--concurrency", "1e300"], "--concurrency"),
        (["--rate", "1e9"], "more than one replica can sustain"),
        (["--concurrency", "1", "--points", __file__, "--out", "x.csv"], "give MODEL or --points, not both"),
    ],
)
def test_bad_points(shell: Shell, arguments: list[str], said: str) -> None:
    assert said in shell.refused(*POINT, *arguments)


def test_flags_of_one_point_contradict_a_table(shell: Shell, tmp_path: Path) -> None:
    points = tmp_path / "p.csv"
    points.write_text("chip,model,engine,isl,osl\nh100-sxm,Qwen/Qwen3-8B,vllm,10,10\n")
    out = tmp_path / "out.csv"
    for flag, value in (("--chip", "h100"), ("--tp", "1"), ("--isl", "3"), ("--workload", "chat")):
        assert flag in shell.refused("predict", "--points", str(points), "--out", str(out), flag, value)
    assert "needs --out" in shell.refused("predict", "--points", str(points))
    assert not out.exists()


def test_nothing_is_written_when_the_question_is_wrong(shell: Shell, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    shell.refused(*PLAN, "--report", str(report), "--ttft", "1us")
    assert not report.exists()


def test_validate_refuses_what_it_cannot_score(shell: Shell, tmp_path: Path) -> None:
    points = tmp_path / "p.csv"
    points.write_text("chip,model,engine,isl,osl\nh100-sxm,Qwen/Qwen3-8B,vllm,ten,10\n")
    assert "line 2: isl = 'ten'" in shell.refused("validate", "--points", str(points))
    points.write_text("chip,model,engine,isl,osl\nh100-sxm,Qwen/Qwen3-8B,vllm,10,10\n")
    assert "cannot group by 'colour'" in shell.refused("validate", "--points", str(points), "--by", "colour")
    assert "the list is empty" in shell.refused("validate", "--points", str(points), "--by", ",")


@pytest.mark.parametrize("content", [b"", b"- a", b"\xff\xfe", b"chip: ["])
def test_broken_stack_files(shell: Shell, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "today.yaml"
    path.write_bytes(content)
    assert "today.yaml" in shell.refused(*PLAN, "--compare", str(path))


@pytest.mark.parametrize("content", [b"", b"version: 1", b"\xff\xfe", b"a: ["])
def test_broken_calibration_records(shell: Shell, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "record.yaml"
    path.write_bytes(content)
    assert "record.yaml" in shell.refused(*PLAN, "--calibration", str(path))


@pytest.mark.parametrize("content", [b"", b"id: x", b"\xff", b"["])
def test_broken_overlays(shell: Shell, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "x.yaml").write_bytes(content)
    assert "x.yaml" in shell.refused(*PLAN, "--catalog", str(tmp_path))


def test_a_bug_is_called_one(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from stackwright import api

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr(api, "plan", broken)
    status, out, err = shell(*PLAN)
    assert (status, out) == (1, "")
    assert err == "bug: ZeroDivisionError: one two (set STACKWRIGHT_DEBUG=1 for the traceback)\n"
    monkeypatch.setenv("STACKWRIGHT_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        shell(*PLAN)


def test_own_measurements(shell: Shell, tmp_path: Path) -> None:
    file, missing = tmp_path / "own.csv", tmp_path / "none.csv"
    file.write_text("chip,n_chips,model,engine,isl,osl\nh200-sxm,1,Qwen/Qwen3-8B,vllm,1024,256\n")
    point = [*POINT, "--concurrency", "16", "--own"]
    assert "does not exist" in shell.refused(*point, str(missing))
    assert "--own: none of 1 row corrects this: states neither" in shell.refused(*point, str(file))
    assert "--own: none of 1 row corrects this" in shell.refused(*PLAN, "--own", str(file))
    table = ["predict", "--points", str(file), "--out", str(tmp_path / "o.csv"), "--own", str(file)]
    assert "--own and --points contradict" in shell.refused(*table)
