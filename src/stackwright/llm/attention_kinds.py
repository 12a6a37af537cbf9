"""The common kinds of attention block, from a config.json: grouped-query, latent, sparse latent, gated delta."""

from __future__ import annotations

from dataclasses import replace

from stackwright.errors import InputError
from stackwright.llm.architecture import Attention, Matrix
from stackwright.llm.fields import Config, positive, whole

_QKV_BIAS = frozenset({"qwen2", "qwen2_moe", "mimo", "glm4_moe"})  # biases on q, k, v but none on the output
_QK_NORM = frozenset({"qwen3", "qwen3_moe", "qwen3_vl_text", "qwen3_vl_moe_text"})
STATE_FLOPS = 6.0
"""FLOP per state element and token of a delta rule: decay, read, correct and query."""


def gqa(config: Config, name: str, *, layers: int, window: int | None, label: str) -> Attention:
    """Grouped-query attention: cache 2 G d per token; QK^T and PV cost 4 H d FLOP per pair.

    `v_head_dim` gives values a size of their own; then 2 d is the sum of both sizes.
    """
    h, heads = positive(config, "hidden_size", name), positive(config, "num_attention_heads", name)
    kv_heads = positive(config, "num_key_value_heads", name, heads)
    if heads % kv_heads:
        raise InputError(f"{name}: {heads} attention heads do not divide into {kv_heads} key-value heads")
    d = positive(config, "head_dim", name, h // heads)
    both = d + positive(config, "v_head_dim", name, d)
    family = config.get("model_type")
    qkv_bias = bool(config.get("attention_bias", False)) or family in _QKV_BIAS
    bias = bool(config.get("attention_bias", False)) and family not in _QKV_BIAS
    qk_norm = 2.0 * d if family in _QK_NORM else 0.0
    sinks = float(heads) if family == "gpt_oss" else 0.0
    rows = h + 1 if qkv_bias else h
    out = float(heads * (both - d) * h) + (h if bias else 0)
    matrices = (
        Matrix("q_proj", "attention_in", float(rows * d * heads), "tensor"),
        Matrix("kv_proj", "attention_in", float(rows * both * kv_heads), "kv_heads"),
        Matrix("o_proj", "attention_out", out, "tensor"),
        Matrix("qk_norm_and_sinks", "norm", qk_norm + sinks, "replicated"),
    )
    return Attention(
        name=label,
        kind="gqa",
        layers=layers,
        matrices=matrices,
        kv_elements=1.0 * kv_heads * both,
        kv_heads=kv_heads,
        heads=heads,
        prefill_flops_per_pair=2.0 * heads * both,
        decode_flops_per_pair=2.0 * heads * both,
        window=window,
    )


def mla(config: Config, name: str, *, layers: int) -> Attention:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1).

    Cache r + p per token (latent plus rotary key); prefill expands keys and values (2 H (n + p + v) FLOP per
    pair), decode stays in the latent space (2 H (2 r + p)). Down-projections are replicated over tensor
    parallel ranks.
    """
    h, heads = positive(config, "hidden_size", name), positive(config, "num_attention_heads", name)
    r, q = positive(config, "kv_lora_rank", name), whole(config, "q_lora_rank", name, 0)
    n, p = positive(config, "qk_nope_head_dim", name), positive(config, "qk_rope_head_dim", name)
    v = positive(config, "v_head_dim", name)
    query_in = q if q else h
    matrices = (
        Matrix("q_a_proj", "attention_in", float(h * q), "replicated"),
        Matrix("kv_a_proj", "attention_in", float(h * (r + p)), "replicated"),
        Matrix("q_b_proj", "attention_in", float(query_in * heads * (n + p)), "tensor", float(query_in)),
        Matrix("kv_b_proj", "attention_in", float(r * heads * (n + v)), "tensor", float(r)),
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


def sparse_mla(config: Config, name: str, *, layers: int) -> Attention:
    """MLA whose tokens attend to `index_topk` others that an indexer picks (DeepSeek Sparse Attention).

    The indexer caches one key of `index_head_dim` per token in FP8 and scores every earlier token with
    `index_n_heads` heads: 2 H_i d_i FLOP per pair (DeepSeek-V3.2 technical report, 2025, section 2.1).
    """
    latent = mla(config, name, layers=layers)
    h, q = positive(config, "hidden_size", name), positive(config, "q_lora_rank", name)
    heads, d = positive(config, "index_n_heads", name), positive(config, "index_head_dim", name)
    indexer = (
        Matrix("index_q_proj", "attention_in", float(q * heads * d), "replicated"),
        Matrix("index_k_proj", "attention_in", float(h * d), "replicated"),
        Matrix("index_weights_proj", "attention_in", float(h * heads), "replicated"),
    )
    return replace(
        latent,
        name="sparse_mla",
        kind="sparse_mla",
        matrices=(*latent.matrices, *indexer),
        top_k=float(positive(config, "index_topk", name)),
        index_elements=float(d),
        index_flops_per_pair=2.0 * heads * d,
    )


def gated_delta(config: Config, name: str, *, layers: int) -> Attention:
    """Linear attention with a gated delta rule: a recurrent state per sequence instead of a cache.

    State: value heads x key size x value size in FP32, read and written every step; about 6 FLOP per state element
    and token for the chunked form (Yang et al., "Gated Delta Networks", arXiv 2412.06464, section 3).
    """
    h = positive(config, "hidden_size", name)
    nk, nv = positive(config, "linear_num_key_heads", name), positive(config, "linear_num_value_heads", name)
    dk, dv = positive(config, "linear_key_head_dim", name), positive(config, "linear_value_head_dim", name)
    kernel = positive(config, "linear_conv_kernel_dim", name)
    mixed = 2 * nk * dk + nv * dv
    matrices = (
        Matrix("in_proj_qkvz", "attention_in", float(h * (mixed + nv * dv)), "tensor"),
        Matrix("in_proj_ba", "attention_in", float(h * 2 * nv), "tensor"),
        Matrix("out_proj", "attention_out", float(nv * dv * h), "tensor"),
        Matrix("conv_and_gates", "norm", float(mixed * kernel + 2 * nv + dv), "replicated"),
    )
    return Attention(
        name="linear_attention",
        kind="linear",
        layers=layers,
        matrices=matrices,
        kv_elements=0.0,
        kv_heads=nv,
        heads=nv,
        prefill_flops_per_pair=0.0,
        decode_flops_per_pair=0.0,
        state_bytes=4.0 * nv * dk * dv,
        state_flops_per_token=STATE_FLOPS * nv * dk * dv,
    )
