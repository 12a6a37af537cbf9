"""Model families: from the fields of a config.json to layers, one file per lineage."""

from __future__ import annotations

from collections.abc import Callable

from stackwright.llm.architecture import Model
from stackwright.llm.families.deepseek import deepseek_v3, deepseek_v4, deepseek_v32
from stackwright.llm.families.dense import dense, nemotron_nas, olmo2, ungated
from stackwright.llm.families.experts import glm4_moe, gpt_oss, llama4, minimax_m2, minimax_m3, moe
from stackwright.llm.families.hybrid import kimi_linear, nemotron_h, qwen3_5, qwen3_5_moe
from stackwright.llm.families.windows import gemma, gemma4, mimo_v2, step3
from stackwright.llm.fields import Config

__all__ = ["FAMILIES"]

FAMILIES: dict[str, Callable[[Config, str], Model]] = {
    "llama": dense,
    "mistral": dense,
    "ministral3": dense,
    "qwen2": dense,
    "qwen3": dense,
    "qwen3_vl_text": dense,
    "mimo": dense,
    "phi3": dense,
    "smollm3": dense,
    "granite": dense,
    "olmo2": olmo2,
    "olmo3": olmo2,
    "nemotron-nas": nemotron_nas,
    "gptj": ungated,
    "falcon": ungated,
    "mixtral": moe,
    "qwen2_moe": moe,
    "qwen3_moe": moe,
    "qwen3_vl_moe_text": moe,
    "glm4_moe": glm4_moe,
    "gpt_oss": gpt_oss,
    "minimax_m2": minimax_m2,
    "minimax_m3": minimax_m3,
    "minimax_m3_vl": minimax_m3,
    "llama4": llama4,
    "llama4_text": llama4,
    "deepseek_v2": deepseek_v3,
    "deepseek_v3": deepseek_v3,
    "kimi_k2": deepseek_v3,
    "deepseek_v32": deepseek_v32,
    "glm_moe_dsa": deepseek_v32,
    "deepseek_v4": deepseek_v4,
    "deepseek_ref": deepseek_v4,
    "qwen3_next": qwen3_5_moe,
    "qwen3_5_moe": qwen3_5_moe,
    "qwen3_5_moe_text": qwen3_5_moe,
    "qwen3_5": qwen3_5,
    "qwen3_5_text": qwen3_5,
    "kimi_linear": kimi_linear,
    "nemotron_h": nemotron_h,
    "gemma2": gemma,
    "gemma3": gemma,
    "gemma3_text": gemma,
    "gemma4": gemma4,
    "gemma4_text": gemma4,
    "mimo_v2_flash": mimo_v2,
    "step3p5": step3,
    "step3p7": step3,
}
"""`model_type` of the config.json (of its text part, for a multimodal model) and who reads it."""
