"""Reads a Hugging Face config.json into a `Model`; an architecture it does not know is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from stackwright.errors import InputError, UnsupportedError
from stackwright.llm.architecture import Model
from stackwright.llm.families import FAMILIES
from stackwright.llm.fields import Config, whole


def read_config(path: Path) -> Model:
    """The model of a config.json on disk (or of the directory that holds it)."""
    file = path / "config.json" if path.is_dir() else path
    try:
        config = json.loads(file.read_text())
    except OSError as error:
        raise InputError(f"{file}: cannot read ({error.strerror}); give a config.json or its folder") from None
    except ValueError as error:
        raise InputError(f"{file}: not valid JSON ({error})") from None
    if not isinstance(config, dict):
        raise InputError(f"{file}: expected a JSON object as in a Hugging Face config.json")
    return parse_config(config, name=file.parent.name or str(file))


def parse_config(config: Config, name: str) -> Model:
    """The model that a config.json describes.

    `name` is used in messages and as the id. Raises `UnsupportedError` for architectures not covered yet and
    `InputError` for a missing or impossible field.
    """
    if isinstance(config.get("text_config"), dict):  # the text part of a multimodal model
        outer = {k: config[k] for k in ("quantization_config", "tie_word_embeddings") if k in config}
        config = {**outer, **config["text_config"]}
    model_type = str(config.get("model_type", "")).lower()
    builder = FAMILIES.get(model_type)
    if builder is None:
        given = model_type or (config.get("architectures") or ["nothing"])[0]
        raise UnsupportedError(
            f"{name}: architecture {given!r} is not covered yet; covered model_type: {', '.join(sorted(FAMILIES))}"
        )
    for key, families in _ONLY_IN.items():
        if config.get(key) and model_type not in families:
            raise UnsupportedError(
                f"{name}: {key} (sparse, chunked or linear attention) is not covered in {model_type!r}"
            )
    modules = max(whole(config, key, name, 0) for key in PREDICTION_KEYS)
    return replace(builder(config, name), prediction_modules=modules)


PREDICTION_KEYS = ("num_nextn_predict_layers", "num_mtp_modules", "mtp_num_hidden_layers")
"""Fields that count multi-token-prediction modules (DeepSeek and GLM; MiniMax; Qwen)."""

# Fields that change the attention: only the families that read them may carry them.
_ONLY_IN = {
    "index_topk": ("glm_moe_dsa",),
    "attention_chunk_size": ("llama4", "llama4_text"),
    "linear_num_value_heads": ("qwen3_5_moe", "qwen3_5_moe_text"),
}
