"""Which rows belong together: one network under several labels, one operating point measured twice, and folds.

Out-of-fold figures are only honest when what is known of a group cannot leak into its own prediction; the group is
therefore the network, not the label (DeepSeek R1 and V3 repeat the same runs), and folds take whole groups.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from stackwright.catalog import Catalog, load_catalog
from stackwright.errors import InputError
from stackwright.measure import Measurement

How = Literal["pair", "model", "chip", "random"]
HOW: tuple[How, ...] = ("pair", "model", "chip", "random")
_OUTPUT_RATE = "output_tokens_per_s_per_chip"
_METRICS = (
    "ttft_s", "tpot_s", _OUTPUT_RATE, "total_tokens_per_s_per_chip", "joules_per_output_token",
)  # fmt: skip
_LAYOUT = ("n_chips", "tp", "pp", "ep", "attention_dp")
POOLS = tuple(f"{pool}_{part}" for pool in ("prefill", "decode") for part in ("workers", "tp", "ep", "attention_dp"))
"""Columns of disaggregated rows, read from the cells as they are."""


def network(row: Measurement, catalog: Catalog) -> str:
    """The network a row runs: the group of its catalogue record, or its id; the name as given where it is unknown."""
    name = row.text["model"]
    try:
        entry = catalog.model(name)
    except InputError:
        return name.lower()
    return entry.group or entry.id


def chip_of(row: Measurement, catalog: Catalog) -> str:
    """Catalogue id of a row's chip, or the name as given where it is unknown."""
    try:
        return catalog.chip(row.text["chip"]).id
    except InputError:
        return row.text["chip"].lower()


def operating_point(row: Measurement, catalog: Catalog) -> str:
    """Everything that was set and nothing that was measured, without date and version: repeats share it."""
    where = (chip_of(row, catalog), network(row, catalog), row.text["engine"], row.text["weight_precision"])
    parts = [*where, row.text["mode"], row.text["speculative"]]
    parts += [figure(row, name) for name in (*_LAYOUT, "isl", "osl", "concurrency", "request_rate")]
    parts += [row.raw.get(name, "") for name in POOLS]
    return "|".join(parts)


def fold_groups(rows: Sequence[Measurement], how: How, catalog: Catalog | None = None) -> list[str]:
    """The group of each row that a fold must not split.

    `pair`: chip and network; `model`: network; `chip`: chip; `random`: operating point, so that repeats of one
    point stay together. Names resolve by the catalogue (the shipped one by default).
    """
    known = catalog or load_catalog()
    if how == "pair":
        return [f"{chip_of(r, known)}|{network(r, known)}" for r in rows]
    if how == "model":
        return [network(r, known) for r in rows]
    if how == "chip":
        return [chip_of(r, known) for r in rows]
    if how == "random":
        return [operating_point(r, known) for r in rows]
    raise InputError(f"unknown grouping {how!r}; known: {', '.join(HOW)}")


def folds(keys: Sequence[str], k: int, seed: int = 0) -> list[int]:
    """A fold from 0 to k - 1 for each row; rows of one key share it, and folds hold about as many rows each.

    Groups go, largest first, to the fold with the fewest rows; equal sizes are ordered by a hash of key and `seed`,
    so the same keys give the same folds on every machine. Raises `InputError` with fewer than 2 groups or folds.

    >>> folds(["a", "a", "b", "c", "c", "c"], 2)
    [0, 0, 0, 1, 1, 1]
    """
    sizes = Counter(keys)
    if k < 2 or len(sizes) < 2:
        raise InputError(f"{k} folds of {len(sizes)} groups: both must be at least 2")
    order = sorted(sizes, key=lambda key: (-sizes[key], hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()))
    filled = [0] * min(k, len(sizes))
    fold_of: dict[str, int] = {}
    for key in order:
        fold_of[key] = fold = filled.index(min(filled))
        filled[fold] += sizes[key]
    return [fold_of[key] for key in keys]


def row_hash(row: Measurement) -> str:
    """A hash of what was run and what came out, the same for the row as published and as the gate repairs it.

    Covers chip, model, engine, mode, lengths, load and the measured figures to 6 digits; not the layout, flags,
    id, source, date or notes, nor the output rate of disaggregated rows, which sources print per chip of other pools.
    """
    parts = [row.text[name].lower() for name in ("chip", "model", "engine", "mode", "ttft_stat", "tpot_stat")]
    parts += [figure(row, name) for name in ("isl", "osl", "concurrency", "request_rate")]
    pools = row.text["mode"] == "disaggregated"
    parts += ["" if pools and name == _OUTPUT_RATE else figure(row, name) for name in _METRICS]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def data_hash(rows: Iterable[Measurement]) -> str:
    """One hash of a set of rows, whatever their order."""
    return hashlib.sha256("\n".join(sorted(row_hash(r) for r in rows)).encode()).hexdigest()[:16]


def figure(row: Measurement, name: str) -> str:
    """A number of a row to 6 digits, '' where it is unknown."""
    value = row.number(name)
    return "" if value is None else f"{value:.6g}"


def same_run(row: Measurement) -> str:
    """Equal for rows that report one run: mode, lengths and measured figures to 6 digits.

    Two latencies identify a run whatever its labels say; rows without them also compare chip, model, engine,
    layout and load, since round throughputs repeat.
    """
    parts = [row.text["mode"], row.text["ttft_stat"], row.text["tpot_stat"]]
    parts += [figure(row, name) for name in ("isl", "osl", "ttft_s", "tpot_s")]
    if row.number("ttft_s") is None or row.number("tpot_s") is None:
        names = ("chip", "model", "engine", "engine_version", "weight_precision")
        parts += [row.text[name] for name in names]
        parts += [figure(row, name) for name in (*_METRICS, *_LAYOUT, "concurrency", "request_rate")]
    return "|".join(parts)
