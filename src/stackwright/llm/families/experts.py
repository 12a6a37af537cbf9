"""Mixtures of experts with grouped-query attention: Mixtral, Qwen, GLM 4, gpt-oss, Llama 4, MiniMax."""

from __future__ import annotations

from dataclasses import replace

from stackwright.errors import InputError
from stackwright.llm.architecture import Experts, Matrix, Model
from stackwright.llm.attention_kinds import gqa
from stackwright.llm.compressed import block_sparse
from stackwright.llm.families.parts import assemble, attention_layers, expert_layers, gated, routed, top_k, with_norm
from stackwright.llm.fields import Config, positive, whole


def moe(config: Config, name: str) -> Model:
    """Mixtral, Qwen2-MoE and Qwen3-MoE: routed experts, a shared one with its own gate where there is a size for it."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    n_experts = positive(config, "num_experts" if "num_experts" in config else "num_local_experts", name)
    f = positive(config, "moe_intermediate_size", name, config.get("intermediate_size"))
    sparse, shared = expert_layers(config, name), whole(config, "shared_expert_intermediate_size", name, 0)
    router = float(h * n_experts + (h if shared else 0))
    experts = Experts(
        "experts", sparse, n_experts, top_k(config, name, n_experts), 3.0 * h * f, 3.0 * h * shared, router
    )
    ffs = (gated(h, positive(config, "intermediate_size", name), layers - sparse),) if layers > sparse else ()
    return assemble(config, name, attention_layers(config, name), ffs, (experts,))


def glm4_moe(config: Config, name: str) -> Model:
    """GLM-4.5 to 4.7: dense layers first, then routed and shared experts; biases on q, k and v."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    sparse = expert_layers(config, name)
    shared = whole(config, "n_shared_experts", name, 0) * positive(config, "moe_intermediate_size", name)
    experts = routed(config, name, layers=sparse, shared=shared, correction=True)
    ff = gated(h, positive(config, "intermediate_size", name), layers - sparse)
    attentions = attention_layers(config, name)
    if config.get("use_qk_norm"):
        d = positive(config, "head_dim", name, h // attentions[0].heads)
        attentions = tuple(with_norm(a, 2 * d) for a in attentions)
    return assemble(config, name, attentions, (ff,), (experts,))


def gpt_oss(config: Config, name: str) -> Model:
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
        top_k(config, name, n_experts),
        3.0 * h * f + 2 * f + h,
        0.0,
        float(h * n_experts + n_experts),
    )
    attentions = (
        gqa(config, name, layers=layers - sliding, window=None, label="full_attention"),
        gqa(config, name, layers=sliding, window=window, label="sliding_attention"),
    )
    return assemble(config, name, attentions, (), (experts,))


def minimax_m2(config: Config, name: str) -> Model:
    """MiniMax M2: grouped-query attention with one query-key norm over all heads, routed experts throughout."""
    model = moe(config, name)
    a, e = model.attentions[0], model.experts[0]
    d = positive(config, "head_dim", name)
    norm = Matrix("qk_norm", "norm", float(d * (a.heads + a.kv_heads)), "replicated")
    experts = replace(e, router_parameters=e.router_parameters + e.n_experts)
    return replace(model, attentions=(replace(a, matrices=(*a.matrices[:3], norm)),), experts=(experts,))


def minimax_m3(config: Config, name: str) -> Model:
    """MiniMax M3: dense layers with full attention, then experts with attention to picked blocks."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    given = {**config, "moe_intermediate_size": config.get("moe_intermediate_size") or config.get("intermediate_size")}
    sparse = expert_layers(given, name)
    shared = whole(config, "n_shared_experts", name, 0) * whole(config, "shared_intermediate_size", name, 0)
    experts = routed(given, name, layers=sparse, shared=shared, correction=bool(config.get("use_routing_bias")))
    ff = gated(h, positive(config, "dense_intermediate_size", name), layers - sparse)
    settings: Config = config.get("sparse_attention_config") or {}
    listed = settings.get("sparse_attention_freq") if settings.get("use_sparse_attention") else []
    picked = sum(bool(v) for v in listed or [])
    if picked > layers:
        raise InputError(f"{name}: sparse_attention_freq lists more layers than the {layers} of num_hidden_layers")
    attentions = [gqa(config, name, layers=layers - picked, window=None, label="full_attention")]
    if picked:
        attentions.append(block_sparse(config, name, layers=picked))
    d = positive(config, "head_dim", name)
    norms = Matrix("qk_norm", "norm", 2.0 * d, "replicated")
    normed = tuple(replace(a, matrices=(*a.matrices, norms)) for a in attentions)
    return assemble(config, name, normed, (ff,), (experts,))


def llama4(config: Config, name: str) -> Model:
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
    sparse = layers // every
    experts = Experts(
        "experts", sparse, n_experts, top_k(config, name, n_experts), 3.0 * h * f, 3.0 * h * f, float(h * n_experts)
    )
    ff = gated(h, positive(config, "intermediate_size_mlp", name), layers - sparse)
    return assemble(config, name, attentions, (ff,), (experts,))
