r"""Time of one engine step: the one place where work becomes seconds.

.. math::

    t = \sum_{op} L_{op}\, \mathrm{smax}\!\left(\frac{bytes}{BW\,e_{bw}}, \frac{flops}{F\,e_{fl}}\right)
        + L (t_{coll} + n_k \tau) + L_{moe} \tau_m + L_{mla} \tau_a + t_{step} + t_{seq}\, n_{seq}

with smax(a, b) = (a^p + b^p)^(1/p). The same code serves one point with its breakdown and arrays of candidates
x batch sizes; the planner, `explain` and the simulator call nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.llm.operators import (
    Operator,
    StepShape,
    expert_width,
    kv_shard,
    operators,
    partial_output_elements,
)
from stackwright.performance.candidates import Candidates
from stackwright.performance.collectives import all_reduce_s, rack_exchange_s

Array = NDArray[np.float64]

BYTES_PER_ACTIVATION = 2.0  # activations travel in BF16
_BYTES_PER_LOGSUMEXP = 4.0  # the weight of a partial attention output, per head

_MEMORY_CONSTANT = {
    "gemm": "weight_bandwidth_efficiency",
    "attention_decode": "kv_bandwidth_efficiency",
    "attention_prefill": "kv_bandwidth_efficiency",
    "expert_gemm": "expert_bandwidth_efficiency",
}
_COMPUTE_CONSTANT = {
    "gemm": "gemm_efficiency",
    "attention_decode": "attention_efficiency",
    "attention_prefill": "attention_efficiency",
    "expert_gemm": "expert_gemm_efficiency",
}


@dataclass(frozen=True)
class Part:
    """One line of the breakdown, over all layers: seconds, and what bounds it (bytes, FLOP of one chip)."""

    name: str
    seconds: Array
    memory_s: Array | float = 0.0
    compute_s: Array | float = 0.0
    n_bytes: Array | float = 0.0
    flops: Array | float = 0.0


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step and the parts that sum to it. `fixed_s`: the share that does not grow with tokens."""

    seconds: Array
    parts: tuple[Part, ...]
    fixed_s: Array

    def part_s(self, prefix: str) -> Array:
        """Seconds of all parts whose name starts with `prefix`."""
        total: Array = np.zeros_like(self.seconds)
        for p in self.parts:
            if p.name.startswith(prefix):
                total = total + p.seconds
        return total


def smooth_max(a: Array, b: Array, p: float) -> Array:
    """(a^p + b^p)^(1/p): the larger of the two, rounded where they are close (p: `roofline_sharpness`)."""
    if p == 4.0:
        a2, b2 = a * a, b * b
        fourth: Array = np.sqrt(np.sqrt(a2 * a2 + b2 * b2))
        return fourth
    smooth: Array = np.power(np.power(a, p) + np.power(b, p), 1.0 / p)
    return smooth


def step_time(c: Candidates, shape: StepShape) -> StepTime:
    """Seconds of one step of `shape` for every candidate.

    Arrays of `shape` broadcast against (n, 1). The step is one pass of the tokens through all layers; with
    pipeline parallelism that is the latency over all stages.
    """
    work = operators(c.model, shape, c.shard, c.bytes_per_parameter, c.kv_bytes, c.theta["expert_popularity_shape"])
    parts = [_operator(c, op) for op in work]
    if c.lora.any:
        parts.append(_adapters(c, shape))
    latency, transfer = _collectives(c, shape)
    parts.append(Part("collectives", latency + transfer))
    if np.any(np.asarray(c.shard.context) > 1.0):
        started, passed = _context_exchange(c, shape)
        parts.append(Part("context exchange", started + passed))
        latency = latency + started
    overheads = _overheads(c)
    parts += overheads
    sequences = shape.sequences + np.zeros_like(c.bandwidth)
    parts.append(Part("host per sequence", c.theta["sequence_overhead_s"] * sequences))
    seconds = parts[0].seconds
    for p in parts[1:]:
        seconds = seconds + p.seconds
    fixed = latency + sum(p.seconds for p in overheads)
    return StepTime(seconds, tuple(parts), fixed)


def _operator(c: Candidates, op: Operator) -> Part:
    n_bytes = op.weight_bytes + op.kv_bytes
    memory_s = n_bytes / (c.bandwidth * c.theta[_MEMORY_CONSTANT[op.kind]])
    efficiency = c.theta[_COMPUTE_CONSTANT[op.kind]]
    compute_s = _total([flops / (c.peak_flops[role] * efficiency) for role, flops in op.flops.items()])
    layers = op.layers
    if op.kind == "expert_gemm":
        imbalance = 1.0 + c.theta["expert_imbalance"] * np.log2(c.expert_ranks)
        layers = layers * imbalance * (1.0 + c.theta["expert_tile_width"] / _expert_slice(c))
    return Part(
        name=op.name,
        seconds=layers * smooth_max(np.asarray(memory_s), compute_s, float(c.theta["roofline_sharpness"])),
        memory_s=layers * memory_s,
        compute_s=layers * compute_s,
        n_bytes=op.layers * n_bytes,
        flops=op.layers * _total(list(op.flops.values())),
    )


def _adapters(c: Candidates, shape: StepShape) -> Part:
    """LoRA adapters (`performance.lora`): the smooth maximum of reading and computing them, and their kernels."""
    n_bytes, flops = c.lora.read_bytes(shape.sequences), c.lora.flops(shape.tokens)
    memory_s = n_bytes / (c.bandwidth * c.theta["weight_bandwidth_efficiency"])
    compute_s = flops / (c.peak_flops["norm"] * c.theta["gemm_efficiency"])
    work_s = smooth_max(memory_s, compute_s, float(c.theta["roofline_sharpness"]))
    return Part(
        "LoRA adapters", work_s + c.lora.kernels * c.theta["kernel_overhead_s"], memory_s, compute_s, n_bytes, flops
    )


def _expert_slice(c: Candidates) -> Array:
    """Intermediate width of an expert that one chip holds: tensor ranks cut experts, expert ranks do not."""
    e = c.model.experts[0]
    slice_: Array = np.maximum(expert_width(e, c.model.hidden), 1.0) * c.expert_ranks / c.shard.group
    return slice_


def _total(terms: list[Array]) -> Array:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _collectives(c: Candidates, shape: StepShape) -> tuple[Array, Array]:
    """Latency and transfer seconds of the exchanges after attention and around the feed-forward of each layer.

    The attention output is all-reduced over the tensor ranks. The feed-forward is all-reduced over the group;
    with attention data parallelism it is a dispatch and a combine instead, together the volume of a ring
    all-reduce of the tokens of all ranks, of which a rank sees the share 1 - (1 - 1/ep)^k that picks one of its
    experts (all of them when experts are not split). Every pipeline boundary adds one hop. A group that spans racks
    keeps what stays in a rack on its links (`rack_exchange_s`); context parallel ranks share a prompt's tokens.
    """
    rate = c.link_bytes_per_s * c.theta["link_efficiency"]
    latency_s = c.theta["collective_latency_s"] * c.latency_ratio
    met, exchanges = _exchange(c, shape.prefill)
    latency_a, byte_a = all_reduce_s(np.ones_like(rate), c.shard.tensor, latency_s, rate)
    latency_f, byte_f = all_reduce_s(met, c.shard.group, exchanges * latency_s, rate)
    hops, layers, hop_rate = c.pipeline - 1.0, c.model.layers, rate
    racks = np.isfinite(c.rack_chips)
    if np.any(racks):
        out = c.scale_out_bytes_per_s * c.theta["link_efficiency"]
        rack = np.where(racks, c.rack_chips, 1.0)
        spanning = rack_exchange_s(met, c.shard.group, rack, rate, out, exchanges > 1.0)
        byte_f = np.where(racks, spanning, byte_f)
        latency_f = np.where(racks, latency_f * c.constants.value("scale_out_latency_ratio"), latency_f)
        hop_rate = np.where(racks, out, rate)
    if shape.prefill:
        byte_a = byte_a / c.shard.context
    latency = layers * (latency_a + latency_f) + hops * latency_s
    byte_s = layers * (byte_a + byte_f) + hops / hop_rate
    return latency, shape.tokens * (c.model.hidden * BYTES_PER_ACTIVATION * byte_s)


def _context_exchange(c: Candidates, shape: StepShape) -> tuple[Array, Array]:
    """Latency and transfer seconds of what context parallel ranks exchange in every attention layer.

    A prompt: keys and values of the others, (r - 1)/r of those of all its tokens and of its cached prefix, gathered or
    passed round a ring (Liu et al., Ring Attention, arXiv 2310.01889; the volume is the same). Decoding:
    partial outputs and their log-sum-exp, sent to the rank that combines them and gathered again, the volume of a ring
    all-reduce (Bhatia et al., Helix Parallelism, arXiv 2507.07120). Neither is overlapped with attention.
    """
    ranks = np.asarray(c.shard.context)
    leaves = c.shard.tensor * ranks > c.rack_chips
    links = np.where(leaves, c.scale_out_bytes_per_s, c.link_bytes_per_s)
    ratio = np.where(leaves, c.constants.value("scale_out_latency_ratio"), c.latency_ratio)
    rate = links * c.theta["link_efficiency"]
    latency_s = np.where(ranks > 1.0, c.theta["collective_latency_s"] * ratio, 0.0)
    started: Array = np.zeros_like(rate)
    passed: Array = np.zeros_like(rate)
    for a in c.model.attentions:
        if shape.prefill:
            tokens = shape.sequences * shape.context + shape.tokens / 2.0
            held = a.kv_elements * c.kv_bytes / kv_shard(a, c.shard.tensor) + a.index_elements
            latency, transfer = latency_s, tokens * held * (ranks - 1.0) / ranks / rate
        else:
            each = partial_output_elements(a) * BYTES_PER_ACTIVATION + a.heads * _BYTES_PER_LOGSUMEXP
            latency, transfer = all_reduce_s(shape.tokens * each / c.shard.tensor, ranks, 2.0 * latency_s, rate)
        started, passed = started + a.layers * latency, passed + a.layers * transfer
    return started, passed


def _exchange(c: Candidates, prefill: bool) -> tuple[Array, Array]:
    """Tokens that a rank's feed-forward meets per token of its own, and messages per exchange (1 or 2).

    Ranks that share the tokens of a prompt send them to experts as ranks with tokens of their own do.
    """
    top_k = c.model.experts[0].top_k if c.model.experts else 1
    split = c.expert_ranks > 1.0
    share = np.where(split, 1.0 - (1.0 - 1.0 / c.expert_ranks) ** top_k, 1.0)
    many = c.shard.data * c.shard.context > 1.0 if prefill else c.shard.data > 1.0
    return np.where(many, c.shard.data * share, 1.0), np.where(many, 2.0, 1.0)


def _overheads(c: Candidates) -> list[Part]:
    """Fixed times of a step: kernels, expert dispatch, latent attention, host."""
    m, theta, zero = c.model, c.theta, np.zeros_like(c.bandwidth)
    shared_layers = sum(e.layers * np.sign(e.shared_parameters) for e in m.experts)
    kernels = m.layers * theta["kernels_per_layer"] + shared_layers * theta["kernels_shared_experts"]
    found = [
        ("kernel overhead", kernels * theta["kernel_overhead_s"]),
        ("expert dispatch", sum(e.layers for e in m.experts) * theta["moe_layer_overhead_s"]),
        ("latent attention overhead", _latent_layers(c) * theta["latent_attention_overhead_s"]),
        ("host per step", theta["step_overhead_s"]),
    ]
    return [Part(name, value + zero) for name, value in found if np.any(value > 0)]


def _latent_layers(c: Candidates) -> Array | float:
    """Attention blocks of many kernels: latent, compressed and recurrent ones count once, an indexer once more."""
    return sum(((_MANY_KERNELS[a.kind] + np.sign(a.index_elements)) * a.layers for a in c.model.attentions), start=0.0)


_MANY_KERNELS = {
    "gqa": 0.0, "sparse_gqa": 0.0, "mla": 1.0, "sparse_mla": 1.0, "compressed": 1.0,
    "linear": 1.0, "kda": 1.0, "mamba2": 1.0,
}  # fmt: skip
