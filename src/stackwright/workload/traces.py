"""Request traces: who asked when, with how many tokens in and out, and which prefixes they share.

Three published layouts are read, plain or gzipped:

- CSV of the Azure LLM inference traces: `TIMESTAMP,ContextTokens,GeneratedTokens` (date-time, or seconds);
- JSON lines of the Mooncake traces: `timestamp` (ms), `input_length`, `output_length`, and optionally
  `hash_ids`, one id for each block of 512 prompt tokens, the last block possibly partial;
- JSON lines of a vLLM benchmark log: `arrival_time` (s), `input_toks`, `output_toks`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from stackwright.errors import InputError
from stackwright.workload.checks import positive
from stackwright.workload.fit import fit_lengths
from stackwright.workload.traffic import Workload

HASH_BLOCK_TOKENS = 512
AZURE_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_JSON_LAYOUTS = (
    (("timestamp", "input_length", "output_length"), 1e-3),
    (("arrival_time", "input_toks", "output_toks"), 1.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Requests in order of arrival.

    `arrival_s`: seconds since the first request, never falling, shape (n,); `input_tokens`, `output_tokens`:
    shape (n,), all at least 1; `hash_ids`: per request the ids of its prompt blocks of `HASH_BLOCK_TOKENS`
    tokens, equal ids meaning equal text from the start of the prompt to the end of that block, or None when
    not recorded.
    """

    arrival_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    hash_ids: tuple[tuple[int, ...], ...] | None
    name: str
    source: str

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def span_s(self) -> float:
        """Seconds from the first to the last arrival."""
        return float(self.arrival_s[-1] - self.arrival_s[0])

    @property
    def rate_per_s(self) -> float:
        """Mean requests per second: gaps over span. `InputError` when all arrive at once."""
        if self.span_s <= 0:
            raise InputError(f"trace {self.name!r}: all requests arrive at the same instant, so it has no rate")
        return (len(self) - 1) / self.span_s

    @property
    def is_quantised(self) -> bool:
        """True when over half of the gaps are exactly 0: the stamps are ticks and hide short bursts."""
        return len(self) > 1 and float((np.diff(self.arrival_s) == 0).mean()) > 0.5

    @property
    def arrival_cv(self) -> float | None:
        """Standard deviation / mean of the gaps, or None when the stamps cannot tell (quantised, or under 3).

        The Mooncake conversation trace is such a case: 12,031 requests on 1,180 ticks about 3 s apart.
        """
        if len(self) < 3 or self.is_quantised or self.span_s <= 0:
            return None
        gaps = np.diff(self.arrival_s)
        return float(gaps.std() / gaps.mean())

    def dispersion(self, window_s: float) -> float | None:
        """Variance / mean of the counts in successive whole windows (1 = Poisson); None under 2 windows."""
        n_windows = int(self.span_s // positive(window_s, "window (seconds)"))
        if n_windows < 2:
            return None
        inside = self.arrival_s[self.arrival_s < n_windows * window_s]
        counts = np.bincount((inside // window_s).astype(np.int64), minlength=n_windows)
        return float(counts.var() / counts.mean())

    def prefix_hit_tokens(self) -> NDArray[np.int64]:
        """Prompt tokens that a prefix cache which forgets nothing would hold, per request, shape (n,).

        A block hits when it and all blocks before it were seen in an earlier request. Zeros without
        `hash_ids`.
        """
        hits = np.zeros(len(self), dtype=np.int64)
        seen: set[int] = set()
        for row, blocks in enumerate(self.hash_ids or ()):
            known = 0
            while known < len(blocks) and blocks[known] in seen:
                known += 1
            hits[row] = known * HASH_BLOCK_TOKENS
            seen.update(blocks)
        return np.minimum(hits, self.input_tokens)

    @property
    def prefix_hit_rate(self) -> float:
        """Share of all input tokens in `prefix_hit_tokens`: an upper bound for a cache of finite size."""
        return float(self.prefix_hit_tokens().sum() / self.input_tokens.sum())

    def jittered(self, rng: np.random.Generator) -> Trace:
        """Requests of one tick spread at random up to the next tick, order kept: for quantised stamps."""
        ticks, first, count = np.unique(self.arrival_s, return_index=True, return_counts=True)
        if len(ticks) < 2:
            return self
        width = np.diff(ticks, append=ticks[-1] + np.median(np.diff(ticks)))
        arrival = self.arrival_s.copy()
        for start, n, step in zip(first, count, width, strict=True):
            arrival[start : start + n] += np.sort(rng.random(n)) * step
        return replace(self, arrival_s=arrival - arrival[0])

    def with_rate(self, rate_per_s: float) -> Trace:
        """The same requests with time stretched to that mean rate (requests per second)."""
        factor = self.rate_per_s / positive(rate_per_s, "request rate (per second)")
        return replace(self, arrival_s=self.arrival_s * factor)

    def head(self, n: int) -> Trace:
        """The first `n` requests (all when there are fewer)."""
        if n < 1:
            raise InputError(f"trace {self.name!r}: the number of requests to keep must be at least 1, got {n}")
        return replace(
            self,
            arrival_s=self.arrival_s[:n],
            input_tokens=self.input_tokens[:n],
            output_tokens=self.output_tokens[:n],
            hash_ids=None if self.hash_ids is None else self.hash_ids[:n],
        )

    def to_workload(self) -> Workload:
        """The trace as a `Workload`: fitted lengths, mean rate, arrival cv, prefix hits without a cache limit.

        Quantised stamps give no cv; then Poisson (cv 1) is assumed and `source` says so.
        """
        cv = self.arrival_cv
        note = "" if cv is not None else "; arrival cv not measurable from its time stamps, Poisson assumed"
        return Workload(
            self.name,
            fit_lengths(self.input_tokens),
            fit_lengths(self.output_tokens),
            prefix_hit_rate=self.prefix_hit_rate,
            arrival_cv=1.0 if cv is None else cv,
            rate_per_s=self.rate_per_s,
            source=self.source + note,
        )


def read_trace(path: Path | str, name: str | None = None, source: str | None = None) -> Trace:
    """Read a trace file (.csv, .jsonl, either with .gz), strictly.

    Errors: `InputError` naming the file and the line for a missing column, a broken row, a NaN, a token count
    below 1, a negative time, or a time before the one above it; and for an unknown ending or an unreadable
    file.
    """
    path = Path(path)
    plain = path.name.removesuffix(".gz")
    if plain.endswith(".csv"):
        rows = _azure_rows
    elif plain.endswith(".jsonl"):
        rows = _json_rows
    else:
        raise InputError(f"{path}: a trace file ends in .csv or .jsonl, optionally with .gz")
    arrival: list[float] = []
    inputs: list[int] = []
    outputs: list[int] = []
    blocks: list[tuple[int, ...] | None] = []
    line = 0
    try:
        with _open_text(path) as text:
            for line, (time_s, n_in, n_out, ids) in rows(text):
                if arrival and time_s < arrival[-1]:
                    raise _RowError(line, f"time goes back by {arrival[-1] - time_s:g} s; sort the trace by time")
                if blocks and (ids is None) != (blocks[0] is None):
                    raise _RowError(line, "'hash_ids' must be on every row or on none")
                arrival.append(time_s)
                inputs.append(n_in)
                outputs.append(n_out)
                blocks.append(ids)
    except _RowError as error:
        raise InputError(f"{path}, line {error.line}: {error.reason}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a UTF-8 text file") from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read trace {path}: {reason}") from None
    except csv.Error as error:
        raise InputError(f"{path}, after line {line}: {error}") from None
    if not arrival:
        raise InputError(f"{path}: the trace holds no requests")
    times = np.array(arrival, dtype=np.float64)
    complete = tuple(ids for ids in blocks if ids is not None)
    return Trace(
        times - times[0],
        np.array(inputs, dtype=np.int64),
        np.array(outputs, dtype=np.int64),
        complete or None,
        name or plain.rsplit(".", 1)[0],
        source or f"trace file {path.name}",
    )


class _RowError(Exception):
    def __init__(self, line: int, reason: str) -> None:
        self.line, self.reason = line, reason


_Row = tuple[int, tuple[float, int, int, tuple[int, ...] | None]]


def _open_text(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _azure_rows(text: IO[str]) -> Iterator[_Row]:
    reader = csv.reader(text)
    header = [cell.strip() for cell in next(reader, [])]
    missing = [column for column in AZURE_COLUMNS if column not in header]
    if missing:
        raise _RowError(1, f"missing column {', '.join(missing)}; a trace needs {','.join(AZURE_COLUMNS)}")
    where = [header.index(column) for column in AZURE_COLUMNS]
    zero: datetime | None = None
    for cells in reader:
        line = reader.line_num
        if not cells:
            continue
        if len(cells) != len(header):
            raise _RowError(line, f"has {len(cells)} fields, the header has {len(header)}")
        stamp, n_in, n_out = (cells[i].strip() for i in where)
        try:
            time_s = float(stamp)
        except ValueError:
            try:
                moment = datetime.fromisoformat(stamp)
                zero = zero or moment
                time_s = (moment - zero).total_seconds()
            except (ValueError, TypeError):
                raise _RowError(line, f"TIMESTAMP {stamp!r} is not a date-time like the others") from None
            if line > 2 and time_s < 0:
                raise _RowError(line, "time goes back before the first request; sort the trace by time") from None
        else:
            if zero is not None:
                raise _RowError(line, f"TIMESTAMP {stamp!r} is not a date-time like the others")
            time_s = _seconds(time_s, "TIMESTAMP", 1.0, line)
        yield (
            line,
            (time_s, _tokens(n_in, AZURE_COLUMNS[1], line), _tokens(n_out, AZURE_COLUMNS[2], line), None),
        )


def _json_rows(text: IO[str]) -> Iterator[_Row]:
    for line, raw in enumerate(text, 1):
        if not raw.strip():
            continue
        try:
            row = json.loads(raw)
        except (ValueError, RecursionError):
            raise _RowError(line, "not valid JSON") from None
        if not isinstance(row, dict):
            raise _RowError(line, "not a JSON object")
        keys, to_seconds = next((x for x in _JSON_LAYOUTS if x[0][0] in row), _JSON_LAYOUTS[0])
        missing = [key for key in keys if key not in row]
        if missing:
            raise _RowError(line, f"missing {', '.join(repr(key) for key in missing)}")
        time_s = _seconds(row[keys[0]], keys[0], to_seconds, line)
        n_in, n_out = _tokens(row[keys[1]], keys[1], line), _tokens(row[keys[2]], keys[2], line)
        yield line, (time_s, n_in, n_out, _blocks(row, n_in, line) if "hash_ids" in row else None)


def _seconds(value: Any, what: str, factor: float, line: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise _RowError(line, f"{what} is not a finite number: {value!r}")
    if value < 0:
        raise _RowError(line, f"{what} is negative: {value!r}")
    return value * factor


def _tokens(value: Any, what: str, line: int) -> int:
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        if not number.is_integer():
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise _RowError(line, f"{what} is not a whole number of tokens: {value!r}") from None
    if not 1 <= number < 2**53:
        raise _RowError(line, f"{what} must be at least 1 token, got {value!r}")
    return int(number)


def _blocks(row: dict[str, Any], n_in: int, line: int) -> tuple[int, ...]:
    ids = row["hash_ids"]
    if not isinstance(ids, list) or any(isinstance(i, bool) or not isinstance(i, int) for i in ids):
        raise _RowError(line, "'hash_ids' is not a list of whole numbers")
    expected = -(-n_in // HASH_BLOCK_TOKENS)
    if len(ids) != expected:
        raise _RowError(
            line, f"'hash_ids' has {len(ids)} blocks, but {n_in} tokens are {expected} of {HASH_BLOCK_TOKENS}"
        )
    return tuple(ids)
