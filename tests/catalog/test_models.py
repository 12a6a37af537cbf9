"""The open models of 2026: each hub id is one entry or one of its checkpoints, and some engine runs it."""

from __future__ import annotations

import pytest

from stackwright.catalog import Catalog, load_catalog
from stackwright.performance.models import model_of

HUB_IDS = """\
deepseek-ai/DeepSeek-R1
deepseek-ai/DeepSeek-V3
deepseek-ai/DeepSeek-V3.2
deepseek-ai/DeepSeek-V4-Flash
deepseek-ai/DeepSeek-V4-Pro
google/gemma-3-27b-it
google/gemma-4-26B-A4B
HuggingFaceTB/SmolLM2-1.7B
HuggingFaceTB/SmolLM2-135M
HuggingFaceTB/SmolLM3-3B
meta-llama/Llama-4-Maverick-17B-128E-Instruct
meta-llama/Llama-4-Scout-17B-16E-Instruct
meta-llama/Meta-Llama-3.1-405B
meta-llama/Meta-Llama-3.1-70B
meta-llama/Meta-Llama-3.1-8B
microsoft/phi-4
MiniMaxAI/MiniMax-M2
MiniMaxAI/MiniMax-M2.5
MiniMaxAI/MiniMax-M2.7
MiniMaxAI/MiniMax-M3
mistralai/Mixtral-8x22B-v0.1
mistralai/Mixtral-8x7B-v0.1
moonshotai/Kimi-K2-Instruct
moonshotai/Kimi-K2.5
moonshotai/Kimi-K3
nvidia/DeepSeek-V3.1-NVFP4
nvidia/DeepSeek-V3.2-NVFP4
nvidia/DeepSeek-V4-Flash-NVFP4
nvidia/DeepSeek-V4-Pro-NVFP4
nvidia/Gemma-4-26B-A4B-NVFP4
nvidia/Gemma-4-31B-IT-NVFP4
nvidia/GLM-5-NVFP4
nvidia/GLM-5.1-NVFP4
nvidia/GLM-5.2-NVFP4
nvidia/GLM-5.3-NVFP4
nvidia/Kimi-K2.5-NVFP4
nvidia/Kimi-K2.6-NVFP4
nvidia/Kimi-K2.7-Code-NVFP4
nvidia/Llama-3.1-70B-Instruct-FP8
nvidia/Llama-3_3-Nemotron-Super-49B-v1
nvidia/MiniMax-M2.5-NVFP4
nvidia/MiniMax-M2.7-NVFP4
nvidia/MiniMax-M3-NVFP4
nvidia/Nemotron-H-56B-Base-8K
nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16
nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4
nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8
nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4
nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16
nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-FP8
nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-NVFP4
nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4
nvidia/Qwen3-235B-A22B-NVFP4
nvidia/Qwen3.5-122B-A10B-NVFP4
nvidia/Qwen3.5-397B-A17B-NVFP4
nvidia/Qwen3.6-27B-NVFP4
nvidia/Qwen3.6-35B-A3B-NVFP4
openai/gpt-oss-120b
openai/gpt-oss-20b
Qwen/Qwen3-0.6B
Qwen/Qwen3-1.7B
Qwen/Qwen3-14B
Qwen/Qwen3-235B-A22B
Qwen/Qwen3-235B-A22B-FP8
Qwen/Qwen3-30B-A3B
Qwen/Qwen3-30B-A3B-FP8
Qwen/Qwen3-32B
Qwen/Qwen3-32B-FP8
Qwen/Qwen3-32B-FP8-Static-PerTensor
Qwen/Qwen3-4B
Qwen/Qwen3-8B
Qwen/Qwen3-Coder-480B-A35B-Instruct
Qwen/Qwen3-Next-80B-A3B-Instruct
Qwen/Qwen3-VL-235B-A22B-Instruct
Qwen/Qwen3-VL-2B-Instruct
Qwen/Qwen3-VL-30B-A3B-Instruct
Qwen/Qwen3-VL-32B-Instruct
Qwen/Qwen3-VL-32B-Thinking
Qwen/Qwen3-VL-4B-Instruct
Qwen/Qwen3-VL-8B-Instruct
Qwen/Qwen3.5-122B-A10B
Qwen/Qwen3.5-27B
Qwen/Qwen3.5-35B-A3B
Qwen/Qwen3.5-397B-A17B
sgl-project/DeepSeek-V4-Flash-FP8
sgl-project/DeepSeek-V4-Pro-FP8
stepfun-ai/Step-3.7-Flash
stepfun-ai/Step-3.7-Flash-FP8
XiaomiMiMo/MiMo-7B-Base
XiaomiMiMo/MiMo-V2-Flash
zai-org/GLM-4.5
zai-org/GLM-4.6
zai-org/GLM-5
zai-org/GLM-5-FP8
zai-org/GLM-5.1
zai-org/GLM-5.1-FP8
zai-org/GLM-5.2
zai-org/GLM-5.2-FP8
zai-org/GLM-5.3
zai-org/GLM-5.3-FP8
""".splitlines()


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def test_a_hundred_hub_ids() -> None:
    assert len(set(HUB_IDS)) == 100


@pytest.mark.parametrize("hub_id", HUB_IDS)
def test_a_hub_id_is_an_entry_an_alias_or_a_checkpoint(catalog: Catalog, hub_id: str) -> None:
    entry = catalog.model(hub_id)
    assert hub_id in {entry.id, *entry.aliases, *(c.hub_id for c in entry.checkpoints)}


def test_every_checkpoint_runs_on_some_engine_and_chip(catalog: Catalog) -> None:
    for entry in catalog.models.values():
        traits = model_of(entry).traits
        runs = {
            str(precision)
            for engine in catalog.engines.values()
            for s in engine.supports
            if traits <= set(s.architectures or engine.architectures)
            for precision in s.weights
        }
        assert {str(c.precision) for c in entry.checkpoints} <= runs, entry.id


def test_formats_name_roles_and_hold_their_precision(catalog: Catalog) -> None:
    roles = {"attention_in", "attention_out", "ffn", "expert", "shared_expert"}
    for entry in catalog.models.values():
        for c in entry.checkpoints:
            assert set(c.formats) <= roles
            assert not c.formats or c.precision in c.formats.values(), c.hub_id
