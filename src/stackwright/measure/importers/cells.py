"""From normalised values to rows of the measurement table, and back to CSV."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stackwright.measure.table import Measurement
from stackwright.measure.table import _measurement as parse_row

COLUMNS = (
    "id", "source", "date", "chip", "n_chips", "model", "weight_precision", "kv_precision", "engine", "engine_version",
    "mode", "tp", "pp", "ep", "attention_dp",
    "prefill_workers", "prefill_tp", "prefill_ep", "prefill_attention_dp",
    "decode_workers", "decode_tp", "decode_ep", "decode_attention_dp",
    "speculative", "isl", "osl", "length_dist", "concurrency", "rounds", "request_rate",
    "ttft_s", "ttft_stat", "tpot_s", "tpot_stat", "ttft_p99_s", "tpot_p99_s",
    "output_tokens_per_s_per_chip", "total_tokens_per_s_per_chip", "watts_per_chip", "joules_per_output_token",
    "moe_tp", "router", "notes",
)  # fmt: skip
"""The columns importers write. `moe_tp` (ranks that share one expert) and `router` (what spreads requests over
replicas) are theirs alone: the data gate reads them."""

Cell = str | int | float | None


def row(cells: Mapping[str, Cell], number: int, path: Path) -> Measurement:
    """A row of the table from values by column; None is unknown. `number` is the line in `path`."""
    unknown = set(cells) - set(COLUMNS)
    assert not unknown, f"no columns of the table: {unknown}"
    return parse_row(path, number, {name: _text(cells.get(name)) for name in COLUMNS})


def content_id(cells: Iterable[object]) -> str:
    """An id of 12 hexadecimal digits that depends on the content alone."""
    joined = "\x1f".join("" if cell is None else str(cell) for cell in cells)
    return hashlib.sha256(joined.encode()).hexdigest()[:12]


def as_csv(rows: Sequence[Measurement]) -> str:
    """Rows as CSV text with every column of the table that one of them has; `read_measurements` reads it back."""
    extra = sorted({name for r in rows for name in r.raw} - set(COLUMNS))
    out = io.StringIO()
    writer = csv.DictWriter(out, [*COLUMNS, *extra], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(r.raw for r in rows)
    return out.getvalue()


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:.10g}" if isinstance(cell, float) else str(cell).strip()
