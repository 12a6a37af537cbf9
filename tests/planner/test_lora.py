"""LoRA adapters beside the model of a plan: memory, rejections, launch."""

from __future__ import annotations

import pytest

from stackwright import api
from stackwright.deploy import flag_problems
from stackwright.errors import InputError, UnsupportedError
from stackwright.planner import Answer

MODEL = "meta-llama/Llama-3.1-8B-Instruct"


def ask(**options: object) -> Answer:
    asked = {"rate": 5.0, "ttft": 1.0, "tpot": 0.05, "chips": ("h100-sxm",), "engines": ("vllm",), **options}
    return api.plan(MODEL, **asked)  # type: ignore[arg-type]


def test_adapters_cost_time_and_are_named_in_the_assumptions() -> None:
    plain, many = ask(), ask(lora_adapters=64, lora_rank=64)
    assert many.plans[0].metrics["tpot_mean_s"].value > plain.plans[0].metrics["tpot_mean_s"].value
    assert any("64 LoRA adapters of rank 64" in line for line in many.assumptions)
    assert not any("LoRA" in line for line in plain.assumptions)


def test_engines_without_adapters_are_left_out_with_that_reason() -> None:
    answer = ask(engines=("vllm", "llama.cpp"), lora_adapters=2, lora_rank=8)
    assert {r.engine for r in answer.rejected if r.kind == "engine serves no adapters on the chip"} == {"llama.cpp"}
    assert {p.stack.engine.id for p in answer.plans} == {"vllm"}


def test_the_launch_command_makes_room_for_them() -> None:
    """vLLM takes only some ranks: 24 needs room for 32."""
    answer = ask(lora_adapters=3, lora_rank=24)
    command = api.launch_of(answer.plans[0], answer.question.workload)
    argv = list(command.argv)  # type: ignore[union-attr]
    assert argv[argv.index("--max-lora-rank") + 1] == "32"
    assert argv[argv.index("--max-loras") + 1] == "3"
    assert flag_problems("vllm", argv) == []


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="belong to --lora-adapters"):
        ask(lora_rank=8)
    with pytest.raises(InputError, match="from 1 to 512"):
        ask(lora_adapters=1, lora_rank=1024)
    with pytest.raises(UnsupportedError, match="LoRA on linear layers"):
        api.plan("Qwen/Qwen3.5-397B-A17B", rate=5.0, lora_adapters=1, lora_rank=8)


def test_no_drafts_beside_adapters() -> None:
    """vLLM's table of features (docs/features/README.md) rules the pair out."""
    answer = api.plan("deepseek-ai/DeepSeek-V3", rate=2.0, ttft=3.0, tpot=0.05, chips=("h200-sxm",), engines=("vllm",),
                      lora_adapters=2, lora_rank=8, per="stack", top=50)  # fmt: skip
    assert answer.plans
    assert all(p.stack.speculation is None for p in answer.plans)
    with pytest.raises(UnsupportedError, match="beside speculative decoding"):
        api.predict("deepseek-ai/DeepSeek-V3", chip="h200-sxm", n_chips=8, engine="vllm", isl=512, osl=128,
                    concurrency=8, speculative="mtp", draft_tokens=1, lora_adapters=2, lora_rank=8)  # fmt: skip


def test_the_telling_reason_comes_first() -> None:
    """Not that other engines do not run there, but what the one that does lacks."""
    with pytest.raises(InputError, match=r"no stack can run openai/gpt-oss-120b: .*mxfp4"):
        api.plan("openai/gpt-oss-120b", rate=2.0, chips=("tpu-8i",))
