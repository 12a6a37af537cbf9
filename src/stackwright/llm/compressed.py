"""Attention to a part of the context: compressed entries (DeepSeek-V4) and picked blocks (MiniMax-M3)."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

from stackwright.errors import InputError
from stackwright.llm.architecture import Attention, Matrix
from stackwright.llm.attention_kinds import gqa
from stackwright.llm.fields import Config, positive

_CSA, _HCA = 4, 128
_BF16, _FP32 = 2.0, 4.0


def compressed(config: Config, name: str, *, layers: int) -> tuple[Attention, ...]:
    """The attention layers of DeepSeek-V4, one entry per value of `compress_ratios`.

    Every layer keeps the latest `sliding_window` tokens as they are: one head whose key is its value, `head_dim`
    elements. A ratio m adds one such entry per m tokens: 128 attends to all of them (heavily compressed), 4 to
    `index_topk` that an indexer picks (compressed sparse), 0 to none. Each window that is being compressed waits in
    FP32, twice (content and gate); overlapping ones (ratio 4) are double in length and in size. DeepSeek-V4 technical
    report, sections 2.3.1 and 2.3.2; classes DeepseekV4HCACompressor, DeepseekV4CSACompressor and DeepseekV4Indexer of
    transformers.
    """
    ratios = config.get("compress_ratios")
    if not isinstance(ratios, list) or len(ratios) < layers:
        raise InputError(f"{name}: compress_ratios must list the {layers} layers")
    counted = Counter(ratios[:layers])
    unknown = sorted(set(counted) - {0, _CSA, _HCA})
    if unknown:
        raise InputError(f"{name}: compress_ratios has {unknown[0]}; covered: 0 (window only), {_CSA} and {_HCA}")
    return tuple(_layer(config, name, ratio, counted[ratio]) for ratio in sorted(counted))


def _layer(config: Config, name: str, ratio: int, layers: int) -> Attention:
    h, heads = positive(config, "hidden_size", name), positive(config, "num_attention_heads", name)
    d, q = positive(config, "head_dim", name), positive(config, "q_lora_rank", name)
    groups, r = positive(config, "o_groups", name), positive(config, "o_lora_rank", name)
    overlap = 2 if ratio == _CSA else 1
    mixed = h * overlap * d if ratio else 0
    matrices = [
        Matrix("q_a_proj", "attention_in", float(h * q), "replicated"),
        Matrix("q_b_proj", "attention_in", float(q * heads * d), "tensor"),
        Matrix("kv_proj", "attention_in", float(h * d), "replicated"),
        Matrix("o_a_proj", "attention_out", float(heads * d * r), "tensor"),
        Matrix("o_b_proj", "attention_out", float(groups * r * h), "tensor"),
        Matrix("compressor_proj", "attention_in", float(2 * mixed), "replicated"),
        Matrix(
            "norms_and_sinks", "norm", float(q + d + heads + ratio * overlap * d + (d if ratio else 0)), "replicated"
        ),
    ]
    state = 2.0 * (overlap * ratio) * (overlap * d) * _FP32
    index_heads, index_d = positive(config, "index_n_heads", name), positive(config, "index_head_dim", name)
    if ratio == _CSA:
        state += 2.0 * (overlap * ratio) * (overlap * index_d) * _FP32
        matrices += [
            Matrix("index_q_proj", "attention_in", float(q * index_heads * index_d), "replicated"),
            Matrix("index_kv_proj", "attention_in", float(2 * h * overlap * index_d), "replicated"),
            Matrix("index_weights_proj", "attention_in", float(h * index_heads), "replicated"),
            Matrix("index_norms", "norm", float(ratio * overlap * index_d + index_d), "replicated"),
        ]
    picks = ratio == _CSA
    return Attention(
        name={0: "window_attention", _CSA: "csa_attention"}.get(ratio, "hca_attention"),
        kind="compressed",
        layers=layers,
        matrices=tuple(matrices),
        kv_elements=float(d),
        kv_heads=1,
        heads=heads,
        prefill_flops_per_pair=4.0 * heads * d,
        decode_flops_per_pair=4.0 * heads * d,
        window=positive(config, "sliding_window", name),
        top_k=float(positive(config, "index_topk", name)) if picks else None,
        index_elements=float(index_d) if picks else 0.0,
        index_flops_per_pair=2.0 * index_heads * index_d if picks else 0.0,
        state_bytes=state,
        compression=float(ratio) if ratio else math.inf,
    )


def block_sparse(config: Config, name: str, *, layers: int) -> Attention:
    """Grouped-query attention to `sparse_topk_blocks` blocks of tokens that an indexer picks (MiniMax-M3).

    The indexer caches one key of `sparse_index_dim` per token in BF16 and scores every earlier token with
    `sparse_num_index_heads` heads; each key-value head reads the blocks of its own pick (class MiniMaxM3 sparse
    attention of vLLM; `sparse_attention_config` of the config.json).
    """
    sparse: Config = config.get("sparse_attention_config") or {}
    plain = gqa(config, name, layers=layers, window=None, label="block_attention")
    h = positive(config, "hidden_size", name)
    heads, d = positive(sparse, "sparse_num_index_heads", name), positive(sparse, "sparse_index_dim", name)
    indexer = (
        Matrix("index_q_proj", "attention_in", float(h * heads * d), "replicated"),
        Matrix("index_k_proj", "attention_in", float(h * d), "replicated"),
        Matrix("index_norms", "norm", 2.0 * d, "replicated"),
    )
    blocks, size = positive(sparse, "sparse_topk_blocks", name), positive(sparse, "sparse_block_size", name)
    return replace(
        plain,
        kind="sparse_gqa",
        matrices=(*plain.matrices, *indexer),
        top_k=float(blocks * size),
        index_elements=_BF16 * d,
        index_flops_per_pair=2.0 * heads * d,
    )
