"""Mixes of full and sliding-window attention whose heads differ by kind: Gemma, MiMo V2, Step 3."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stackwright.errors import InputError, UnsupportedError
from stackwright.llm.architecture import Attention, Experts, FeedForward, Matrix, Model
from stackwright.llm.attention_kinds import gqa
from stackwright.llm.families.parts import assemble, expert_layers, gated, layer_kinds, routed, top_k, with_norm
from stackwright.llm.fields import Config, positive, whole

_GEMMA_HEAD = 256
_GEMMA_NORMS = 4  # before and after attention and feed-forward


def gemma(config: Config, name: str) -> Model:
    """Gemma 2 and 3: five (Gemma 2: one) sliding-window layers to a full one, four norms per layer, tied embeddings.

    Heads of 256 where the file names no size (gemma-3-12b-it): Gemma2Config and Gemma3TextConfig of transformers.
    """
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    two = config.get("model_type") == "gemma2"
    every = positive(config, "sliding_window_pattern", name, 2 if two else 6)
    pattern = ["full_attention" if (i + 1) % every == 0 else "sliding_attention" for i in range(layers)]
    kinds = layer_kinds(config, name, pattern)
    sliding = sum(k == "sliding_attention" for k in kinds)
    d = positive(config, "head_dim", name, _GEMMA_HEAD)
    flat = {**config, "tie_word_embeddings": config.get("tie_word_embeddings", True), "head_dim": d}
    norm = 0 if two else 2 * d
    attentions = (
        with_norm(gqa(flat, name, layers=layers - sliding, window=None, label="full_attention"), norm),
        with_norm(_sliding(flat, name, sliding), norm),
    )
    ff = gated(h, positive(config, "intermediate_size", name), layers)
    model = assemble(flat, name, attentions, (ff,), ())
    return replace(model, norm_parameters=float(h * (_GEMMA_NORMS * layers + 1)))


def _sliding(config: Config, name: str, layers: int) -> Attention:
    window = positive(config, "sliding_window", name)
    return gqa(config, name, layers=layers, window=window, label="sliding_attention")


def gemma4(config: Config, name: str) -> Model:
    """Gemma 4: full layers with larger and fewer key-value heads, whose values are their keys before the norm.

    The 26B-A4B adds experts beside the feed-forward of every layer. Small models reuse the cache of earlier layers in
    the last `num_kv_shared_layers` and add an embedding per layer (`hidden_size_per_layer_input`; classes
    Gemma4TextAttention and Gemma4TextDecoderLayer of transformers).
    """
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    every = positive(config, "sliding_window_pattern", name, 6)
    kinds = layer_kinds(config, name, ["full" if (i + 1) % every == 0 else "sliding_attention" for i in range(layers)])
    flat = {**config, "tie_word_embeddings": config.get("tie_word_embeddings", True)}
    reusing = whole(config, "num_kv_shared_layers", name, 0)
    attentions: list[Attention] = []
    for sliding in (False, True):
        own, borrowed = (
            sum((k == "sliding_attention") == sliding for k in part)
            for part in (kinds[: layers - reusing], kinds[layers - reusing :])
        )
        layer = _gemma4_attention(flat, name, own, sliding)
        attentions += [layer, _borrowing(layer, borrowed)] if borrowed else [layer]
    width = positive(config, "intermediate_size", name)
    ffs: tuple[FeedForward, ...] = (gated(h, width, layers - reusing), gated(h, width, reusing))
    if config.get("use_double_wide_mlp"):
        ffs = (ffs[0], replace(gated(h, 2 * width, reusing), name="dense_ffn_wide"))
    elif reusing:
        ffs = (gated(h, width, layers),)
    experts, norms = _gemma4_experts(config, name, layers)
    model = assemble(flat, name, tuple(attentions), ffs, experts)
    model = replace(model, norm_parameters=float(h * ((_GEMMA_NORMS + norms) * layers + 1) + layers))
    return _per_layer_embeddings(model, config, name)


def _gemma4_attention(config: Config, name: str, layers: int, sliding: bool) -> Attention:
    if sliding:
        return with_norm(_sliding(config, name, layers), 2 * positive(config, "head_dim", name))
    d = positive(config, "global_head_dim", name, config.get("head_dim"))
    merged = bool(config.get("attention_k_eq_v"))
    kv_heads = config.get("num_global_key_value_heads") if merged else None
    given = {**config, "head_dim": d, "num_key_value_heads": kv_heads or config.get("num_key_value_heads")}
    full = with_norm(gqa(given, name, layers=layers, window=None, label="full_attention"), 2 * d)
    if not merged:
        return full
    halved = tuple(replace(m, parameters=m.parameters / 2) if m.name == "kv_proj" else m for m in full.matrices)
    return replace(full, matrices=halved)


def _borrowing(attention: Attention, layers: int) -> Attention:
    """Layers that attend to the cache of an earlier layer: no keys and values of their own."""
    kept = tuple(m for m in attention.matrices if m.name != "kv_proj")
    return replace(attention, layers=layers, matrices=kept, cached=False)


def _gemma4_experts(config: Config, name: str, layers: int) -> tuple[tuple[Experts, ...], int]:
    """Experts of every layer and the norms that they add."""
    if not config.get("enable_moe_block"):
        return (), 0
    h, f = positive(config, "hidden_size", name), positive(config, "moe_intermediate_size", name)
    n_experts = positive(config, "num_experts", name)
    router = float(h * n_experts + h + n_experts)
    return (Experts("experts", layers, n_experts, top_k(config, name, n_experts), 3.0 * h * f, 0.0, router),), 3


def _per_layer_embeddings(model: Model, config: Config, name: str) -> Model:
    """With an embedding per layer: a table of which a token reads a row, and two small projections per layer."""
    size = whole(config, "hidden_size_per_layer_input", name, 0)
    if not size:
        return model
    vocabulary = positive(config, "vocab_size_per_layer_input", name, model.vocabulary)
    h, layers = model.hidden, model.layers
    projections = FeedForward(
        "per_layer_input",
        layers,
        (
            Matrix("input_gate", "ffn", float(h * size), "expert"),
            Matrix("projection", "ffn", float(size * h), "expert"),
            Matrix("model_projection", "ffn", float(h * size), "expert"),
        ),
    )
    return replace(
        model,
        feed_forwards=(*model.feed_forwards, projections),
        norm_parameters=model.norm_parameters + float(h * layers + size),
        lookup_parameters=float(vocabulary * layers * size),
    )


def mimo_v2(config: Config, name: str) -> Model:
    """MiMo-V2-Flash: sliding layers (1 in `hybrid_layer_pattern`) with sinks and more key-value heads; experts.

    Keys and values differ in size. Multi-token prediction is three further layers, not counted.
    """
    layers = positive(config, "num_hidden_layers", name)
    pattern = config.get("hybrid_layer_pattern")
    if not isinstance(pattern, list) or len(pattern) != layers:
        raise InputError(f"{name}: hybrid_layer_pattern must list the {layers} layers")
    sliding = sum(bool(v) for v in pattern)
    swa: dict[str, Any] = {
        to: config.get(given, config.get(to))
        for to, given in (
            ("num_attention_heads", "swa_num_attention_heads"),
            ("num_key_value_heads", "swa_num_key_value_heads"),
            ("head_dim", "swa_head_dim"),
            ("v_head_dim", "swa_v_head_dim"),
        )
    }
    local = _sliding({**config, **swa}, name, sliding)
    attentions = (
        gqa(config, name, layers=layers - sliding, window=None, label="full_attention"),
        with_norm(local, local.heads if config.get("add_swa_attention_sink_bias") else 0),
    )
    return _over_experts(config, name, attentions, shared=0, correction=config.get("topk_method") == "noaux_tc")


def step3(config: Config, name: str) -> Model:
    """Step-3.5 and 3.7 Flash: full and sliding layers with a gate per head, query-key norms, experts with a shared one.

    `attention_other_setting` gives sliding layers heads of their own (class Step3p5Attention of modeling_step3p5.py).
    """
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    kinds = list(config.get("layer_types") or [])[:layers]  # prediction layers may follow in the list
    sliding = sum(k == "sliding_attention" for k in layer_kinds({**config, "layer_types": kinds}, name))
    flat: dict[str, Any] = {
        **config,
        "num_key_value_heads": config.get("num_key_value_heads", config.get("num_attention_groups")),
        "n_routed_experts": config.get("num_experts", config.get("moe_num_experts")),
    }
    other: Config = config.get("attention_other_setting") or {}
    heads = {
        "num_attention_heads": other.get("num_attention_heads", config.get("num_attention_heads")),
        "num_key_value_heads": other.get("num_attention_groups", flat["num_key_value_heads"]),
    }
    parts = (
        gqa(flat, name, layers=layers - sliding, window=None, label="full_attention"),
        _sliding({**flat, **heads}, name, sliding),
    )
    d = positive(flat, "head_dim", name)
    gate = [Matrix("gate_proj", "attention_in", float(h * a.heads), "tensor") for a in parts]
    attentions = tuple(
        with_norm(replace(a, matrices=(*a.matrices, g)), 2 * d) for a, g in zip(parts, gate, strict=True)
    )
    listed = config.get("moe_layers_enum")
    if isinstance(listed, str) and listed:
        ids = {int(i) for i in listed.split(",")}
        flat["moe_layer_freq"] = [int(i in ids) for i in range(layers)]
    elif "first_k_dense_replace" not in config:
        raise UnsupportedError(f"{name}: step3 needs moe_layers_enum or first_k_dense_replace to place its experts")
    shared = positive(config, "share_expert_dim", name, config.get("share_expert_dims"))
    return _over_experts(flat, name, attentions, shared=shared, correction=bool(config.get("use_moe_router_bias")))


def _over_experts(
    config: Config, name: str, attentions: tuple[Attention, ...], *, shared: int, correction: bool
) -> Model:
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    sparse = expert_layers(config, name)
    experts = routed(config, name, layers=sparse, shared=shared, correction=correction)
    ff = gated(h, positive(config, "intermediate_size", name), layers - sparse)
    return assemble(config, name, attentions, (ff,), (experts,))
