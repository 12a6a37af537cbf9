from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stackwright import api
from stackwright.errors import InputError
from stackwright.planner import Answer, Plan
from tests.planner.questions import MODEL, SMALL, ask


def written(tmp_path: Path, **body: object) -> Path:
    path = tmp_path / "today.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


def compared(path: Path, **changes: object) -> Answer:
    return api.plan(MODEL, compare=path, **{**SMALL, "rate": 20.0, **changes})  # type: ignore[arg-type]


def as_yaml(p: Plan) -> dict[str, object]:
    layout, offer, price = p.stack.layout, p.stack.offer, p.stack.price
    assert offer is not None
    assert price is not None
    sizes = {k: getattr(layout, k) for k in ("tp", "pp", "ep", "attention_dp", "weight_precision", "kv_precision")}
    return {
        "chip": p.stack.chip.id, "engine": p.stack.engine.id, "replicas": p.replicas, "offer": offer.id,
        "contract": price.contract, "region": p.stack.region, **sizes,
    }  # fmt: skip


@pytest.mark.parametrize("load", [{"rate": 20.0}, {"rate": None, "concurrency": 40.0}])
def test_the_stack_of_plan_one_is_plan_one(tmp_path: Path, load: dict[str, float]) -> None:
    best = ask(**{k: v for k, v in load.items() if v}).plans[0]
    today = compared(written(tmp_path, **as_yaml(best)), **load).comparison
    assert today is not None
    assert today.usd_per_hour == pytest.approx(best.usd_per_hour)
    assert (today.n_chips, today.units, today.replicas) == (best.n_chips, best.units, best.replicas)
    assert today.usd_per_mtok_output is not None
    assert best.usd_per_mtok_output is not None
    assert today.usd_per_mtok_output.value == pytest.approx(best.usd_per_mtok_output.value)
    assert today.p_meets_slo == pytest.approx(best.p_meets_slo)
    assert today.facility_watts == pytest.approx(best.facility_watts)


def test_an_own_price_is_taken_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, chip="h100-sxm", engine="vllm", tp=2, replicas=3, usd_per_hour=12.5)
    answer = compared(path)
    today = answer.comparison
    assert today is not None
    assert today.usd_per_hour == pytest.approx(12.5)
    assert today.n_chips == 6
    assert any("12.50 ->" in line for line in answer.comparison_changes)


def test_without_a_price_nothing_is_said_of_money(tmp_path: Path) -> None:
    answer = compared(written(tmp_path, chip="h100-sxm", engine="vllm"))
    assert answer.comparison is not None
    assert answer.comparison.usd_per_hour is None
    assert not any("USD" in line for line in answer.comparison_changes)


def test_a_stack_that_cannot_carry_the_rate_says_what_it_carries(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 replicas sustain [\d.]+ requests/s, not the 300 asked"):
        compared(written(tmp_path, chip="l40s", engine="vllm", usd_per_hour=2), rate=300.0)


def test_a_stack_that_breaks_the_promise_is_shown_as_such(tmp_path: Path) -> None:
    path = written(tmp_path, chip="l40s", engine="vllm", usd_per_hour=2)
    today = compared(path, rate=None, concurrency=200.0).comparison
    assert today is not None
    assert today.p_meets_slo < 0.01
    assert not today.meets_slo


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"engine": "vllm"}, "lacks 'chip'"),
        ({"chip": "h100-sxm"}, "lacks 'engine'"),
        ({"chip": "h1000", "engine": "vllm"}, "unknown chip 'h1000'"),
        ({"chip": "h100-sxm", "engine": "vlm"}, "did you mean 'vllm'"),
        ({"chip": "h100-sxm", "engine": "vllm", "tp": 3}, "does not divide"),
        ({"chip": "h100-sxm", "engine": "vllm", "tp": True}, "tp = True"),
        ({"chip": "h100-sxm", "engine": "vllm", "replicas": 0}, "replicas = 0"),
        ({"chip": "h100-sxm", "engine": "vllm", "replicas": 10**30}, "replicas = 1000"),
        ({"chip": "h100-sxm", "engine": "vllm", "usd_per_hour": float("nan")}, "usd_per_hour = nan"),
        ({"chip": "h100-sxm", "engine": "vllm", "usd_per_hour": -1}, "usd_per_hour = -1"),
        ({"chip": "h100-sxm", "engine": "vllm", "colour": 1}, "unknown key 'colour'"),
        ({"chip": "h100-sxm", "engine": "vllm", 1: 2}, "unknown key '1'"),
        ({"chip": "h100-sxm", "engine": "vllm", "offer": "aws/nope"}, "no on_demand price of offer 'aws/nope'"),
        ({"chip": "h100-sxm", "engine": "vllm", "region": "us-east-1"}, "region belongs to an offer"),
        ({"chip": "h100-sxm", "engine": "vllm", "weight_precision": "fp7"}, "no fp7 weights"),
    ],
)
def test_a_broken_stack_is_refused(tmp_path: Path, body: dict[object, object], said: str) -> None:
    with pytest.raises(InputError) as refused:
        compared(_raw(tmp_path, yaml.safe_dump(body).encode()))
    assert said in str(refused.value)


def _raw(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "today.yaml"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [b"", b"- a\n", b"chip: [\n", b"\xff\xfe\x00", b"42"])
def test_a_file_that_holds_no_stack_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"today\.yaml"):
        compared(_raw(tmp_path, content))
