"""Chips whose figures are only known within a range: the same chip at the low and at the high end of it."""

from __future__ import annotations

from typing import Literal

from stackwright.catalog import Chip
from stackwright.catalog.records import Sourced

End = Literal["low", "high"]
GROUPS = ("compute", "memory", "link")

_UNSOLD = frozenset({"announced", "estimated"})
_WEAK = frozenset({"announced", "press", "assumption"})


def uncertain_figures(chip: Chip) -> dict[str, list[str]]:
    """Figures by group (compute, memory, link) whose range widens a prediction.

    Those of chips that are not sold yet, and elsewhere those that no maker and no measurement vouches for. The range
    of a data sheet figure (two makers' pages, a boost clock) is within what predictions miss anyway.
    """
    found = {}
    for name in GROUPS:
        group: Sourced | None = getattr(chip, name)
        if group is not None and (chip.status in _UNSOLD or group.confidence in _WEAK):
            ranged = sorted({*group.low, *group.high} - {"capacity_bytes"})
            if ranged:
                found[name] = ranged
    return found


def at_end(chip: Chip, end: End) -> Chip:
    """The chip with each uncertain figure at one end of its range (as it is where that end is not given)."""
    moved = {}
    for name, figures in uncertain_figures(chip).items():
        group: Sourced = getattr(chip, name)
        given: dict[str, float] = getattr(group, end)
        moved[name] = group.model_copy(update={f: given[f] for f in figures if f in given})
    return chip.model_copy(update=moved) if moved else chip


def range_words(chip: Chip, alone: bool = False) -> str:
    """The ranges for people: `compute -25..+25 %, memory -18 %`; the widest figure of each group.

    `alone`: one chip to a replica, whose links do not matter.
    """
    parts = []
    for name, figures in uncertain_figures(chip).items():
        if alone and name == "link":
            continue
        group: Sourced = getattr(chip, name)
        least = min(group.low.get(f, getattr(group, f)) / getattr(group, f) for f in figures)
        most = max(group.high.get(f, getattr(group, f)) / getattr(group, f) for f in figures)
        ends = [f"{100 * (ratio - 1):+.0f}" for ratio in (least, most) if abs(ratio - 1) > 0.005]
        parts.append(f"{name} {'..'.join(ends)} %")
    return ", ".join(parts)
