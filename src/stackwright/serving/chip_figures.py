"""Intervals of chips whose figures are known within a range only: wider by what the ends of the range change.

Each metric is evaluated again with all figures of the chip (arithmetic, memory, link) at the low and at the high end of
their ranges. A range of a chip that nobody has measured is no 90 % interval and its maker errs to one side, so the
change of ln(metric) is added to the end it lies at, as if the chip and the model missed together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stackwright.catalog import Chip
from stackwright.performance.candidates import Candidates
from stackwright.performance.chip_ranges import range_words, uncertain_figures
from stackwright.performance.pools import Pooled, Served
from stackwright.serving.intervals import Metrics, Uncertain, Z

Array = NDArray[np.float64]
Evaluate = Callable[[Served], Metrics]

_PART = "chip figures"
_TOLD = {"TTFT": "ttft_mean_s", "TPOT": "tpot_mean_s"}
_WORTH_TELLING = 1.01


def has_ranges(c: Served) -> bool:
    """Whether any chip of these candidates has a range."""
    return any(w.low is not None for w in _workers(c))


def with_ranges(
    found: Uncertain, c: Served, load: Array, figures: Callable[[Served, Array], Evaluate], whole: bool
) -> Uncertain:
    """`found` (rows of `c` at `load`, shape (n, 1)) with the ranges of the chips that have one.

    `figures` makes, of candidates and their load, what evaluates them. Rows of other chips stay as they are and are
    not evaluated again, unless the traffic has a row for each (`whole`).
    """
    sides = [[bool(uncertain_figures(entry.chip)) for entry in part.entries] for part in _workers(c)]
    ranged = np.any(sides, axis=0)
    if not ranged.any():
        return found
    if whole or ranged.all():
        return widened(found, c, figures(c, load))
    rows = np.nonzero(ranged)[0]
    part, at = c.take(rows), np.broadcast_to(load, (len(ranged), load.shape[-1]))[rows]
    wider = widened(found.take(rows), part, figures(part, at))
    ends = {k: (np.array(low), np.array(high)) for k, (low, high) in found.ends.items()}
    for name, (low, high) in wider.ends.items():
        ends[name][0][rows], ends[name][1][rows] = low, high
    parts: dict[str, Metrics] = dict(found.parts)
    if _PART in wider.parts:
        own = {k: np.zeros_like(v) for k, v in found.value.items()}
        for name, value in wider.parts[_PART].items():
            own[name][rows] = value
        parts[_PART] = own
    return replace(found, ends=ends, parts=parts)


def widened(found: Uncertain, c: Served, evaluate: Evaluate) -> Uncertain:
    """`found` with the ranges of the chips of `c`; `evaluate` gives the metrics of candidates like `c`."""
    base = evaluate(c)
    moved = [evaluate(_at(c, end)) for end in ("low", "high")]
    ends: dict[str, tuple[Array, Array]] = {}
    part: dict[str, Array] = {}
    for name, value in found.value.items():
        at_low, at_high = (_change(m[name], base[name]) for m in moved)
        none = np.zeros_like(value)
        low, high = found.ends[name]
        ends[name] = (
            low + np.minimum(np.minimum(at_low, at_high), none),
            high + np.maximum(np.maximum(at_low, at_high), none),
        )
        part[name] = (at_high - at_low) / (2.0 * Z)
    parts: Mapping[str, Metrics] = {**found.parts, _PART: part} if found.parts else {}
    return replace(found, ends=ends, parts=parts)


def without_ranges(c: Served) -> Served:
    """The same candidates as if every figure of their chips were exact."""
    if isinstance(c, Pooled):
        return replace(c, prefill=_exact(c.prefill), decode=_exact(c.decode))
    return _exact(c)


def range_note(c: Served, spread: Uncertain, plain: Uncertain) -> str | None:
    """What the ranges of the (one) chip of `c` add to its intervals: `spread` with them, `plain` without."""
    chip = _chips(c)[0]
    wider = []
    for words, name in _TOLD.items():
        (low, high), (low_0, high_0) = spread.ends[name], plain.ends[name]
        ratio = float(((high - low) / (high_0 - low_0)).flat[0])
        if ratio > _WORTH_TELLING:
            wider.append(f"{words} {ratio:.2f} times as wide")
    if not wider:
        return None
    status = f"{chip.status} or " if chip.status in ("announced", "estimated") else ""
    return (
        f"figures of {chip.id} are {status}known within a range only ({range_words(chip)}): interval (of ln) of "
        f"{', of '.join(wider)}"
    )


def _workers(c: Served) -> tuple[Candidates, ...]:
    return (c.prefill, c.decode) if isinstance(c, Pooled) else (c,)


def _chips(c: Served) -> list[Chip]:
    return [entry.chip for entry in _workers(c)[-1].entries]


def _at(c: Served, end: str) -> Served:
    if isinstance(c, Pooled):
        return replace(c, prefill=_moved(c.prefill, end), decode=_moved(c.decode, end))
    return _moved(c, end)


def _moved(c: Candidates, end: str) -> Candidates:
    rates = c.low if end == "low" else c.high
    return c if rates is None else c.at(rates)


def _exact(c: Candidates) -> Candidates:
    return replace(c, low=None, high=None)


def _change(moved: Array, base: Array) -> Array:
    """ln(moved / base); 0 where either is infinite."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.log(moved / base), nan=0.0, posinf=0.0, neginf=0.0)
