"""Memory of one chip: weights, activations, runtime reserve, and what is left for the key-value cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from stackwright.llm.architecture import Experts, Role
from stackwright.llm.operators import cached_entries, held_parameters, indexed_entries, kv_shard
from stackwright.performance.candidates import Candidates
from stackwright.performance.step import BYTES_PER_ACTIVATION

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MemoryBudget:
    """Bytes on the fullest chip, per candidate (n, 1). `kv` is negative where the rest does not fit."""

    capacity: Array
    usable: Array
    weights: Array
    activations: Array
    reserve: Array

    @property
    def kv(self) -> Array:
        """Bytes left for the key-value cache."""
        return self.usable - self.weights - self.activations - self.reserve

    @property
    def fits(self) -> NDArray[np.bool_]:
        """Whether weights, activations and reserve leave room for a cache at all."""
        return self.kv > 0.0


def weight_bytes_per_chip(c: Candidates) -> Array:
    """Bytes of weights on the fullest chip: that of the longest stage, counted with the larger end.

    Attention is divided over tensor ranks, feed-forwards and experts over the group, layers over stages. With
    several stages the first holds the embedding and the last the head, also when the two are tied.
    """
    m, tensor, group = c.model, c.shard.tensor, c.shard.group

    def width(role: Role) -> Array:
        return c.bytes_per_parameter[role]

    layers: Array = m.norm_parameters * width("norm")
    for a in m.attentions:
        for w in a.matrices:
            layers = layers + a.layers * held_parameters(w, a, tensor) * width(w.role)
    for f in m.feed_forwards:
        layers = layers + f.layers * f.parameters / group * width("ffn")
    for e in m.experts:
        routed = e.n_experts * e.expert_parameters * width("expert")
        shared = e.shared_parameters * width("shared_expert")
        layers = layers + e.layers * ((routed + shared) / group + e.router_parameters * width("norm"))
    head, embedding = (
        m.head_parameters * width("head"),
        (m.embedding_parameters - m.head_parameters) * width("embedding"),
    )
    ends = np.where(c.pipeline > 1.0, np.maximum(head, embedding), head + embedding)
    return layers * held_share(c) + ends / tensor


def _routed_width(e: Experts, hidden: Array | float) -> Array:
    """Intermediate elements that the experts of one token make."""
    by_size = np.asarray(e.top_k * e.expert_parameters / 3.0 / hidden)
    return np.where(np.asarray(e.width) > 0.0, e.top_k * np.asarray(e.width), by_size)


def held_share(c: Candidates) -> Array:
    """Layers on the fullest chip over layers of the model: the longest stage, and the layer that drafts."""
    return c.stage_share + c.draft_layers / c.model.layers


def memory_budget(c: Candidates) -> MemoryBudget:
    """The memory budget of every candidate, in bytes per chip."""
    m = c.model
    widths = [np.asarray(f.parameters / 3.0 / m.hidden) for f in m.feed_forwards]
    widths += [_routed_width(e, m.hidden) for e in m.experts]
    # Gate and up of every token of the group, spread over the group: per rank's token, over its tensor ranks.
    widest = 2.0 * reduce(np.maximum, widths) / c.shard.tensor
    per_token = c.theta["activation_elements_per_token"] * m.hidden + widest
    activations = c.max_batched_tokens / c.shard.context * per_token * BYTES_PER_ACTIVATION
    weights = weight_bytes_per_chip(c)
    if c.lora.any:
        weights = weights + c.lora.resident_bytes * c.stage_share
    reserve = c.theta["runtime_reserve_bytes"] + np.zeros_like(c.bandwidth)
    # A fraction of what is left after loading keeps the rest of it free; one of the chip keeps that of the chip.
    kept_free = (1.0 - c.memory_fraction) * np.where(
        c.fraction_of_free, np.maximum(c.capacity_bytes - weights - activations - reserve, 0.0), c.capacity_bytes
    )
    return MemoryBudget(c.capacity_bytes, c.capacity_bytes - kept_free, weights, activations, reserve)


def kv_bytes_per_sequence(c: Candidates, context: Array | float) -> Array:
    """Cache bytes that one sequence of `context` tokens takes on the fullest chip.

    Sliding-window layers keep their window; the windows that compressed layers are filling are on every rank. The
    longest pipeline stage holds the most layers, and that of a draft; context parallel ranks share the tokens.
    """
    total: Array = np.zeros_like(c.bandwidth)
    for a in c.model.attentions:
        entries = cached_entries(a, np.asarray(context)) / c.shard.context
        held = a.kv_elements * entries / kv_shard(a, c.shard.tensor) * c.kv_bytes
        indexed = a.index_elements * (indexed_entries(a, np.asarray(context)) / c.shard.context)
        state = a.state_bytes if a.kind == "compressed" else a.state_bytes / c.shard.tensor
        total = total + a.layers * (held * a.cached + indexed + state)
    return total * held_share(c)


def kv_capacity_sequences(c: Candidates, budget: MemoryBudget, context: Array | float) -> Array:
    """Sequences of mean length `context` whose cache fits at once on one attention rank."""
    return np.maximum(budget.kv, 0.0) / kv_bytes_per_sequence(c, context)
