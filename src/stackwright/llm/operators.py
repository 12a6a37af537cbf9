"""What one engine step computes and reads, operator by operator, on the busiest chip of a replica.

Arrays broadcast: one value per candidate in rows, one per batch size in columns, or plain numbers for one
point. Formulas follow the roofline accounting of decoder-only models (Pope et al., "Efficiently Scaling
Transformer Inference", arXiv 2211.05102, section 2) and count 2 FLOP per multiply-add.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stackwright.llm.architecture import RECURRENT, Attention, Experts, FeedForward, Matrix, Model, Role

Array = NDArray[np.float64]
_ALL_EXPERTS = 1.0 - 1e-15
_MATRICES_PER_EXPERT = 3.0  # gate, up and down
OperatorKind = Literal["gemm", "attention_decode", "attention_prefill", "expert_gemm"]


@dataclass(frozen=True)
class Shard:
    """How weights and cache are divided: the divisor of each kind, per candidate.

    `tensor`: attention weights and heads; `group`: feed-forward and expert weights (tensor x attention data
    parallel ranks); `data`: attention data-parallel ranks whose tokens meet in the experts; `context`: ranks that share
    the tokens of a prompt and the cache of a sequence, each with the attention weights whole.
    """

    tensor: Array
    group: Array
    data: Array
    context: Array | float = 1.0


@dataclass(frozen=True)
class StepShape:
    """Tokens of one engine step on one attention rank.

    `tokens`: new tokens; `sequences`: sequences they belong to (decoding: one token each, or several that are
    verified together and read the cache once); `context`: mean number of tokens that each new token attends to.
    A prompt gets one logit, every decoding token its own.
    """

    tokens: Array
    sequences: Array
    context: Array
    prefill: bool


@dataclass(frozen=True)
class Operator:
    """Work of one operator in ONE layer on one chip; the model has `layers` of them.

    `weight_bytes` are streamed weights, `kv_bytes` cache reads, `flops` FLOP by the role of the weights used
    (the role decides the number format, hence the peak rate).
    """

    name: str
    kind: OperatorKind
    layers: float | Array
    flops: Mapping[Role, Array]
    weight_bytes: Array | float = 0.0
    kv_bytes: Array | float = 0.0


def kv_shard(attention: Attention, tensor: Array) -> Array:
    """Ranks over which the cache of one layer is split: at most the key-value heads, 1 for a latent cache."""
    return np.minimum(tensor, attention.kv_heads)


def partial_output_elements(attention: Attention) -> float:
    """Elements of one token's attention output over all heads, as decoding computes it: latent for a latent cache.

    Half of the FLOP per pair that multiply the values: 4 H d for plain heads, 2 H (2 r + p) of which 2 H (r + p) are
    keys in the latent space.
    """
    if attention.kind == "gqa":
        return attention.decode_flops_per_pair / 4.0
    return attention.decode_flops_per_pair / 2.0 - attention.heads * attention.kv_elements


def held_parameters(matrix: Matrix, attention: Attention, tensor: Array) -> Array:
    """Parameters of one attention matrix that one chip holds, per layer; shape of `tensor`."""
    if matrix.shard == "tensor":
        return matrix.parameters / tensor
    if matrix.shard == "kv_heads":
        return matrix.parameters / kv_shard(attention, tensor)
    return matrix.parameters * np.ones_like(tensor)


def near_tokens(attention: Attention, context: Array) -> Array:
    """Tokens of a sequence that lie in the window of a layer; all of them where it has none."""
    return context if attention.window is None else np.minimum(context, attention.window)


def cached_entries(attention: Attention, context: Array) -> Array:
    """Entries of its cache that one layer holds of a sequence of `context` tokens.

    All tokens, or the window of a sliding layer; a compressed layer keeps its window and an entry per `compression`.
    """
    near = near_tokens(attention, context)
    return near if attention.compression is None else near + context / attention.compression


def indexed_entries(attention: Attention, context: Array) -> Array:
    """Keys that the indexer of a sparse layer holds of a sequence, and scores for every new token."""
    return context if attention.compression is None else context / attention.compression


def expert_width(experts: Experts, hidden: Array | float) -> Array:
    """Intermediate size of one expert: as stated, or that of three matrices on the hidden size."""
    by_size = np.asarray(experts.expert_parameters / (_MATRICES_PER_EXPERT * hidden))
    return np.where(np.asarray(experts.width) > 0.0, experts.width, by_size)


def experts_hit(experts: Experts, tokens: Array, popularity_shape: Array | None = None) -> Array:
    r"""Expected number of distinct experts that `tokens` tokens visit.

    Each token picks k different experts of E, independently of the other tokens: uniformly
    :math:`E (1 - (1 - k/E)^t)`, which is k for one token. With a shape a, experts differ in popularity by a gamma law
    of mean 1 and variance 1/a, and the visits x = -t ln(1 - k/E) of an average expert give its Laplace transform,
    :math:`E (1 - (1 + x/a)^{-a})`: some experts are met twice, so fewer are met at all.
    """
    share = np.minimum(experts.top_k / experts.n_experts, _ALL_EXPERTS)
    unmet = tokens * np.log1p(-share)
    if popularity_shape is not None:
        unmet = -popularity_shape * np.log1p(-unmet / popularity_shape)
    hit: Array = -experts.n_experts * np.expm1(unmet)
    return hit


def operators(
    model: Model,
    shape: StepShape,
    shard: Shard,
    bytes_per_parameter: Mapping[Role, Array],
    kv_bytes: Array,
    popularity_shape: Array | None = None,
) -> list[Operator]:
    """Every operator of one step: attention projections, attention, feed-forward, experts, output head.

    `bytes_per_parameter`: stored bytes per parameter by role; `kv_bytes`: bytes per cached element;
    `popularity_shape`: how unevenly experts are visited (`experts_hit`; None: evenly).
    """
    found: list[Operator] = []
    for a in model.attentions:
        found.append(_projections(a, shape, shard, bytes_per_parameter))
        if a.kind in RECURRENT:
            found.append(_linear_attention(a, shape, shard))
            continue
        found.append(_attention(a, shape, shard, kv_bytes))
        if np.any(a.index_elements):
            found.append(_indexer(a, shape, shard))
    found.extend(_feed_forward(f, shape, shard, bytes_per_parameter) for f in model.feed_forwards)
    for e in model.experts:
        found.extend(_experts(e, shape, shard, bytes_per_parameter, popularity_shape))
    found.append(_head(model, shape, shard, bytes_per_parameter))
    return found


def _projections(a: Attention, shape: StepShape, shard: Shard, width: Mapping[Role, Array]) -> Operator:
    weight_bytes: Array | float = 0.0
    flops: dict[Role, Array] = {}
    tokens = shape.tokens / shard.context if shape.prefill else shape.tokens
    for m in a.matrices:
        if m.role == "norm" or not np.any(m.parameters):
            continue
        held = held_parameters(m, a, shard.tensor)
        weight_bytes = weight_bytes + held * width[m.role]
        flops[m.role] = flops.get(m.role, np.float64(0.0)) + 2.0 * held * tokens
    return Operator(f"qkv and output projections{_suffix(a)}", "gemm", a.layers, flops, weight_bytes)


def _suffix(a: Attention) -> str:
    return "" if a.name in ("attention", "mla", "sparse_mla") else f" ({a.name.split('_')[0]})"


def _attention(a: Attention, shape: StepShape, shard: Shard, kv_bytes: Array) -> Operator:
    context = _attended(a, shape.context)
    pairs = shape.tokens * context
    suffix = _suffix(a)
    if shape.prefill:
        flops = pairs * (a.prefill_flops_per_pair / (shard.tensor * shard.context))
        return Operator(f"attention{suffix}", "attention_prefill", a.layers, {"norm": flops})
    readers = shape.sequences if a.top_k is None else shape.tokens  # a sparse layer picks tokens anew for each query
    read = readers * context * (a.kv_elements * kv_bytes / (kv_shard(a, shard.tensor) * shard.context))
    flops = pairs * (a.decode_flops_per_pair / (shard.tensor * shard.context))
    return Operator(f"attention{suffix}", "attention_decode", a.layers, {"norm": flops}, kv_bytes=read)


def _attended(a: Attention, context: Array) -> Array:
    """Entries that a token with `context` tokens before it attends to: in the window, and of those at most `top_k`.

    A compressed layer attends to its window and, beside it, to (at most `top_k` of) its compressed entries.
    """
    near = near_tokens(a, context)
    if a.compression is not None:
        entries = context / a.compression
        return near + (entries if a.top_k is None else np.minimum(entries, a.top_k))
    return near if a.top_k is None else np.minimum(near, a.top_k)


def _indexer(a: Attention, shape: StepShape, shard: Shard) -> Operator:
    """Scores of every indexed entry, replicated over tensor ranks; decode reads the cached index keys."""
    entries = indexed_entries(a, shape.context) / shard.context
    pairs = shape.tokens * entries
    kind: OperatorKind = "attention_prefill" if shape.prefill else "attention_decode"
    read = 0.0 if shape.prefill else shape.sequences * entries * a.index_elements
    return Operator("attention indexer", kind, a.layers, {"norm": pairs * a.index_flops_per_pair}, kv_bytes=read)


def _linear_attention(a: Attention, shape: StepShape, shard: Shard) -> Operator:
    """The recurrent state: read and written once per sequence and step, updated by every token."""
    state = 2.0 * shape.sequences * (a.state_bytes / shard.tensor)
    flops = shape.tokens * (a.state_flops_per_token / shard.tensor)
    return Operator(f"attention{_suffix(a)}", "attention_decode", a.layers, {"norm": flops}, kv_bytes=state)


def _feed_forward(f: FeedForward, shape: StepShape, shard: Shard, width: Mapping[Role, Array]) -> Operator:
    held = f.parameters / shard.group
    flops = 2.0 * held * (shape.tokens * shard.data)
    return Operator("feed-forward", "gemm", f.layers, {"ffn": flops}, held * width["ffn"])


def _experts(
    e: Experts, shape: StepShape, shard: Shard, width: Mapping[Role, Array], popularity_shape: Array | None
) -> list[Operator]:
    tokens = shape.tokens * shard.data
    held = e.expert_parameters / shard.group
    routed = Operator(
        "routed experts",
        "expert_gemm",
        e.layers,
        {"expert": (2.0 * e.top_k * held) * tokens},
        experts_hit(e, tokens, popularity_shape) * (held * width["expert"]),
    )
    if not np.any(e.shared_parameters):
        return [routed]
    shared = e.shared_parameters / shard.group
    return [
        routed,
        Operator(
            "shared experts",
            "gemm",
            e.layers,
            {"shared_expert": (2.0 * shared) * tokens},
            shared * width["shared_expert"],
        ),
    ]


def _head(model: Model, shape: StepShape, shard: Shard, width: Mapping[Role, Array]) -> Operator:
    held = model.head_parameters / shard.tensor
    logits = shape.sequences if shape.prefill else shape.tokens
    return Operator("output head", "gemm", 1, {"head": (2.0 * held) * logits}, held * width["head"])
