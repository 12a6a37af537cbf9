"""Model families: from the fields of a config.json to layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from stackwright.errors import InputError, UnsupportedError
from stackwright.llm.architecture import Attention, Experts, FeedForward, Matrix, Model
from stackwright.llm.attention_kinds import gated_delta, gqa, mla, sparse_mla
from stackwright.llm.fields import Config, positive, whole


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
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    return Model(
        id=name,
        hidden=h,
        vocabulary=positive(config, "vocab_size", name),
        layers=layers,
        attentions=tuple(a for a in attentions if a.layers),
        feed_forwards=tuple(f for f in ffs if f.layers),
        experts=tuple(e for e in experts if e.layers),
        norm_parameters=float(h * (2 * layers + 1)),
        tied_embeddings=bool(config.get("tie_word_embeddings", False)),
        max_context=positive(config, "max_position_embeddings", name),
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
    layers, kinds = positive(config, "num_hidden_layers", name), config.get("layer_types")
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
        sliding = layers - min(layers, whole(config, "max_window_layers", name, layers))
    else:
        sliding = layers
    if sliding in (0, layers):
        return (gqa(config, name, layers=layers, window=window if sliding else None, label="attention"),)
    return (
        gqa(config, name, layers=layers - sliding, window=None, label="full_attention"),
        gqa(config, name, layers=sliding, window=window, label="sliding_attention"),
    )


def _dense(config: Config, name: str) -> Model:
    """Llama, Mistral, Qwen2, Qwen3: grouped-query attention and a gated feed-forward in every layer."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    bias = bool(config.get("mlp_bias", False))
    ff = _gated(h, positive(config, "intermediate_size", name), layers, bias=bias)
    return _assemble(config, name, _attention_layers(config, name), (ff,), ())


def _moe(config: Config, name: str) -> Model:
    """Mixtral and Qwen3-MoE: grouped-query attention, routed experts in every layer."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    n_experts = positive(config, "num_experts" if "num_experts" in config else "num_local_experts", name)
    f = positive(config, "moe_intermediate_size", name, config.get("intermediate_size"))
    if int(config.get("decoder_sparse_step", 1) or 1) != 1 or config.get("mlp_only_layers"):
        raise UnsupportedError(f"{name}: mixed dense and expert layers (decoder_sparse_step) are not covered yet")
    experts = Experts(
        "experts", layers, n_experts, _top_k(config, name, n_experts), 3.0 * h * f, 0.0, float(h * n_experts)
    )
    return _assemble(config, name, _attention_layers(config, name), (), (experts,))


def _deepseek_v3(config: Config, name: str) -> Model:
    """DeepSeek-V3, R1, Kimi K2: MLA, `first_k_dense_replace` dense layers, then routed and shared experts."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    dense = whole(config, "first_k_dense_replace", name, 0)
    n_experts, f = (
        positive(config, "n_routed_experts", name),
        positive(config, "moe_intermediate_size", name),
    )
    shared = whole(config, "n_shared_experts", name, 0)
    if whole(config, "moe_layer_freq", name, 1) != 1:
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
    ff = _gated(h, positive(config, "intermediate_size", name), dense)
    return _assemble(config, name, (mla(config, name, layers=layers),), (ff,), (experts,))


def _gpt_oss(config: Config, name: str) -> Model:
    """gpt-oss: alternating full and sliding-window attention with sinks; experts with biases throughout."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    kinds = config.get("layer_types") or ["sliding_attention", "full_attention"] * (layers // 2)
    if len(kinds) != layers:
        raise InputError(f"{name}: layer_types lists {len(kinds)} layers, num_hidden_layers says {layers}")
    sliding = sum(k == "sliding_attention" for k in kinds)
    window = positive(config, "sliding_window", name)
    n_experts, f = positive(config, "num_local_experts", name), positive(config, "intermediate_size", name)
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
        gqa(config, name, layers=layers - sliding, window=None, label="full_attention"),
        gqa(config, name, layers=sliding, window=window, label="sliding_attention"),
    )
    return _assemble(config, name, attentions, (), (experts,))


def _sparse_glm(config: Config, name: str) -> Model:
    """GLM-5: the layers of DeepSeek-V3 with sparse latent attention."""
    model = _deepseek_v3(config, name)
    return replace(model, attentions=(sparse_mla(config, name, layers=model.layers),))


def _minimax_m2(config: Config, name: str) -> Model:
    """MiniMax M2: grouped-query attention with one query-key norm over all heads, routed experts throughout."""
    model = _moe(config, name)
    a, e = model.attentions[0], model.experts[0]
    d = positive(config, "head_dim", name)
    norm = Matrix("qk_norm", "norm", float(d * (a.heads + a.kv_heads)), "replicated")
    experts = replace(e, router_parameters=e.router_parameters + e.n_experts)
    return replace(model, attentions=(replace(a, matrices=(*a.matrices[:3], norm)),), experts=(experts,))


def _qwen3_5_moe(config: Config, name: str) -> Model:
    """Qwen3.5: gated-delta layers with a full-attention layer (gated output) now and then; a shared expert."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    kinds = config.get("layer_types") or []
    if len(kinds) != layers:
        raise InputError(f"{name}: layer_types lists {len(kinds)} layers, num_hidden_layers says {layers}")
    full = sum(k == "full_attention" for k in kinds)
    plain = gqa(config, name, layers=full, window=None, label="full_attention")
    query = plain.matrices[0]
    gated = replace(query, parameters=query.parameters * (2.0 if config.get("attn_output_gate") else 1.0))
    d = positive(config, "head_dim", name)
    norm = Matrix("qk_norm", "norm", 2.0 * d, "replicated")
    attentions = (
        replace(plain, matrices=(gated, *plain.matrices[1:3], norm)),
        gated_delta(config, name, layers=layers - full),
    )
    n_experts, f = positive(config, "num_experts", name), positive(config, "moe_intermediate_size", name)
    shared = whole(config, "shared_expert_intermediate_size", name, 0)
    experts = Experts(
        "experts",
        layers,
        n_experts,
        _top_k(config, name, n_experts),
        3.0 * h * f,
        3.0 * h * shared,
        float(h * n_experts + (h if shared else 0)),
    )
    return _assemble(config, name, attentions, (), (experts,))


def _llama4(config: Config, name: str) -> Model:
    """Llama 4: one routed and one shared expert per expert layer, every n-th layer; local attention in chunks.

    Three of four layers attend inside chunks of `attention_chunk_size`, counted as a window of that size.
    """
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    every = positive(config, "interleave_moe_layer_step", name, 1)
    n_experts, f = positive(config, "num_local_experts", name), positive(config, "intermediate_size", name)
    chunk = positive(config, "attention_chunk_size", name)
    local = layers - layers // 4
    attentions = (
        gqa(config, name, layers=layers - local, window=None, label="full_attention"),
        gqa(config, name, layers=local, window=chunk, label="sliding_attention"),
    )
    moe = layers // every
    experts = Experts(
        "experts", moe, n_experts, _top_k(config, name, n_experts), 3.0 * h * f, 3.0 * h * f, float(h * n_experts)
    )
    ff = _gated(h, positive(config, "intermediate_size_mlp", name), layers - moe)
    return _assemble(config, name, attentions, (ff,), (experts,))


def _ungated(config: Config, name: str) -> Model:
    """GPT-J and Falcon: a feed-forward of two matrices (up, down) beside or after the attention."""
    layers = positive(config, "num_hidden_layers", name, config.get("n_layer"))
    h = positive(config, "hidden_size", name, config.get("n_embd"))
    f = positive(config, "intermediate_size", name, config.get("n_inner") or config.get("ffn_hidden_size") or 4 * h)
    heads = positive(config, "num_attention_heads", name, config.get("n_head"))
    kv_heads = positive(config, "num_key_value_heads", name, config.get("num_kv_heads") or heads)
    context = positive(config, "max_position_embeddings", name, config.get("n_positions") or 2048)
    flat = {
        **config,
        "num_hidden_layers": layers,
        "hidden_size": h,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": context,
    }
    ff = FeedForward(
        "dense_ffn",
        layers,
        (Matrix("up_proj", "ffn", float(h * f), "expert"), Matrix("down_proj", "ffn", float(f * h), "expert")),
    )
    return _assemble(flat, name, (gqa(flat, name, layers=layers, window=None, label="attention"),), (ff,), ())


def _top_k(config: Config, name: str, n_experts: int) -> int:
    k = positive(config, "num_experts_per_tok", name, config.get("experts_per_token"))
    if k > n_experts:
        raise InputError(f"{name}: num_experts_per_tok = {k} exceeds the {n_experts} experts")
    return k


FAMILIES: dict[str, Callable[[Config, str], Model]] = {
    "llama": _dense,
    "mistral": _dense,
    "qwen2": _dense,
    "qwen3": _dense,
    "mixtral": _moe,
    "qwen3_moe": _moe,
    "deepseek_v3": _deepseek_v3,
    "kimi_k2": _deepseek_v3,
    "glm_moe_dsa": _sparse_glm,
    "gpt_oss": _gpt_oss,
    "minimax_m2": _minimax_m2,
    "qwen3_5_moe": _qwen3_5_moe,
    "qwen3_5_moe_text": _qwen3_5_moe,
    "llama4": _llama4,
    "llama4_text": _llama4,
    "gptj": _ungated,
    "falcon": _ungated,
}
