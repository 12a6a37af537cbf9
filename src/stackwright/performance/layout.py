"""How a model is spread over the chips of one replica, and whether it can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stackwright.catalog import Chip, Engine
from stackwright.errors import InputError
from stackwright.llm import Model

_SPLIT_BY_TOKENS = ("gqa", "mla", "sparse_mla")  # kinds of attention whose context parallel split is modelled
Phase = Literal["", "prefill", "decode"]


@dataclass(frozen=True, order=True)
class Layout:
    """Parallel sizes and precisions of one aggregated replica.

    `tp` tensor parallel ranks of the attention, `attention_dp` data-parallel copies of it, `pp` pipeline
    stages, `ep` ranks over which experts are split (the rest of the group shards inside an expert), `cp` context
    parallel ranks, over which the tokens of a prompt and its cache are split.
    """

    tp: int = 1
    pp: int = 1
    ep: int = 1
    attention_dp: int = 1
    weight_precision: str = "bf16"
    kv_precision: str = "bf16"
    cp: int = 1

    @property
    def group(self) -> int:
        """Chips of one pipeline stage."""
        return self.tp * self.attention_dp * self.cp

    @property
    def n_chips(self) -> int:
        """Chips of one replica."""
        return self.group * self.pp

    def __str__(self) -> str:
        parts = [f"tp{self.tp}"]
        sizes = (("pp", self.pp), ("ep", self.ep), ("dp", self.attention_dp), ("cp", self.cp))
        parts += [f"{k}{v}" for k, v in sizes if v > 1]
        return " ".join(parts)


def check_layout(layout: Layout, model: Model, engine: Engine, chip: Chip) -> None:
    """Raise `InputError` naming the first thing that makes this layout impossible."""
    reason = layout_problem(layout, model, engine, chip)
    if reason:
        raise InputError(f"{model.id} on {chip.id} with {engine.id}, {layout}: {reason}")


def layout_problem(layout: Layout, model: Model, engine: Engine, chip: Chip, phase: Phase = "") -> str | None:
    """Why this layout is impossible, in one sentence, or None; `phase` of a worker that only runs one of both."""
    for name in ("tp", "pp", "ep", "attention_dp", "cp"):
        if getattr(layout, name) < 1:
            return f"{name} must be at least 1"
    return (
        _divides(layout, model)
        or _engine_runs(layout, model, engine, chip)
        or _context_parallel(layout, model, engine, phase)
    )


def _context_parallel(layout: Layout, model: Model, engine: Engine, phase: Phase) -> str | None:
    """Why context parallelism is not to be had: the engine's, or a kind of attention whose split is not modelled."""
    if layout.cp == 1:
        return None
    needed = (phase,) if phase else ("prefill", "decode")
    offered = engine.ways.context_parallel if engine.ways else ()
    lacking = [p for p in needed if p not in offered]
    if lacking:
        where = f" of a {phase} worker" if phase else " of an aggregated replica (it needs both)"
        return f"{engine.id} has no {' and no '.join(lacking)} context parallelism{where}"
    if any(a.window is not None or a.kind not in _SPLIT_BY_TOKENS for a in model.attentions):
        return "context parallelism is modelled for full and latent attention only, not for windows or linear layers"
    return None


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
        sizes = "tp x attention_dp" + (" x cp" if layout.cp > 1 else "")
        return f"expert parallel {layout.ep} does not divide the {layout.group} chips of a stage ({sizes})"
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
