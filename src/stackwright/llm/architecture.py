"""The architecture of a language model as counts: what each layer stores, computes and reads.

Notation of the formulas: h hidden size, H query heads, G key-value heads, d head size, r latent (LoRA) ranks.
All weights are counted in parameters (not bytes); work is counted in FLOP (a multiply-add is 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["attention_in", "attention_out", "ffn", "expert", "shared_expert", "router", "embedding", "head", "norm"]
Formats = tuple[tuple[str, Role, str], ...]
AttentionKind = Literal["gqa", "mla", "sparse_mla", "linear", "sparse_gqa", "compressed", "kda", "mamba2"]
RECURRENT: frozenset[AttentionKind] = frozenset({"linear", "kda", "mamba2"})
"""Kinds that keep a state per sequence instead of a cache per token."""
_TRAIT: dict[AttentionKind, str] = {
    "sparse_mla": "sparse",
    "linear": "linear",
    "sparse_gqa": "block_sparse",
    "compressed": "compressed",
    "kda": "kda",
    "mamba2": "mamba",
}
Shard = Literal["tensor", "kv_heads", "replicated", "expert", "vocabulary"]


@dataclass(frozen=True)
class Matrix:
    """Weights of one projection in one layer: `parameters` per layer, its role (precision) and its shard.

    `kv_heads` matrices split over at most the key-value heads: beyond that, tensor ranks hold copies. `side`: one of
    the two sizes where neither is the hidden size.
    """

    name: str
    role: Role
    parameters: float
    shard: Shard
    side: float = 0.0


@dataclass(frozen=True)
class Attention:
    """One kind of attention block, `layers` of which the model has.

    `kv_elements`: cached elements per token and layer. `prefill_flops_per_pair` and `decode_flops_per_pair`:
    FLOP per (query token, attended token) pair and layer; MLA decodes in the latent space, hence two figures.
    `window`: tokens a sliding-window layer sees, or None. `top_k`: tokens a sparse layer attends to, picked by an
    indexer with `index_elements` cached bytes (FP8) per token and `index_flops_per_pair`. `state_bytes` per sequence
    and `state_flops_per_token`: the recurrent state of a linear layer. `compression`: tokens per cached entry of a
    compressed layer, beside the `window` of latest tokens that it keeps whole; index figures then count per entry.
    `cached` is false for layers that read the cache of an earlier one.
    """

    name: str
    kind: AttentionKind
    layers: int
    matrices: tuple[Matrix, ...]
    kv_elements: float
    kv_heads: int
    heads: int
    prefill_flops_per_pair: float
    decode_flops_per_pair: float
    window: int | None = None
    top_k: float | None = None
    index_elements: float = 0.0
    index_flops_per_pair: float = 0.0
    state_bytes: float = 0.0
    state_flops_per_token: float = 0.0
    compression: float | None = None
    cached: bool = True

    @property
    def parameters(self) -> float:
        """Parameters of one layer."""
        return sum(m.parameters for m in self.matrices)


@dataclass(frozen=True)
class FeedForward:
    """A dense feed-forward block, `layers` of which the model has; `matrices` are of one layer."""

    name: str
    layers: int
    matrices: tuple[Matrix, ...]

    @property
    def parameters(self) -> float:
        """Parameters of one layer."""
        return sum(m.parameters for m in self.matrices)


@dataclass(frozen=True)
class Experts:
    """A mixture-of-experts block: `n_experts` of `expert_parameters` each, `top_k` of them used per token.

    `width`: intermediate size of one expert where three matrices on the hidden size do not give it (experts of two
    matrices, or in a latent space); 0 elsewhere. Projections into a latent space count as shared: all tokens pass.
    """

    name: str
    layers: int
    n_experts: int
    top_k: int
    expert_parameters: float
    shared_parameters: float
    router_parameters: float
    width: float = 0.0

    @property
    def parameters(self) -> float:
        """Parameters of one layer."""
        return self.n_experts * self.expert_parameters + self.shared_parameters + self.router_parameters

    @property
    def active_parameters(self) -> float:
        """Parameters of one layer that one token passes through."""
        return self.top_k * self.expert_parameters + self.shared_parameters + self.router_parameters


@dataclass(frozen=True)
class Model:
    """A decoder-only language model. Layers of one kind are counted, not listed: order changes no sum.

    `layers`: blocks of attention and feed-forward; where a block is one or the other, half of the blocks.
    `prediction_modules`: multi-token-prediction modules that the checkpoint ships, for speculative decoding.
    `lookup_parameters`: further embeddings, of which a token reads a row. `also`: traits that no layer shows.
    `formats`: (precision, role, format) where a checkpoint states formats of its own by role. `note`: what the counts
    leave out.
    """

    id: str
    hidden: int
    vocabulary: int
    layers: int
    attentions: tuple[Attention, ...]
    feed_forwards: tuple[FeedForward, ...]
    experts: tuple[Experts, ...]
    norm_parameters: float
    tied_embeddings: bool
    max_context: int
    native_precision: str
    family: Literal["dense", "moe"]
    network: str = ""
    prediction_modules: int = 0
    lookup_parameters: float = 0.0
    also: tuple[str, ...] = ()
    formats: Formats = ()
    note: str = ""

    @property
    def head_parameters(self) -> float:
        """Parameters read to produce logits (the embedding once more when tied)."""
        return 1.0 * self.vocabulary * self.hidden

    @property
    def embedding_parameters(self) -> float:
        """Embedding plus output head, stored once when tied, and further embeddings."""
        return self.head_parameters * (2.0 - self.tied_embeddings) + self.lookup_parameters

    @property
    def parameters(self) -> float:
        """Total parameters (multi-token-prediction layers not included)."""
        return (
            sum(a.layers * a.parameters for a in self.attentions)
            + sum(f.layers * f.parameters for f in self.feed_forwards)
            + sum(e.layers * e.parameters for e in self.experts)
            + self.norm_parameters
            + self.embedding_parameters
        )

    @property
    def active_parameters(self) -> float:
        """Parameters that one token passes through, embedding and head included."""
        idle = sum(e.layers * (e.parameters - e.active_parameters) for e in self.experts)
        return self.parameters - idle

    @property
    def is_mla(self) -> bool:
        """Whether the key-value cache is latent (multi-head latent attention)."""
        return any(a.kind in ("mla", "sparse_mla") for a in self.attentions)

    @property
    def traits(self) -> frozenset[str]:
        """What an engine must support: dense or moe, plus the kinds of attention beside plain grouped-query."""
        found: set[str] = {self.family, *self.also}
        if self.is_mla:
            found.add("mla")
        if any(a.window and a.kind != "compressed" for a in self.attentions):
            found.add("sliding")
        return frozenset(found | {_TRAIT[a.kind] for a in self.attentions if a.kind in _TRAIT})

    def kv_elements_per_token(self, context: float | None = None) -> float:
        """Cached elements per token over all layers; with `context`, averaged over a sequence of that length.

        A sliding-window layer keeps at most `window` tokens of a sequence; without a context it counts in full. A
        compressed layer adds an entry per `compression` tokens to its window, and only those without a context.
        """
        total = 0.0
        for a in self.attentions:
            share = 1.0 if a.window is None or context is None else min(1.0, a.window / context)
            if a.compression is not None:
                share = (share if context is not None else 0.0) + 1.0 / a.compression
            total += a.layers * a.kv_elements * share * a.cached
        return total
