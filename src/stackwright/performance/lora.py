r"""LoRA adapters of many tenants on one base model: their memory, and what they add to a step.

An adapter of rank r adds to a matrix of d_in inputs and d_out outputs a product of two small ones, r (d_in + d_out)
parameters (Hu et al., LoRA, arXiv 2106.09685, section 4.1), in BF16, divided over the tensor ranks as the matrix is
(Sheng et al., S-LoRA, arXiv 2311.03285, section 6). All adapters stay on the chips. A step reads those that its
sequences use; of N adapters that b sequences choose alike, that is

.. math:: N (1 - (1 - 1/N)^b)

and every token costs 2 r (d_in + d_out) FLOP, in two kernels that serve the whole batch (Chen et al., Punica,
arXiv 2310.18547, section 4: one that shrinks to rank r, one that expands).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stackwright.catalog import Chip, Engine
from stackwright.errors import InputError, UnsupportedError
from stackwright.llm import Model
from stackwright.llm.architecture import Matrix
from stackwright.performance.layout import Layout

Array = NDArray[np.float64]
Targets = Literal["attention", "all"]

LARGEST_RANK = 512  # the largest max_lora_rank that vLLM takes (docs.vllm.ai, LoRA configuration)
_BYTES = 2.0  # adapters are served in BF16
_KERNELS = 2.0  # shrink and expand
_MERGED = {"kv_proj": 2}  # matrices that are counted as one but adapted apart
_ADAPTED = frozenset({"gqa", "mla"})


@dataclass(frozen=True)
class Lora:
    """`adapters` of `rank` each, all resident, chosen alike; on the attention or on all dense projections."""

    adapters: int
    rank: int
    targets: Targets = "attention"

    def __str__(self) -> str:
        where = "attention projections" if self.targets == "attention" else "attention and feed-forward projections"
        return f"{self.adapters} LoRA adapters of rank {self.rank} on the {where}"


@dataclass(frozen=True)
class LoraLoad:
    """What the adapters of each candidate weigh on a chip, shape (n, 1).

    `elements`: r (d_in + d_out) of one adapter, over all layers of all stages; `kernels` per step; `adapters` resident
    (0: none).
    """

    adapters: Array
    elements: Array
    kernels: Array

    @property
    def any(self) -> bool:
        """Whether any candidate serves adapters."""
        return bool(self.adapters.any())

    @property
    def resident_bytes(self) -> Array:
        """Bytes of all adapters on one tensor rank, over all stages."""
        return self.adapters * self.elements * _BYTES

    def read_bytes(self, sequences: Array) -> Array:
        """Bytes of the different adapters that a batch of `sequences` reads in one step."""
        return distinct(self.adapters, sequences) * self.elements * _BYTES

    def flops(self, tokens: Array) -> Array:
        """FLOP of `tokens` through their adapters; none where there are no adapters."""
        return np.sign(self.adapters) * (2.0 * self.elements * tokens)


def distinct(adapters: Array | float, sequences: Array | float) -> Array:
    """Expected different adapters among `sequences` that choose one of `adapters` alike; 0 without adapters.

    >>> float(distinct(4.0, 1.0)), float(distinct(1.0, 9.0)), float(distinct(0.0, 9.0))
    (1.0, 1.0, 0.0)
    """
    n = np.maximum(np.asarray(adapters, dtype=float), 1.0)
    missed = np.where(n > 1.0, (1.0 - 1.0 / n) ** np.asarray(sequences), 0.0)
    met: Array = np.where(np.asarray(adapters) > 0.0, n * (1.0 - missed), 0.0)
    return met


def check_lora(lora: Lora, model: Model, engine: Engine, chip: Chip) -> None:
    """Raise `InputError` naming the first thing about the adapters that cannot be."""
    check_adapters(lora, model)
    if problem := lora_problem(engine, chip):
        known = f" (it does on {', '.join(engine.lora)})" if engine.lora else ""
        raise InputError(f"{problem}{known}")


def lora_problem(engine: Engine, chip: Chip) -> str | None:
    """Why this engine cannot serve adapters on this chip, or None."""
    if chip.family in engine.lora:
        return None
    return f"{engine.id} is not known to serve several LoRA adapters at once on {chip.family} chips"


def check_adapters(lora: Lora, model: Model) -> None:
    """Raise `InputError` where the adapters are out of range, `UnsupportedError` where the model is not covered."""
    if lora.adapters < 1:
        raise InputError(f"--lora-adapters must be 1 or more, not {lora.adapters}")
    if not 1 <= lora.rank <= LARGEST_RANK:
        raise InputError(f"--lora-rank must be from 1 to {LARGEST_RANK}, not {lora.rank}")
    strange = sorted({a.kind for a in model.attentions} - _ADAPTED)
    if strange:
        raise UnsupportedError(
            f"{model.id}: LoRA on {strange[0]} layers is not covered: only plain and latent attention"
        )


def lora_load(rows: Sequence[tuple[Model, Layout, Lora | None]]) -> LoraLoad:
    """The adapters of every candidate as arrays; zeros for those without."""
    found = [_one(*row) for row in rows]
    columns = [np.array([[float(f[i])] for f in found]) for i in range(3)]
    return LoraLoad(*columns)


def _one(model: Model, layout: Layout, lora: Lora | None) -> tuple[float, float, float]:
    if lora is None:
        return 0.0, 0.0, 0.0
    elements, kernels = 0.0, 0.0
    for a in model.attentions:
        split = {"tensor": layout.tp, "kv_heads": min(layout.tp, a.kv_heads)}
        for m in a.matrices:
            if m.role != "norm" and m.parameters:
                elements += a.layers * _dimensions(m, model.hidden) / split.get(m.shard, 1)
        kernels += a.layers * len({m.role for m in a.matrices if m.role != "norm"})
    if lora.targets == "all":
        for f in model.feed_forwards:
            elements += f.layers * sum(_dimensions(m, model.hidden) for m in f.matrices) / layout.group
            kernels += f.layers * 2
        for e in model.experts:
            width = e.shared_parameters / (3.0 * model.hidden)
            elements += e.layers * 3.0 * (model.hidden + width) * bool(width) / layout.group
            kernels += e.layers * 2 * bool(width)
    return float(lora.adapters), lora.rank * elements, _KERNELS * kernels


def _dimensions(m: Matrix, hidden: float) -> float:
    """d_in + d_out of a matrix: one side is the hidden size unless the matrix says otherwise."""
    side = m.side or hidden
    return _MERGED.get(m.name, 1) * side + m.parameters / side
