"""Reads a Hugging Face config.json into a `Model`; an architecture it does not know is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from stackwright.errors import InputError, UnsupportedError
from stackwright.llm.architecture import Model
from stackwright.llm.families import FAMILIES
from stackwright.llm.fields import Config, whole
from stackwright.llm.precision import rule_format
from stackwright.llm.quantised import native_formats


def read_config(path: Path, name: str = "") -> Model:
    """The model of a config.json on disk (or of the directory that holds it), called by its folder or by `name`.

    A file of another name gives the model its own.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        config = json.loads(file.read_text())
    except OSError as error:
        raise InputError(f"{file}: cannot read ({error.strerror}); give a config.json or its folder") from None
    except ValueError as error:
        raise InputError(f"{file}: not valid JSON ({error})") from None
    if not isinstance(config, dict):
        raise InputError(f"{file}: expected a JSON object as in a Hugging Face config.json")
    own = file.parent.name if file.name == "config.json" else file.stem
    return parse_config(with_quantisation(config, file.with_name(QUANTISATION)), name=name or own or str(file))


QUANTISATION = "hf_quant_config.json"


def with_quantisation(config: Config, file: Path) -> Config:
    """The config with what ModelOpt writes into a file beside it, where the config itself states no quantisation."""
    if config.get("quantization_config") or not file.is_file():
        return config
    try:
        stated = json.loads(file.read_text()).get("quantization") or {}
    except (OSError, ValueError, AttributeError):
        raise InputError(f"{file}: not a readable quantisation file of ModelOpt; remove it or repair it") from None
    return {**config, "quantization_config": {"quant_method": "modelopt", **stated}}


def parse_config(config: Config, name: str) -> Model:
    """The model that a config.json describes: of a multimodal model its text part, and the note says so.

    `name` is used in messages and as the id. Raises `UnsupportedError` for architectures not covered, naming what is
    missing, and `InputError` for a missing or impossible field.
    """
    text = text_part(config)
    model_type = family_name(text)
    builder = FAMILIES.get(model_type)
    if builder is None:
        raise UnsupportedError(refusal(text, name, model_type))
    for key, families in _ONLY_IN.items():
        if text.get(key) and model_type not in families:
            raise UnsupportedError(
                f"{name}: {key} ({_CHANGES.get(key, 'sparse, chunked or linear attention')}) "
                f"is not covered in {model_type!r}"
            )
    model = builder({**text, "model_type": model_type}, name)
    modules = max(whole(text, key, name, 0) for key in PREDICTION_KEYS)
    native, formats = native_formats(text, model)
    ruled = all(form == rule_format(model, native, role) for _, role, form in formats)
    return replace(
        model,
        prediction_modules=modules,
        native_precision=native,
        formats=() if ruled else formats,
        note=TEXT_ONLY if text is not config or _multimodal(config) else "",
    )


TEXT_ONLY = "text part of a multimodal model: image tokens are not modelled"

PREDICTION_KEYS = ("num_nextn_predict_layers", "num_mtp_modules", "mtp_num_hidden_layers", "num_mtp_layers")
"""Fields that count multi-token-prediction modules (DeepSeek, GLM, Step, Nemotron; MiniMax; Qwen; MiMo)."""

_TEXT_PARTS = ("text_config", "llm_config", "language_config", "thinker_config")
_OUTER = ("quantization_config", "tie_word_embeddings", "expert_dtype")


def text_part(config: Config) -> Config:
    """The fields of the language model: of the nested part, with the quantisation that stands outside it."""
    for key in _TEXT_PARTS:
        nested = config.get(key)
        if isinstance(nested, dict):
            inner = text_part(nested)
            outer = {k: config[k] for k in _OUTER if config.get(k) is not None}
            model_type = inner.get("model_type") or config.get("model_type")
            return {**outer, **inner, "model_type": model_type}
    return config


def _multimodal(config: Config) -> bool:
    """Whether the class reads more than text: its name says so where the text part stands for the whole config."""
    return any(str(name).endswith("ForConditionalGeneration") for name in config.get("architectures") or ())


def family_name(config: Config) -> str:
    """`model_type` in lower case, or that of a known class where the field is absent."""
    given = str(config.get("model_type") or "").lower()
    classes = config.get("architectures") or [""]
    return given or _CLASSES.get(str(classes[0]), "")


_CLASSES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Qwen3MoeForCausalLM": "qwen3_moe",
    "DeepseekV3ForCausalLM": "deepseek_v3",
}

# Fields that change the layers: only the families that read them may carry them.
_ONLY_IN = {
    "index_topk": ("glm_moe_dsa", "deepseek_v32", "deepseek_v4", "deepseek_ref"),
    "attention_chunk_size": ("llama4", "llama4_text", "mimo_v2_flash"),
    "linear_num_value_heads": ("qwen3_5_moe", "qwen3_5_moe_text", "qwen3_5", "qwen3_5_text", "qwen3_next"),
    "linear_attn_config": ("kimi_linear",),
    "compress_ratios": ("deepseek_v4", "deepseek_ref"),
    "sparse_attention_config": ("minimax_m3", "minimax_m3_vl"),
    "hybrid_override_pattern": ("nemotron_h",),
    "layers_block_type": ("nemotron_h",),
    "block_configs": ("nemotron-nas",),
    "ssm_state_size": ("nemotron_h",),
    "num_kv_shared_layers": ("gemma4", "gemma4_text"),
    "hidden_size_per_layer_input": ("gemma4", "gemma4_text"),
    "moe_latent_size": ("nemotron_h",),
    "routed_expert_hidden_size": ("kimi_linear",),
}
_CHANGES = {
    "block_configs": "layers that differ one by one",
    "hybrid_override_pattern": "a pattern of mixers",
    "layers_block_type": "a pattern of mixers",
    "ssm_state_size": "state-space layers",
    "num_kv_shared_layers": "layers that share a cache",
    "hidden_size_per_layer_input": "embeddings per layer",
    "moe_latent_size": "experts in a latent space",
    "routed_expert_hidden_size": "experts in a latent space",
    "sparse_attention_config": "attention to picked blocks",
    "compress_ratios": "compressed attention",
}


def refusal(config: Config, name: str, model_type: str) -> str:
    """Why an architecture is not covered: the fields that say so, the nearest families, and all that are covered."""
    given = model_type or (config.get("architectures") or ["nothing"])[0]
    strange = [key for key in (*_ONLY_IN, *_MORE_SIGNS) if config.get(key)]
    told = f"; its fields {', '.join(strange)} decide layers that no reader is told of" if strange else ""
    near = get_close_matches(model_type, FAMILIES, n=3, cutoff=0.5) if model_type else []
    hint = f"; near: {', '.join(near)} (if the layers are the same, set model_type to it)" if near else ""
    return (
        f"{name}: architecture {given!r} is not covered yet{told}{hint}; "
        f"covered model_type: {', '.join(sorted(FAMILIES))}"
    )


_MORE_SIGNS = ("state_size", "mamba_d_state", "kv_lora_rank", "conv_kernel", "attn_layer_period", "num_experts",
               "n_routed_experts", "num_local_experts", "cross_attention_layers", "is_encoder_decoder")  # fmt: skip
