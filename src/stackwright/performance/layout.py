"""How a model is spread over the chips of one replica, and whether it can be."""

from __future__ import annotations

from dataclasses import dataclass

from stackwright.catalog import Chip, Engine
from stackwright.errors import InputError
from stackwright.llm import Model


@dataclass(frozen=True, order=True)
class Layout:
    """Parallel sizes and precisions of one aggregated replica.

    `tp` tensor parallel ranks of the attention, `attention_dp` data-parallel copies of it, `pp` pipeline
    stages, `ep` ranks over which experts are split (the rest of the group shards inside an expert).
    """

    tp: int = 1
    pp: int = 1
    ep: int = 1
    attention_dp: int = 1
    weight_precision: str = "bf16"
    kv_precision: str = "bf16"

    @property
    def group(self) -> int:
        """Chips of one pipeline stage."""
        return self.tp * self.attention_dp

    @property
    def n_chips(self) -> int:
        """Chips of one replica."""
        return self.group * self.pp

    def __str__(self) -> str:
        parts = [f"tp{self.tp}"]
        parts += [f"{k}{v}" for k, v in (("pp", self.pp), ("ep", self.ep), ("dp", self.attention_dp)) if v > 1]
        return " ".join(parts)


def check_layout(layout: Layout, model: Model, engine: Engine, chip: Chip) -> None:
    """Raise `InputError` naming the first thing that makes this layout impossible."""
    reason = layout_problem(layout, model, engine, chip)
    if reason:
        raise InputError(f"{model.id} on {chip.id} with {engine.id}, {layout}: {reason}")


def layout_problem(layout: Layout, model: Model, engine: Engine, chip: Chip) -> str | None:
    """Why this layout is impossible, in one sentence, or None."""
    for name in ("tp", "pp", "ep", "attention_dp"):
        if getattr(layout, name) < 1:
            return f"{name} must be at least 1"
    return _divides(layout, model) or _engine_runs(layout, model, engine, chip)


def _divides(layout: Layout, model: Model) -> str | None:
    for a in model.attentions:
        if a.heads % layout.tp:
            return f"tensor parallel {layout.tp} does not divide {a.heads} attention heads"
        if a.kind in ("gqa", "sparse_gqa") and a.kv_heads % layout.tp and layout.tp % a.kv_heads:
            return f"tensor parallel {layout.tp} and {a.kv_heads} key-value heads do not divide each other"
    if layout.pp > model.layers:
        return f"{layout.pp} pipeline stages for {model.layers} layers"
    if not model.experts and (layout.ep > 1 or layout.attention_dp > 1):
        return "expert and attention data parallelism are for mixture-of-experts models: use more replicas"
    if layout.group % layout.ep:
        return f"expert parallel {layout.ep} does not divide the {layout.group} chips of a stage (tp x attention_dp)"
    for e in model.experts:
        if e.n_experts % layout.ep:
            return f"expert parallel {layout.ep} does not divide {e.n_experts} experts"
    return None


def _engine_runs(layout: Layout, model: Model, engine: Engine, chip: Chip) -> str | None:
    support = next((s for s in engine.supports if chip.family in s.families), None)
    if support is None:
        return f"{engine.id} does not run on {chip.family} chips"
    if chip.unpublished:
        return chip.unpublished
    if layout.n_chips > 1 and chip.link.scale_up_kind == "none":
        return f"{chip.id} has no links to other chips: one chip to a replica"
    if layout.tp > 1 and not engine.tensor_parallel:
        return f"{engine.id} has no tensor parallelism: it splits a model by layers (pp)"
    missing = model.traits - set(support.architectures or engine.architectures)
    if missing:
        return f"{engine.id} does not run {', '.join(sorted(missing))} models on {chip.family} chips here"
    if layout.weight_precision not in support.weights:
        have = ", ".join(support.weights)
        return f"{engine.id} has no {layout.weight_precision} weights on {chip.family} (it has {have})"
    if layout.kv_precision not in support.kv:
        have = ", ".join(support.kv)
        return f"{engine.id} has no {layout.kv_precision} KV cache on {chip.family} (it has {have})"
    if layout.pp > 1 and not engine.pipeline_parallel:
        return f"{engine.id} has no pipeline parallelism"
    return _degree("expert parallelism", layout.ep, engine.expert_parallel, layout, engine) or _degree(
        "attention data parallelism", layout.attention_dp, engine.attention_data_parallel, layout, engine
    )


def _degree(name: str, size: int, freedom: str, layout: Layout, engine: Engine) -> str | None:
    """Why a parallel size above one is not to be had from an engine that offers none of it, or only the whole group."""
    if size == 1:
        return None
    if freedom == "none":
        return f"{engine.id} has no {name}"
    if freedom == "whole" and size != layout.group:
        return f"{engine.id} runs {name} over the whole group of {layout.group} chips or not at all, not {size}"
    return None
