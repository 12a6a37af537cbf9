"""The measurement table: one row per operating point, in CSV (also .gz), JSON lines or Parquet.

Columns are those of the public contract (docs/measurements.md): times in seconds, rates in tokens/s per chip; an
empty cell means unknown. A malformed cell is an error that names file, row and column.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackwright.errors import InputError

_TEXT = (
    "id", "source", "date", "chip", "model", "weight_precision", "kv_precision", "engine", "engine_version", "mode",
    "speculative", "length_dist", "ttft_stat", "tpot_stat", "notes",
)  # fmt: skip
NUMBERS = (
    "n_chips", "tp", "pp", "ep", "attention_dp", "isl", "osl", "concurrency", "rounds", "request_rate",
    "ttft_s", "tpot_s", "ttft_p95_s", "ttft_p99_s", "tpot_p95_s", "tpot_p99_s",
    "output_tokens_per_s_per_chip", "total_tokens_per_s_per_chip", "watts_per_chip", "joules_per_output_token",
)  # fmt: skip
_COUNTS = ("n_chips", "tp", "pp", "ep", "attention_dp")
LARGEST = 1e12
REQUIRED = ("chip", "model", "engine", "isl", "osl")


@dataclass(frozen=True)
class Measurement:
    """One operating point: `text` columns as given ('' = unknown), `numbers` without the unknown ones.

    `row` is the line of the file (the header is line 1); `raw` the cells as read, for writing back.
    """

    row: int
    text: Mapping[str, str]
    numbers: Mapping[str, float]
    raw: Mapping[str, str]

    def number(self, name: str, default: float | None = None) -> float | None:
        """A numeric cell, or `default` where it is unknown."""
        return self.numbers.get(name, default)

    @property
    def id(self) -> str:
        """The id, or the row number where the table has none."""
        return self.text.get("id") or f"row {self.row}"


def read_measurements(path: Path) -> list[Measurement]:
    """All rows of a table. Raises `InputError` for a missing or repeated column or a malformed cell."""
    if path.suffix == ".parquet":
        return _measurements(path, _parquet_rows(path))
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror or error})") from None
    except (UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a UTF-8 text table, CSV or JSON lines, plain or .gz ({error})") from None
    lines = path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson"))
    rows = _json_rows(text, path) if lines else _csv_rows(text, path)
    return _measurements(path, rows)


def _measurements(path: Path, rows: Iterable[tuple[int, dict[str, str]]]) -> list[Measurement]:
    found = [_measurement(path, number, cells) for number, cells in rows]
    if not found:
        raise InputError(f"{path}: no rows")
    return found


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a Parquet file, numbered from 1; needs the extra `parquet`."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise InputError(f"{path}: reading Parquet needs pyarrow: pip install 'stackwright[parquet]'") from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, ArrowException) as error:
        raise InputError(f"{path}: not a Parquet table ({' '.join(str(error).split())})") from None
    missing = [c for c in REQUIRED if rows and c not in rows[0]]
    if missing:
        raise InputError(f"{path}: lacks the column {missing[0]!r}; needed: {', '.join(REQUIRED)}")
    for number, cells in enumerate(rows, 1):
        yield number, {k: "" if v is None else str(v) for k, v in cells.items()}


def _csv_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        _check_header(path, reader.fieldnames or [])
        for cells in reader:
            if None in cells or None in cells.values():
                raise InputError(f"{path}, line {reader.line_num}: number of cells differs from the header")
            yield reader.line_num, {k: (v or "").strip() for k, v in cells.items()}
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from None


def _check_header(path: Path, names: Sequence[str]) -> None:
    missing = [c for c in REQUIRED if c not in names]
    if missing:
        hint = "; separate the cells by commas" if len(names) == 1 and (";" in names[0] or "\t" in names[0]) else ""
        raise InputError(f"{path}: lacks the column {missing[0]!r}; needed: {', '.join(REQUIRED)}{hint}")
    twice = [c for c in names if names.count(c) > 1]
    if twice:
        raise InputError(f"{path}: has the column {twice[0]!r} twice")


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            cells: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: not valid JSON ({error})") from None
        if not isinstance(cells, dict):
            raise InputError(f"{path}, line {number}: expected a JSON object")
        missing = [c for c in REQUIRED if c not in cells]
        if missing:
            raise InputError(f"{path}, line {number}: lacks {missing[0]!r}")
        yield number, {k: "" if v is None else str(v).strip() for k, v in cells.items()}


def _measurement(path: Path, row: int, cells: Mapping[str, str]) -> Measurement:
    numbers = {}
    for name in NUMBERS:
        cell = cells.get(name, "")
        if cell == "" or cell.lower() == "nan":
            continue
        try:
            value = float(cell)
        except ValueError:
            raise InputError(f"{path}, line {row}: {name} = {cell!r} is not a number") from None
        if not 0 <= value <= LARGEST:
            raise InputError(f"{path}, line {row}: {name} = {cell} is not a number from 0 to {LARGEST:g}")
        if name in _COUNTS and value != int(value):
            raise InputError(f"{path}, line {row}: {name} = {cell} is not a whole number")
        numbers[name] = value
    text = {name: "" if cells.get(name, "").lower() == "nan" else cells.get(name, "") for name in _TEXT}
    return Measurement(row, text, numbers, cells)
