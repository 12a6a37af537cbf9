"""Memory of one chip: weights, activations, runtime reserve, and what is left for the key-value cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.llm.architecture import Role
from stackwright.llm.operators import kv_shard
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
    """Bytes of weights on one chip: attention over tensor ranks, the rest over the group, layers over stages."""
    m, tensor, group = c.model, c.shard.tensor, c.shard.group

    def width(role: Role) -> Array:
        return c.bytes_per_parameter[role]

    layers: Array = np.zeros_like(c.bandwidth)
    for a in m.attentions:
        for w in a.matrices:
            held = w.parameters / tensor if w.shard == "tensor" else w.parameters
            layers = layers + a.layers * held * width(w.role)
    for f in m.feed_forwards:
        layers = layers + f.layers * f.parameters / group * width("ffn")
    for e in m.experts:
        routed = e.n_experts * e.expert_parameters * width("expert") + e.shared_parameters * width("shared_expert")
        layers = layers + e.layers * (routed / group + e.router_parameters * width("norm"))
    ends = m.embedding_parameters / tensor * width("head")
    return layers / c.pipeline + ends / np.minimum(c.pipeline, 2.0) + m.norm_parameters * width("norm") / c.pipeline


def memory_budget(c: Candidates) -> MemoryBudget:
    """The memory budget of every candidate, in bytes per chip."""
    m = c.model
    widest = max([0.0, *(f.parameters / 3.0 / m.hidden for f in m.feed_forwards)])
    per_token = c.theta["activation_elements_per_token"] * m.hidden + 2.0 * widest / c.shard.group
    activations = c.max_batched_tokens * per_token * BYTES_PER_ACTIVATION
    return MemoryBudget(
        capacity=c.capacity_bytes,
        usable=c.capacity_bytes * c.memory_fraction,
        weights=weight_bytes_per_chip(c),
        activations=activations,
        reserve=c.theta["runtime_reserve_bytes"] + np.zeros_like(c.bandwidth),
    )


def kv_bytes_per_sequence(c: Candidates, context: Array | float) -> Array:
    """Cache bytes that one sequence of `context` tokens takes on one chip (window layers keep their window)."""
    total: Array = np.zeros_like(c.bandwidth)
    for a in c.model.attentions:
        tokens = np.asarray(context if a.window is None else np.minimum(context, float(a.window)))
        total = total + a.layers * a.kv_elements * tokens / kv_shard(a, c.shard.tensor)
    return total * c.kv_bytes / c.pipeline


def kv_capacity_sequences(c: Candidates, budget: MemoryBudget, context: Array | float) -> Array:
    """Sequences of mean length `context` whose cache fits at once on one attention rank."""
    return np.maximum(budget.kv, 0.0) / kv_bytes_per_sequence(c, context)
