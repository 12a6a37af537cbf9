"""Many models as one: the counts of each become a row of an array, so that one evaluation serves them all.

The formulas of the step time broadcast; they do not mind whether a count is a number or a column of numbers. A kind of
layer that a model lacks has zero layers in its row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from stackwright.llm.architecture import Attention, AttentionKind, Experts, FeedForward, Matrix, Model, Role, Shard

Array = NDArray[np.float64]
T = TypeVar("T", Attention, FeedForward, Experts)
R = TypeVar("R")


def stack(models: Sequence[Model]) -> Model:
    """One model whose counts are arrays of shape (n, 1), row i from `models[i]`; one distinct model stays as it is.

    Only counts are stacked: `id`, `native_precision` and `family` are those of the first and mean nothing.
    """
    if all(m is models[0] for m in models):
        return models[0]

    def column(get: Callable[[Model], float]) -> Any:
        return np.array([[float(get(m))] for m in models])

    return replace(
        models[0],
        hidden=column(lambda m: m.hidden),
        vocabulary=column(lambda m: m.vocabulary),
        layers=column(lambda m: m.layers),
        attentions=_attentions(models),
        feed_forwards=_feed_forwards(models),
        experts=_experts(models),
        norm_parameters=column(lambda m: m.norm_parameters),
        tied_embeddings=column(lambda m: m.tied_embeddings),
        lookup_parameters=column(lambda m: m.lookup_parameters),
    )


def take(stacked: R, rows: NDArray[np.int64]) -> R:
    """The given rows of a stacked model (or of a part of one); a model that is not stacked is returned as it is."""
    if isinstance(stacked, np.ndarray):
        return cast(R, stacked[rows]) if stacked.ndim == 2 else stacked
    if isinstance(stacked, tuple):
        return cast(R, tuple(take(v, rows) for v in stacked))
    if is_dataclass(stacked) and not isinstance(stacked, type):
        taken = replace(stacked, **{f.name: take(getattr(stacked, f.name), rows) for f in fields(stacked)})
        return cast(R, _present(taken) if isinstance(taken, Model) else taken)
    return stacked


def _present(model: Model) -> Model:
    """Without the kinds of layer that no row has."""
    return replace(
        model,
        attentions=tuple(a for a in model.attentions if np.any(a.layers)),
        feed_forwards=tuple(f for f in model.feed_forwards if np.any(f.layers)),
        experts=tuple(e for e in model.experts if np.any(e.layers)),
    )


def _columns(parts: Sequence[T | None], empty: dict[str, float], names: Sequence[str]) -> dict[str, Any]:
    """Columns of numeric fields; `empty` where a model has no such part."""
    return {name: np.array([[float(empty[name] if p is None else getattr(p, name))] for p in parts]) for name in names}


_SLOTS: tuple[tuple[str, AttentionKind, bool], ...] = (
    ("attention", "gqa", False),
    ("mla", "mla", False),
    ("sparse_mla", "sparse_mla", False),
    ("linear_attention", "linear", False),
    ("sliding_attention", "gqa", True),
    ("block_attention", "sparse_gqa", False),
    ("window_attention", "compressed", True),
    ("csa_attention", "compressed", True),
    ("hca_attention", "compressed", True),
    ("kda_attention", "kda", False),
    ("mamba", "mamba2", False),
)
"""Name, kind and whether it has a window: the kinds of attention, in the order of their operators."""
_UNLIMITED = ("window", "top_k", "compression")
_TEXT = ("name", "kind", "matrices")


def _attentions(models: Sequence[Model]) -> tuple[Attention, ...]:
    """One slot per kind of attention, and a further one where a model has several of a kind."""
    found = []
    for name, kind, windowed in _SLOTS:
        of_kind = [[a for a in m.attentions if _belongs(a, name, kind, windowed)] for m in models]
        for i in range(max(len(parts) for parts in of_kind)):
            slot = [parts[i] if i < len(parts) else None for parts in of_kind]
            found.append(_slot(name if i == 0 else f"{name}_{i + 1}", slot))
    return tuple(found)


def _belongs(a: Attention, name: str, kind: AttentionKind, windowed: bool) -> bool:
    """Whether a layer goes into a slot; compressed ones by name, since only some of them pick their entries."""
    return a.kind == kind and (a.window is not None) == windowed and (kind != "compressed" or a.name == name)


def _slot(name: str, parts: Sequence[Attention | None]) -> Attention:
    """Columns of one kind of attention; no limit on tokens, and no layer, where a model has none of it."""
    first = next(p for p in parts if p is not None)
    numbers = tuple(f.name for f in fields(Attention) if f.name not in (*_TEXT, *_UNLIMITED))
    empty = dict.fromkeys(numbers, 0.0) | {"kv_heads": 1.0, "heads": 1.0}
    columns = _columns(parts, empty, numbers)
    for limit in _UNLIMITED:
        values = [None if p is None else getattr(p, limit) for p in parts]
        if any(v is not None for v in values):
            columns[limit] = np.array([[np.inf if v is None else float(v)] for v in values])
    return replace(first, name=name, matrices=_matrices([p.matrices if p else () for p in parts]), **columns)


def _matrices(parts: Sequence[Sequence[Matrix]]) -> tuple[Matrix, ...]:
    """Matrices of one role and sharding added up."""
    kinds: dict[tuple[Role, Shard], None] = {}
    for matrices in parts:
        kinds.update(dict.fromkeys((m.role, m.shard) for m in matrices))
    return tuple(
        Matrix(
            f"{role} ({shard})",
            role,
            cast(
                float, np.array([[sum(m.parameters for m in p if (m.role, m.shard) == (role, shard))] for p in parts])
            ),
            shard,
        )
        for role, shard in kinds
    )


def _feed_forwards(models: Sequence[Model]) -> tuple[FeedForward, ...]:
    """One slot per feed-forward that a model has: most have one, those with layers of several widths more."""
    found = []
    for i in range(max(len(m.feed_forwards) for m in models)):
        parts = [m.feed_forwards[i] if i < len(m.feed_forwards) else None for m in models]
        first = next(p for p in parts if p is not None)
        layers: Any = np.array([[float(p.layers if p else 0)] for p in parts])
        found.append(replace(first, layers=layers, matrices=_matrices([p.matrices if p else () for p in parts])))
    return tuple(found)


def _experts(models: Sequence[Model]) -> tuple[Experts, ...]:
    parts = [m.experts[0] if m.experts else None for m in models]
    first = next((p for p in parts if p is not None), None)
    if first is None:
        return ()
    numbers = ("layers", "n_experts", "top_k", "expert_parameters", "shared_parameters", "router_parameters", "width")
    empty = dict.fromkeys(numbers, 0.0) | {"n_experts": 2.0, "top_k": 1.0}
    return (replace(first, **_columns(parts, empty, numbers)),)
