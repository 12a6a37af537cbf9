"""Attention blocks that keep a state instead of a cache, beside the gated delta rule: KDA and Mamba-2."""

from __future__ import annotations

from stackwright.llm.architecture import Attention, Matrix
from stackwright.llm.attention_kinds import STATE_FLOPS
from stackwright.llm.fields import Config, positive

_STATE_BYTES = 4.0  # states are kept in FP32 (`mamba_ssm_cache_dtype` of the Nemotron 3 checkpoints)
_CONV_BYTES = 2.0  # the last inputs of the short convolutions, in BF16
_SSM_FLOPS = 5.0  # decay, outer product (2) and query (2) per state element and token


def kda(config: Config, name: str, *, layers: int) -> Attention:
    """Kimi Delta Attention: a gated delta rule whose decay has a value per channel.

    State: heads x key size x value size in FP32 and the short convolutions of q, k and v. The decay (`f`) and, unless
    `use_full_rank_gate`, the output gate (`g`) pass a bottleneck of one head size (Kimi Linear technical report,
    arXiv 2510.26692, sections 2 and 4; class KimiDeltaAttention of modeling_kimi_linear.py).
    """
    h = positive(config, "hidden_size", name)
    linear: Config = config.get("linear_attn_config") or {}
    heads, d = positive(linear, "num_heads", name), positive(linear, "head_dim", name)
    kernel = positive(linear, "short_conv_kernel_size", name, 4)
    size = heads * d
    gate = h * size if linear.get("use_full_rank_gate") else (h + size) * d
    matrices = (
        Matrix("qkv_proj", "attention_in", float(3 * h * size), "tensor"),
        Matrix("decay_a_proj", "attention_in", float(h * d), "replicated"),
        Matrix("decay_b_proj", "attention_in", float(d * size), "tensor"),
        Matrix("beta_proj", "attention_in", float(h * heads), "tensor"),
        Matrix("gate_proj", "attention_in", float(gate), "tensor"),
        Matrix("o_proj", "attention_out", float(size * h), "tensor"),
        Matrix("conv_and_gates", "norm", float(3 * size * kernel + heads + size + d), "replicated"),
    )
    convolution = _CONV_BYTES * 3 * size * (kernel - 1)
    return _recurrent("kda_attention", "kda", layers, matrices, heads, float(heads * d * d), convolution, STATE_FLOPS)


def mamba2(config: Config, name: str, *, layers: int) -> Attention:
    """Mamba-2: a state of heads x head size x state size, updated by every token.

    One input projection makes gate, inputs, B, C and steps (Dao and Gu, "Transformers are SSMs", arXiv 2405.21060,
    section 7.1; class NemotronHMamba2Mixer of transformers).
    """
    h, groups = positive(config, "hidden_size", name), positive(config, "n_groups", name)
    heads, d = positive(config, "mamba_num_heads", name), positive(config, "mamba_head_dim", name)
    n, kernel = positive(config, "ssm_state_size", name), positive(config, "conv_kernel", name)
    inner, mixed = heads * d, heads * d + 2 * groups * n
    matrices = (
        Matrix("in_proj", "attention_in", float(h * (inner + mixed + heads)), "tensor"),
        Matrix("out_proj", "attention_out", float(inner * h), "tensor"),
        Matrix("conv_and_gates", "norm", float(mixed * (kernel + 1) + 3 * heads + inner), "replicated"),
    )
    convolution = _CONV_BYTES * mixed * (kernel - 1)
    return _recurrent("mamba", "mamba2", layers, matrices, heads, float(heads * d * n), convolution, _SSM_FLOPS)


def _recurrent(
    label: str,
    kind: str,
    layers: int,
    matrices: tuple[Matrix, ...],
    heads: int,
    state: float,
    convolution_bytes: float,
    flops: float,
) -> Attention:
    return Attention(
        name=label,
        kind="kda" if kind == "kda" else "mamba2",
        layers=layers,
        matrices=matrices,
        kv_elements=0.0,
        kv_heads=heads,
        heads=heads,
        prefill_flops_per_pair=0.0,
        decode_flops_per_pair=0.0,
        state_bytes=_STATE_BYTES * state + convolution_bytes,
        state_flops_per_token=flops * state,
    )
