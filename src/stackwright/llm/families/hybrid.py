"""Hybrids of recurrent and full attention: Qwen3-Next and 3.5, Kimi Linear and K3, Nemotron-H."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from stackwright.errors import InputError, UnsupportedError
from stackwright.llm.architecture import Attention, Experts, FeedForward, Matrix, Model
from stackwright.llm.attention_kinds import gated_delta, gqa, mla
from stackwright.llm.families.parts import assemble, expert_layers, gated, layer_kinds, plain, routed, top_k
from stackwright.llm.fields import Config, positive, whole
from stackwright.llm.recurrent import kda, mamba2

_MIXERS = {"M": "mamba", "*": "attention", "E": "moe", "-": "mlp"}  # letters of `hybrid_override_pattern`


def qwen3_5_moe(config: Config, name: str) -> Model:
    """Qwen3-Next and Qwen3.5: gated-delta and full-attention layers over experts, one of them shared with a gate."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    sparse, shared = expert_layers(config, name), whole(config, "shared_expert_intermediate_size", name, 0)
    found = routed(config, name, layers=sparse, shared=shared, keys=("num_experts",))
    experts = replace(found, router_parameters=found.router_parameters + (h if shared else 0))
    ffs = (gated(h, positive(config, "intermediate_size", name), layers - sparse),) if layers > sparse else ()
    return assemble(config, name, _gated_delta_hybrid(config, name), ffs, (experts,))


def qwen3_5(config: Config, name: str) -> Model:
    """Qwen3.5, dense: gated-delta and full-attention layers, each with a gated feed-forward."""
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    ff = gated(h, positive(config, "intermediate_size", name), layers)
    return assemble(config, name, _gated_delta_hybrid(config, name), (ff,), ())


def _gated_delta_hybrid(config: Config, name: str) -> tuple[Attention, Attention]:
    """Gated-delta layers with a full-attention layer (gated output) now and then."""
    layers, every = positive(config, "num_hidden_layers", name), positive(config, "full_attention_interval", name, 4)
    pattern = ["full_attention" if (i + 1) % every == 0 else "linear_attention" for i in range(layers)]
    kinds = layer_kinds(config, name, pattern if "full_attention_interval" in config else [])
    full = sum(k == "full_attention" for k in kinds)
    attention = gqa(config, name, layers=full, window=None, label="full_attention")
    query = attention.matrices[0]
    has_gate = config.get("attn_output_gate") or config.get("model_type") == "qwen3_next"
    doubled = replace(query, parameters=query.parameters * (2.0 if has_gate else 1.0))
    d = positive(config, "head_dim", name)
    norm = Matrix("qk_norm", "norm", 2.0 * d, "replicated")
    return (
        replace(attention, matrices=(doubled, *attention.matrices[1:3], norm)),
        gated_delta(config, name, layers=layers - full),
    )


def kimi_linear(config: Config, name: str) -> Model:
    """Kimi Linear and K3: KDA layers with an MLA layer now and then, over experts (in a latent space in K3).

    K3 adds an output gate to MLA and weighs earlier blocks into each residual (`attn_res_block_size`: one vector and
    a norm per block input, counted as norms; arXiv 2510.26692 for KDA and the class KimiSparseMoeBlock of
    modeling_kimi_linear.py for the latent experts).
    """
    h, layers = positive(config, "hidden_size", name), positive(config, "num_hidden_layers", name)
    linear: Config = config.get("linear_attn_config") or {}
    full, delta = len(linear.get("full_attn_layers") or []), len(linear.get("kda_layers") or [])
    if full + delta != layers:
        raise InputError(f"{name}: linear_attn_config lists {full + delta} layers, num_hidden_layers says {layers}")
    latent = mla(config, name, layers=full)
    if config.get("mla_use_output_gate"):
        size = latent.heads * positive(config, "v_head_dim", name)
        gate = Matrix("gate_proj", "attention_in", float(h * size), "tensor")
        latent = replace(latent, matrices=(*latent.matrices, gate))
    sparse = expert_layers(config, name)
    width = positive(config, "moe_intermediate_size", name)
    shared = whole(config, "num_shared_experts", name, 0) * width
    experts = routed(config, name, layers=sparse, shared=shared, correction=True)
    small = whole(config, "routed_expert_hidden_size", name, 0)
    if small:
        norm = float(small) if config.get("latent_moe_use_norm") else 0.0
        experts = _in_latent_space(experts, h, small, width, matrices=3, norm=norm)
    ff = gated(h, positive(config, "intermediate_size", name), layers - sparse)
    model = assemble(config, name, (latent, kda(config, name, layers=delta)), (ff,), (experts,))
    if not config.get("attn_res_block_size"):
        return model
    return replace(model, norm_parameters=model.norm_parameters + 4.0 * h * layers, also=("attention_residuals",))


def nemotron_h(config: Config, name: str) -> Model:
    """Nemotron-H and Nemotron 3: blocks of one mixer each (Mamba-2, attention, experts or feed-forward), squared ReLU.

    `layers_block_type` or the letters of `hybrid_override_pattern` list them. Two blocks count as one layer, since a
    layer elsewhere is an attention and a feed-forward. Experts have two matrices, in a latent space where
    `moe_latent_size` is given (classes NemotronHBlock and NemotronHMoE of transformers).
    """
    h = positive(config, "hidden_size", name)
    listed = config.get("layers_block_type") or [_MIXERS.get(c, c) for c in config.get("hybrid_override_pattern", "")]
    count = Counter(str(k) for k in listed)
    unknown = sorted(set(count) - set(_MIXERS.values()))
    if unknown or not listed:
        what = f"block type {unknown[0]!r}" if unknown else "layers_block_type or hybrid_override_pattern"
        raise UnsupportedError(f"{name}: {what} {'is not covered' if unknown else 'is missing'} in nemotron_h")
    stated = config.get("num_hidden_layers")
    if stated is not None and stated != len(listed):
        raise InputError(f"{name}: the pattern lists {len(listed)} layers, num_hidden_layers says {stated}")
    d = config.get("head_dim") or config.get("attention_head_dim")
    attention = gqa({**config, "head_dim": d}, name, layers=count["attention"], window=None, label="full_attention")
    ffs: tuple[FeedForward, ...] = ()
    if count["mlp"]:
        ffs = (plain(h, positive(config, "intermediate_size", name), count["mlp"]),)
    experts = (_squared_relu_experts(config, name, count["moe"]),) if count["moe"] else ()
    mixers = (attention, mamba2(config, name, layers=count["mamba"])) if count["mamba"] else (attention,)
    pairs = (len(listed) + 1) // 2
    return assemble(config, name, mixers, ffs, experts, blocks=(pairs, len(listed) + 1))


def _squared_relu_experts(config: Config, name: str, layers: int) -> Experts:
    h, width = positive(config, "hidden_size", name), positive(config, "moe_intermediate_size", name)
    n_experts = positive(config, "n_routed_experts", name)
    shared = whole(config, "n_shared_experts", name, 0) * whole(config, "moe_shared_expert_intermediate_size", name, 0)
    router = float(h * n_experts + n_experts)
    experts = Experts(
        "experts", layers, n_experts, top_k(config, name, n_experts), 2.0 * h * width, 2.0 * h * shared, router, width
    )
    latent = whole(config, "moe_latent_size", name, 0)
    return _in_latent_space(experts, h, latent, width, matrices=2, norm=0.0) if latent else experts


def _in_latent_space(experts: Experts, h: int, latent: int, width: int, *, matrices: int, norm: float) -> Experts:
    """The experts on a latent space of that size; the projections into and out of it count as shared."""
    return replace(
        experts,
        expert_parameters=float(matrices * latent * width),
        shared_parameters=experts.shared_parameters + float(2 * h * latent),
        router_parameters=experts.router_parameters + norm,
        width=float(width),
    )
