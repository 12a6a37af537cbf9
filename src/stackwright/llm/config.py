"""Reads a Hugging Face config.json into a `Model`; an architecture it does not know is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stackwright.errors import InputError, UnsupportedError
from stackwright.llm.architecture import Attention, Experts, FeedForward, Matrix, Model

Config = Mapping[str, Any]


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
    model_type = str(config.get("model_type", "")).lower()
    builder = _BUILDERS.get(model_type)
    if builder is None:
        given = model_type or (config.get("architectures") or ["nothing"])[0]
        raise UnsupportedError(
            f"{name}: architecture {given!r} is not covered yet; covered model_type: {', '.join(sorted(_BUILDERS))}"
        )
    for unsupported in ("index_topk", "attention_chunk_size", "linear_num_value_heads"):
        if config.get(unsupported):
            raise UnsupportedError(f"{name}: {unsupported} (sparse, chunked or linear attention) is not covered yet")
    return builder(config, name)


def _number(config: Config, key: str, name: str, default: Any = None) -> int:
    value = config.get(key)
    if value is None:  # absent or null: both mean the default
        value = default
    if value is None:
        raise InputError(f"{name}: config.json lacks {key!r}")
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != int(value):
        raise InputError(f"{name}: config.json has {key} = {value!r}; expected a whole number >= 0")
    return int(value)


def _positive(config: Config, key: str, name: str, default: Any = None) -> int:
    value = _number(config, key, name, default)
    if value == 0:
        raise InputError(f"{name}: config.json has {key} = 0; expected a positive number")
    return value


def _gqa(config: Config, name: str, *, layers: int, window: int | None, label: str) -> Attention:
    """Grouped-query attention: cache 2 G d per token; QK^T and PV cost 4 H d FLOP per pair."""
    h, heads = _positive(config, "hidden_size", name), _positive(config, "num_attention_heads", name)
    kv_heads = _positive(config, "num_key_value_heads", name, heads)
    if heads % kv_heads:
        raise InputError(f"{name}: {heads} attention heads do not divide into {kv_heads} key-value heads")
    d = _positive(config, "head_dim", name, h // heads)
    bias = bool(config.get("attention_bias", False))
    qkv_bias = bias or config.get("model_type") == "qwen2"
    qk_norm = 2.0 * d if config.get("model_type") in ("qwen3", "qwen3_moe") else 0.0
    sinks = float(heads) if config.get("model_type") == "gpt_oss" else 0.0
    rows = h + 1 if qkv_bias else h
    out = float(heads * d * h) + (h if bias else 0)
    matrices = (
        Matrix("q_proj", "attention_in", float(rows * d * heads), "tensor"),
        Matrix("kv_proj", "attention_in", float(rows * d * 2 * kv_heads), "kv_heads"),
        Matrix("o_proj", "attention_out", out, "tensor"),
        Matrix("qk_norm_and_sinks", "norm", qk_norm + sinks, "replicated"),
    )
    return Attention(
        name=label,
        kind="gqa",
        layers=layers,
        matrices=matrices,
        kv_elements=2.0 * kv_heads * d,
        kv_heads=kv_heads,
        heads=heads,
        prefill_flops_per_pair=4.0 * heads * d,
        decode_flops_per_pair=4.0 * heads * d,
        window=window,
    )


def _mla(config: Config, name: str, *, layers: int) -> Attention:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1).

    Cache r + p per token (latent plus rotary key); prefill expands keys and values (2 H (n + p + v) FLOP per
    pair), decode stays in the latent space (2 H (2 r + p)). Down-projections are replicated over tensor
    parallel ranks.
    """
    h, heads = _positive(config, "hidden_size", name), _positive(config, "num_attention_heads", name)
    r, q = _positive(config, "kv_lora_rank", name), _number(config, "q_lora_rank", name, 0)
    n, p = _positive(config, "qk_nope_head_dim", name), _positive(config, "qk_rope_head_dim", name)
    v = _positive(config, "v_head_dim", name)
    query_in = q if q else h
    matrices = (
        Matrix("q_a_proj", "attention_in", float(h * q), "replicated"),
        Matrix("kv_a_proj", "attention_in", float(h * (r + p)), "replicated"),
        Matrix("q_b_proj", "attention_in", float(query_in * heads * (n + p)), "tensor"),
        Matrix("kv_b_proj", "attention_in", float(r * heads * (n + v)), "tensor"),
        Matrix("o_proj", "attention_out", float(heads * v * h), "tensor"),
        Matrix("latent_norms", "norm", float(q + r), "replicated"),
    )
    return Attention(
        name="mla",
        kind="mla",
        layers=layers,
        matrices=matrices,
        kv_elements=float(r + p),
        kv_heads=1,
        heads=heads,
        prefill_flops_per_pair=2.0 * heads * (n + p + v),
        decode_flops_per_pair=2.0 * heads * (2 * r + p),
    )


def _gated(h: int, intermediate: int, layers: int, *, bias: bool = False) -> FeedForward:
    """Gated feed-forward: gate, up and down, 3 h f parameters (plus 2 f + h with biases)."""
    size = float(h * intermediate)
    matrices = (
        Matrix("gate_proj", "ffn", size + (intermediate if bias else 0), "expert"),
        Matrix("up_proj", "ffn", size + (intermediate if bias else 0), "expert"),
        Matrix("down_proj", "ffn", size + (h if bias else 0), "expert"),
    )
    return FeedForward("dense_ffn", layers, matrices)


def _assemble(
    config: Config,
    name: str,
    attentions: tuple[Attention, ...],
    ffs: tuple[FeedForward, ...],
    experts: tuple[Experts, ...],
) -> Model:
    h, layers = _positive(config, "hidden_size", name), _positive(config, "num_hidden_layers", name)
    return Model(
        id=name,
        hidden=h,
        vocabulary=_positive(config, "vocab_size", name),
        layers=layers,
        attentions=tuple(a for a in attentions if a.layers),
        feed_forwards=tuple(f for f in ffs if f.layers),
        experts=tuple(e for e in experts if e.layers),
        norm_parameters=float(h * (2 * layers + 1)),
        tied_embeddings=bool(config.get("tie_word_embeddings", False)),
        max_context=_positive(config, "max_position_embeddings", name),
        native_precision=_native_precision(config.get("quantization_config") or {}),
        family="moe" if any(e.layers for e in experts) else "dense",
    )


def _native_precision(quantization: Config) -> str:
    """The weight format that the checkpoint itself states; `bf16` when it states none that is known here."""
    method = str(quantization.get("quant_method", "")).lower()
    if method != "compressed-tensors":
        known = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "mxfp4", "gptq": "int4", "awq": "int4"}
        return known.get(method, "bf16") if quantization.get("bits", 4) == 4 else "int8"
    group: Config = next(iter((quantization.get("config_groups") or {}).values()), {})
    weights = group.get("weights") or {}
    bits, kind = weights.get("num_bits", 4), weights.get("type", "int")
    return {(8, "float"): "fp8", (8, "int"): "int8", (4, "float"): "nvfp4"}.get((bits, kind), "int4")


def _attention_layers(config: Config, name: str) -> tuple[Attention, ...]:
    """Full and sliding-window attention layers, as the model classes of Hugging Face transformers place them.

    `layer_types` decides where it is given. Otherwise Mistral and Mixtral slide in every layer when
    `sliding_window` is set; Qwen only with `use_sliding_window`, from layer `max_window_layers` on; Llama
    never.
    """
    layers, kinds = _positive(config, "num_hidden_layers", name), config.get("layer_types")
    family = str(config.get("model_type", "")).lower()
    window = config.get("sliding_window") or None
    if family == "llama" or (family.startswith("qwen") and not config.get("use_sliding_window", False)):
        window = None
    if kinds is not None and len(kinds) != layers:
        raise InputError(f"{name}: layer_types lists {len(kinds)} layers, num_hidden_layers says {layers}")
    if window is None:
        sliding = 0
    elif kinds is not None:
        sliding = sum(k == "sliding_attention" for k in kinds)
    elif family.startswith("qwen"):
        sliding = layers - min(layers, _number(config, "max_window_layers", name, layers))
    else:
        sliding = layers
    if sliding in (0, layers):
        return (_gqa(config, name, layers=layers, window=window if sliding else None, label="attention"),)
    return (
        _gqa(config, name, layers=layers - sliding, window=None, label="full_attention"),
        _gqa(config, name, layers=sliding, window=window, label="sliding_attention"),
    )


def _dense(config: Config, name: str) -> Model:
    """Llama, Mistral, Qwen2, Qwen3: grouped-query attention and a gated feed-forward in every layer."""
    h, layers = _positive(config, "hidden_size", name), _positive(config, "num_hidden_layers", name)
    bias = bool(config.get("mlp_bias", False))
    ff = _gated(h, _positive(config, "intermediate_size", name), layers, bias=bias)
    return _assemble(config, name, _attention_layers(config, name), (ff,), ())


def _moe(config: Config, name: str) -> Model:
    """Mixtral and Qwen3-MoE: grouped-query attention, routed experts in every layer."""
    h, layers = _positive(config, "hidden_size", name), _positive(config, "num_hidden_layers", name)
    n_experts = _positive(config, "num_experts" if "num_experts" in config else "num_local_experts", name)
    f = _positive(config, "moe_intermediate_size", name, config.get("intermediate_size"))
    if int(config.get("decoder_sparse_step", 1) or 1) != 1 or config.get("mlp_only_layers"):
        raise UnsupportedError(f"{name}: mixed dense and expert layers (decoder_sparse_step) are not covered yet")
    experts = Experts(
        "experts", layers, n_experts, _top_k(config, name, n_experts), 3.0 * h * f, 0.0, float(h * n_experts)
    )
    return _assemble(config, name, _attention_layers(config, name), (), (experts,))


def _deepseek_v3(config: Config, name: str) -> Model:
    """DeepSeek-V3, R1, Kimi K2: MLA, `first_k_dense_replace` dense layers, then routed and shared experts."""
    h, layers = _positive(config, "hidden_size", name), _positive(config, "num_hidden_layers", name)
    dense = _number(config, "first_k_dense_replace", name, 0)
    n_experts, f = (
        _positive(config, "n_routed_experts", name),
        _positive(config, "moe_intermediate_size", name),
    )
    shared = _number(config, "n_shared_experts", name, 0)
    if _number(config, "moe_layer_freq", name, 1) != 1:
        raise UnsupportedError(f"{name}: mixed dense and expert layers (moe_layer_freq) are not covered yet")
    if dense > layers:
        raise InputError(f"{name}: first_k_dense_replace = {dense} exceeds the {layers} layers")
    correction = n_experts if config.get("topk_method") == "noaux_tc" else 0
    experts = Experts(
        "experts",
        layers - dense,
        n_experts,
        _top_k(config, name, n_experts),
        3.0 * h * f,
        3.0 * h * f * shared,
        float(h * n_experts + correction),
    )
    ff = _gated(h, _positive(config, "intermediate_size", name), dense)
    return _assemble(config, name, (_mla(config, name, layers=layers),), (ff,), (experts,))


def _gpt_oss(config: Config, name: str) -> Model:
    """gpt-oss: alternating full and sliding-window attention with sinks; experts with biases throughout."""
    h, layers = _positive(config, "hidden_size", name), _positive(config, "num_hidden_layers", name)
    kinds = config.get("layer_types") or ["sliding_attention", "full_attention"] * (layers // 2)
    if len(kinds) != layers:
        raise InputError(f"{name}: layer_types lists {len(kinds)} layers, num_hidden_layers says {layers}")
    sliding = sum(k == "sliding_attention" for k in kinds)
    window = _positive(config, "sliding_window", name)
    n_experts, f = _positive(config, "num_local_experts", name), _positive(config, "intermediate_size", name)
    experts = Experts(
        "experts",
        layers,
        n_experts,
        _top_k(config, name, n_experts),
        3.0 * h * f + 2 * f + h,
        0.0,
        float(h * n_experts + n_experts),
    )
    attentions = (
        _gqa(config, name, layers=layers - sliding, window=None, label="full_attention"),
        _gqa(config, name, layers=sliding, window=window, label="sliding_attention"),
    )
    return _assemble(config, name, attentions, (), (experts,))


def _top_k(config: Config, name: str, n_experts: int) -> int:
    k = _positive(config, "num_experts_per_tok", name, config.get("experts_per_token"))
    if k > n_experts:
        raise InputError(f"{name}: num_experts_per_tok = {k} exceeds the {n_experts} experts")
    return k


_BUILDERS: dict[str, Callable[[Config, str], Model]] = {
    "llama": _dense,
    "mistral": _dense,
    "qwen2": _dense,
    "qwen3": _dense,
    "mixtral": _moe,
    "qwen3_moe": _moe,
    "deepseek_v3": _deepseek_v3,
    "kimi_k2": _deepseek_v3,
    "gpt_oss": _gpt_oss,
}
