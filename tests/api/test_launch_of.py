"""Launch settings of a plan: machines as they are sold, sequences as the engine's scheduler takes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackwright import api
from stackwright.api.documents import machine_chips, plan_entry, question_document
from stackwright.catalog import load_catalog
from stackwright.planner import Stack

CATALOG = load_catalog()


@pytest.mark.parametrize(
    ("offer_id", "chips"),
    [
        ("verda/b300-hgx", 8),  # sold by the chip, in machines of up to 8
        ("hotaisle/vm-mi300x", 4),
        ("spheron/b200-hgx", 1),
        ("aws/p5.48xlarge", 8),
        ("oci/bm.gpu.gb300.4", 4),
    ],
)
def test_chips_of_one_machine(offer_id: str, chips: int) -> None:
    offer = CATALOG.offers[offer_id]
    assert machine_chips(_stack(offer.chip, offer)) == chips


def test_a_rack_is_launched_tray_by_tray() -> None:
    assert machine_chips(_stack("gb200", None)) == 4  # 72 GPUs in 18 compute trays


def _stack(chip: str, offer: object) -> Stack:
    found = api.plan("Qwen/Qwen3-8B", chips=("h100-sxm",), clouds=("aws",), engines=("vllm",)).plans[0].stack
    units = getattr(offer, "chips", 72)
    return replace(found, chip=CATALOG.chip(chip), offer=offer, system=CATALOG.system_for(chip, units))  # type: ignore[arg-type]


def test_no_more_sequences_than_the_scheduler_takes() -> None:
    limit = CATALOG.engine("llama.cpp").scheduler.max_sequences
    answer = api.plan("Qwen/Qwen3-8B", chips=("h100-sxm",), engines=("llama.cpp",), ttft=10.0, tpot=0.2, per="stack")
    assert max(p.max_num_seqs for p in answer.plans) == limit


def test_slots_of_the_longest_request_fit_beside_the_weights() -> None:
    answer = api.plan("Qwen/Qwen3-8B", have=("rtx-4090",), clouds=("at-hand",), engines=("llama.cpp",))
    launch = plan_entry(answer.plans[0], answer.question)["launch"]["command"]
    tokens = int(launch.split("--ctx-size ")[1].split()[0])
    cache_per_token = 2 * 36 * 8 * 128 * 2  # K and V, layers, heads, head size, bytes
    assert 4.6e9 < 24e9 - tokens * cache_per_token < 14e9  # room for 8.2e9 weights at 4.5 bits, little left over


def test_money_of_one_user_spreads_as_the_speed_does() -> None:
    answer = api.plan("Qwen/Qwen3-8B", have=("rtx-4090",), chips=("l4",), clouds=("aws",), engines=("llama.cpp",))
    first = answer.plans[0]
    cost, rate = first.usd_per_mtok_output, first.metrics["requests_per_s"]
    assert cost is not None
    assert first.stack.offer is not None
    assert cost.high / cost.value >= rate.value / rate.low * 0.999
    assert cost.low / cost.value <= rate.value / rate.high * 1.001


def test_the_question_says_every_restriction_on_stacks() -> None:
    answer = api.plan(
        "Qwen/Qwen3-8B",
        chips=("h100-sxm",),
        clouds=("aws",),
        ways=("aggregated",),
        kv_precision="fp8",
        mixed_pools=True,
    )
    q = question_document(answer.question)
    assert (q["ways"], q["kv_precision"], q["mixed_pools"]) == (["aggregated"], "fp8", True)
