from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackwright import api
from stackwright.errors import InputError
from stackwright.performance import load_constants
from stackwright.performance.calibration import Calibration, Factor
from stackwright.performance.constants import prior_constants
from stackwright.serving.prediction import Prediction

HEADER = "chip,n_chips,model,engine,tp,isl,osl,concurrency,weight_precision,ttft_s,tpot_s"
MODEL = "Qwen/Qwen3-8B"
POINT: dict[str, Any] = {"chip": "h100-sxm", "engine": "vllm", "tp": 2, "isl": 1024, "osl": 256, "concurrency": 16}


def point(**changes: Any) -> Prediction:
    return api.predict(MODEL, **{**POINT, **changes})


def value(p: Prediction, name: str) -> float:
    return p.metrics[name].value


def width(p: Prediction, name: str) -> float:
    return p.metrics[name].high / p.metrics[name].low


def row(ttft: float, tpot: float, chip: str = "h100-sxm", users: int = 16, precision: str = "bf16") -> str:
    return f"{chip},2,{MODEL},vllm,2,1024,256,{users},{precision},{ttft},{tpot}"


@pytest.fixture
def table(tmp_path: Path) -> Any:
    def written(*rows: str) -> Path:
        file = tmp_path / "own.csv"
        file.write_text("\n".join([HEADER, *rows]) + "\n")
        return file

    return written


def slower(factor: float, users: int = 16) -> str:
    plain = point(concurrency=users)
    return row(factor * value(plain, "ttft_mean_s"), factor * value(plain, "tpot_mean_s"), users=users)


def test_without_points_nothing_changes() -> None:
    assert point(own=()).metrics == point().metrics


def test_a_point_that_agrees_moves_nothing_but_narrows(table: Any) -> None:
    found, plain = point(own=table(slower(1.0))), point()
    for name in plain.metrics:
        assert value(found, name) == pytest.approx(value(plain, name), rel=1e-5)
    for name in ("ttft_mean_s", "ttft_p95_s", "tpot_p95_s", "e2e_mean_s", "output_tokens_per_s_per_chip"):
        assert width(found, name) < 0.8 * width(plain, name)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_points_move_the_prediction_toward_them(table: Any, factor: float) -> None:
    plain, one = point(), point(own=table(slower(factor)))
    three = point(own=table(slower(factor), slower(factor), slower(factor)))
    for name in ("ttft_mean_s", "tpot_mean_s", "e2e_mean_s"):
        moved = [value(p, name) / value(plain, name) - 1.0 for p in (one, three)]
        assert 0.0 < moved[0] / (factor - 1.0) <= moved[1] / (factor - 1.0) + 1e-9 <= 1.0 + 1e-6
    assert any(n.startswith("corrected by 3 own points of vllm h100-sxm") for n in three.notes)


def test_identities_hold_after_correction(table: Any) -> None:
    file = table(row(0.1, 0.012), row(0.3, 0.02, users=64))
    p, plain = point(own=file), point()
    ttft, tpot, e2e = (value(p, f"{n}_mean_s") for n in ("ttft", "tpot", "e2e"))
    assert e2e == pytest.approx(ttft + 255 * tpot, rel=1e-6)
    assert sum(p.waits.values()) == pytest.approx(ttft)
    users = [value(v, "requests_per_s") * value(v, "e2e_mean_s") for v in (p, plain)]
    assert users[0] == pytest.approx(users[1])
    assert value(p, "output_tokens_per_s_per_chip") == pytest.approx(value(p, "requests_per_s") * 256 / 2)
    watts = value(p, "chip_joules_per_output_token") * value(p, "output_tokens_per_s_per_chip")
    assert watts == pytest.approx(value(p, "chip_watts"))


def test_an_open_loop_keeps_its_rate(table: Any) -> None:
    load = {"concurrency": None, "rate": 4.0}
    plain, found = point(**load), point(**load, own=table(slower(1.5), slower(1.5)))
    assert value(found, "requests_per_s") == pytest.approx(4.0)
    assert found.running_per_rank > plain.running_per_rank
    assert value(found, "tpot_mean_s") > value(plain, "tpot_mean_s")


def test_rows_of_other_cells_are_left_out(table: Any) -> None:
    here = table(slower(1.3))
    alone = point(own=here)
    mixed = point(own=table(slower(1.3), row(9, 9, chip="h200-sxm"), row(9, 9, precision="fp8"), row(1, 1, "nope")))
    assert mixed.metrics == alone.metrics
    assert "--own: 2 rows left out, another engine, chip, network, weight precision or draft" in mixed.notes
    assert any(n.startswith("--own: 1 row left out, unknown chip 'nope'") for n in mixed.notes)


def test_points_without_a_draft_say_nothing_of_one(table: Any) -> None:
    with pytest.raises(InputError, match="asked is vllm h100-sxm Qwen/Qwen3-8B bf16 ngram 3"):
        point(own=table(slower(1.3)), speculative="ngram", draft_tokens=3)


def test_a_measured_pair_is_the_floor(table: Any) -> None:
    wide, near = Factor(-0.5, 0.6, 50), Factor(-0.2, 0.3, 50)
    by = {"pair_seen": near, "pair_unseen": wide, "model_unseen": wide, "chip_unseen": wide, "unseen": wide}
    record = Calibration(1, "", "", 0, {}, {}, dict.fromkeys(("ttft", "tpot", "throughput"), by), 0.0)
    calibrated = replace(prior_constants(), calibration=record)
    plain = point(constants=calibrated)
    found = point(constants=calibrated, own=table(*[slower(1.0)] * 30))
    assert width(plain, "tpot_mean_s") == pytest.approx(2.718281828**1.1)
    assert width(found, "tpot_mean_s") == pytest.approx(2.718281828**0.5)
    assert 2.718281828**0.5 <= width(found, "ttft_p95_s") < 2.718281828**0.6


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(0.1, 0.01, chip="h200-sxm")], "they are of vllm h200-sxm Qwen/Qwen3-8B bf16, asked is vllm h100-sxm"),
        ([row(0.1, 0.01, chip="nope")], "none of 1 row corrects this: unknown chip 'nope'"),
        ([f"h100-sxm,2,{MODEL},vllm,2,1024,256,16,bf16,,"], "states neither TTFT nor TPOT"),
        ([row(0.1, 0.01)] * 51, "51 rows of vllm h100-sxm Qwen/Qwen3-8B bf16, at most 50"),
    ],
)
def test_refusals(table: Any, rows: list[str], said: str) -> None:
    with pytest.raises(InputError) as refused:
        point(own=table(*rows))
    assert said in str(refused.value)


def test_where_and_when_points_were_measured_does_not_count(table: Any, tmp_path: Path) -> None:
    """The point that was measured is predicted as measured, whatever benchmark and day its row names."""
    plain = slower(1.4)
    dated = tmp_path / "dated.csv"
    dated.write_text(f"{HEADER},source,date\n{plain},InferenceX,2025-11-03\n")
    a, b = point(own=table(plain)), point(own=dated)
    assert value(a, "ttft_mean_s") == pytest.approx(value(b, "ttft_mean_s"))


def test_pools_say_nothing_of_a_replica(table: Any, tmp_path: Path) -> None:
    pools = tmp_path / "pools.csv"
    pools.write_text(f"{HEADER},mode,prefill_workers,decode_workers\n{slower(1.4)},disaggregated,1,1\n")
    with pytest.raises(InputError, match="aggregated replicas"):
        point(own=pools)


def test_a_plan_is_corrected_where_it_was_measured(table: Any) -> None:
    small: dict[str, Any] = {"chips": ("h100-sxm", "l40s"), "clouds": ("aws",), "engines": ("vllm",), "per": "chip"}
    small["precisions"] = ("bf16",)
    plain, found = (api.plan(MODEL, own=own, **small) for own in ((), table(slower(2.0), slower(2.0, 64))))
    before, after = ({p.stack.chip.id: p.usd_per_mtok_output for p in a.plans} for a in (plain, found))
    assert after["h100-sxm"].value > 1.2 * before["h100-sxm"].value
    assert after["l40s"] == before["l40s"]
    assert "corrected by own points: 2 of vllm h100-sxm Qwen/Qwen3-8B bf16" in found.assumptions


def test_shipped_constants_carry_no_points() -> None:
    assert not load_constants().own
