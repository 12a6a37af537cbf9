"""NVIDIA's aiconfigurator on a fixed sample of the end-to-end measurements that its own wheel carries.

    python benchmarks/peers/aiconfigurator_sample.py              # run what is not done yet, then the summary
    python benchmarks/peers/aiconfigurator_sample.py --summary    # only the summary of what is done
    python benchmarks/peers/aiconfigurator_sample.py --settings   # print the call of every sampled row, run nothing

The peer lives in its own virtual environment; this file needs only the standard library around it. The result
holds the peer's answers, never a measured value: those are read from the installed wheel, row by row, when scored.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import logging
import re
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

VERSION = "0.12.0"
SEED = 20261123
TARGET = {"agg": 450, "disagg": 200}  # rows drawn of each part
LEAST = 12  # rows of a (system, backend) stratum, where it has so many
LARGEST_WORKER = 8  # chips of one aggregated replica; more is a multi-node total written into tp_size
LENGTH_SHARE = 0.9  # InferenceX draws lengths uniformly in 0.8-1.0 of the nominal length
MODES = ("SILICON", "HYBRID")  # measured kernel tables; where those fail, with estimates in their gaps
HERE = Path(__file__).resolve().parent
RESULT = HERE.parents[1] / "docs" / "scoreboard" / "peer-aiconfigurator.csv"

# Names in the sample -> configurations packaged in the wheel, as its own InferenceX adapter maps them.
PACKAGED = {
    "meta-llama/Llama-3.1-70B": "meta-llama/Meta-Llama-3.1-70B",
    "meta-llama/Llama-3.1-8B-Instruct": "meta-llama/Meta-Llama-3.1-8B",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "meta-llama/Meta-Llama-3.1-8B",
    "nvidia/Qwen3-32B-NVFP4": "Qwen/Qwen3-32B",
    "nvidia/DeepSeek-R1-NVFP4": "deepseek-ai/DeepSeek-R1",
}
GLM = {"fp4": "nvidia/GLM-5-NVFP4", "fp8": "zai-org/GLM-5-FP8"}
DENSE = ("Llama-3.1", "Qwen3-32B")
# Precision of the published checkpoint, where rows have the same: the peer may then infer its quantisation modes.
CHECKPOINT = {
    "deepseek-ai/DeepSeek-R1": "fp8",
    "deepseek-ai/DeepSeek-V3": "fp8",
    "MiniMaxAI/MiniMax-M2.5": "fp8",
    "Qwen/Qwen3-235B-A22B-FP8": "fp8",
    "moonshotai/Kimi-K2.5": "int4",
    "openai/gpt-oss-120b": "fp4",
}


@dataclass(frozen=True)
class Answer:
    """One line of the result: which row, what the peer said of it, at what cost."""

    row: int  # number of the row in silicon_sample.csv, from 0
    row_hash: str  # first 12 hex digits of the SHA-256 of the row's line
    part: str  # agg or disagg
    system: str
    backend: str
    ttft_ms: str = ""
    tpot_ms: str = ""
    database: str = ""  # SILICON or HYBRID
    precision: str = ""  # quantisation modes: those written in the row, or those the peer infers from the checkpoint
    version: str = ""  # version of the peer's kernel tables
    warning: str = ""
    failure: str = ""
    wall_s: str = ""
    cpu_s: str = ""


class Unusable(Exception):
    """A row whose layout or load cannot be told; it is not in the population that is sampled."""


# --- the sample ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One measured row of the wheel's sample."""

    number: int
    hash: str
    cells: dict[str, str]

    @property
    def part(self) -> str:
        return self.cells["mode"]

    @property
    def group(self) -> tuple[str, str, str]:
        return self.part, self.cells["system"], self.cells["backend"]

    @property
    def inferencex(self) -> bool:
        """Whether the row is of InferenceX (random lengths) rather than of NVIDIA's own fixed-length runs."""
        return not re.search("harrli|gap-analysis", self.cells["silicon_data_source"])

    @property
    def concurrency(self) -> int | None:
        found = re.search(r"silicon_concurrency=(\d+)", self.cells["silicon_data_source"])
        return int(found[1]) if found else None

    @property
    def moe(self) -> bool:
        return not any(name in self.cells["model_path"] for name in DENSE)

    def whole(self, column: str) -> int:
        """A count of the row; 0 where it is blank or zero."""
        return int(float(self.cells[column] or 0))

    def measured(self, column: str) -> float:
        return float(self.cells[f"silicon_{column}"])


def read_rows(path: Path) -> list[Row]:
    lines = path.read_text(encoding="utf-8").splitlines()
    header = next(csv.reader(lines[:1]))
    return [
        Row(i, hashlib.sha256(line.encode()).hexdigest()[:12], dict(zip(header, next(csv.reader([line])), strict=True)))
        for i, line in enumerate(lines[1:])
    ]


def unique(rows: Iterable[Row]) -> list[Row]:
    """One row for each measurement: repeated under other labels, it keeps the one that says most of itself."""

    def says(row: Row) -> tuple[bool, bool, str, int]:
        workers = row.part == "disagg" and not row.whole("decode_num_workers")
        return workers, row.concurrency is None, row.cells["silicon_data_source"], row.number

    first: dict[tuple[str, ...], Row] = {}
    for row in sorted(rows, key=says):
        same = (f"{row.measured('ttft_ms'):.6g}", f"{row.measured('tpot_ms'):.6g}")
        first.setdefault((row.part, row.cells["isl"], row.cells["osl"], *same), row)
    return sorted(first.values(), key=lambda row: row.number)


def sample(rows: list[Row]) -> tuple[list[Row], Counter[str]]:
    """The fixed stratified sample and, by reason, the unique rows that could not be in it."""
    refused: Counter[str] = Counter()
    strata: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in unique(rows):
        try:
            call_of(row)
        except Unusable as reason:
            refused[f"{row.part}: {reason}"] += 1
        else:
            strata[row.group].append(row)
    drawn: list[Row] = []
    for (part, _, _), members in sorted(strata.items()):
        total = sum(len(m) for (p, _, _), m in strata.items() if p == part)
        quota = max(min(LEAST, len(members)), round(TARGET[part] * len(members) / total))
        drawn += sorted(members, key=lambda r: hashlib.sha256(f"{SEED}|{r.hash}".encode()).hexdigest())[:quota]
    return drawn, refused


# --- from a row to the peer's call --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """Chips of one replica: attention tensor and data parallelism, expert tensor and expert parallelism."""

    tp: int
    dp: int
    moe_tp: int
    moe_ep: int


def layout(row: Row, prefix: str = "") -> Layout:
    """The layout of a replica, with the double counts of the sample undone.

    The `tp_size` of many expert-parallel InferenceX rows is tp x ep, and a server with attention data parallelism
    over all its k chips may be written tp = dp = k; both are one replica of k chips.
    """
    tp, dp, moe_tp, moe_ep = (
        max(1, row.whole(prefix + name)) for name in ("tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
    )
    if not row.moe:
        return Layout(tp, dp, 1, 1)
    if row.inferencex:
        if not prefix and moe_tp == moe_ep > 1 and moe_tp * moe_ep == tp * dp:
            chips = moe_ep
            return Layout(1, chips, 1, chips) if dp > 1 else Layout(chips, 1, 1, chips)
        if tp == dp > 1:
            chips, ep = tp, min(moe_ep, tp)
            return Layout(1, chips, chips // ep, ep)
    if tp * dp != moe_tp * moe_ep:
        raise Unusable("tp x dp is not moe_tp x moe_ep")
    return Layout(tp, dp, moe_tp, moe_ep)


def per_rank(load: int, ranks: int) -> int:
    """Concurrency of one attention rank, at least one request."""
    return max(1, round(load / ranks))


def call_of(row: Row) -> dict[str, Any]:
    """The arguments of `cli_estimate` for a row; whatever is not given keeps the peer's default."""
    load = row.concurrency
    if load is None:
        raise Unusable("concurrency not known")
    share = LENGTH_SHARE if row.inferencex else 1.0
    call: dict[str, Any] = {
        "model_path": _model(row),
        "system_name": row.cells["system"],
        "backend_name": row.cells["backend"],
        "mode": row.part,
        "isl": round(share * row.whole("isl")),
        "osl": round(share * row.whole("osl")),
        "gemm_quant_mode": row.cells["gemm_quant_mode"] or None,
        "moe_quant_mode": row.cells["moe_quant_mode"] or None if row.moe else None,
    }
    if row.part == "agg":
        one = layout(row)
        if one.tp * one.dp > LARGEST_WORKER:
            raise Unusable(f"more than {LARGEST_WORKER} chips: a multi-node total")
        return call | {"batch_size": per_rank(load, one.dp)} | _widths(one, row.moe)
    prefill_workers, decode_workers = row.whole("prefill_num_workers"), row.whole("decode_num_workers")
    if not prefill_workers or not decode_workers:
        raise Unusable("number of workers not known")
    prefill, decode = layout(row, "prefill_"), layout(row, "decode_")
    return (
        call
        | {"prefill_num_workers": prefill_workers, "prefill_batch_size": max(1, row.whole("prefill_batch_size"))}
        | {"decode_num_workers": decode_workers, "decode_batch_size": per_rank(load, decode.dp * decode_workers)}
        | _widths(prefill, row.moe, "prefill_")
        | _widths(decode, row.moe, "decode_")
    )


def attempts(row: Row) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Database mode, source of the precision and arguments, in order: measured tables come before estimates."""
    call = call_of(row)
    inferred = call | {"gemm_quant_mode": None, "moe_quant_mode": None}
    as_published = row.cells["precision"] == CHECKPOINT.get(row.cells["model_path"])
    for mode in MODES:
        yield mode, "row", call | {"database_mode": mode}
        if as_published:
            yield mode, "checkpoint", inferred | {"database_mode": mode}


def _model(row: Row) -> str:
    name = row.cells["model_path"]
    return GLM[row.cells["precision"]] if name == "zhipuai/GLM-5" else PACKAGED.get(name, name)


def _widths(one: Layout, moe: bool, prefix: str = "") -> dict[str, int]:
    widths = {"tp_size": one.tp, "attention_dp_size": one.dp}
    if moe:
        widths |= {"moe_tp_size": one.moe_tp, "moe_ep_size": one.moe_ep}
    return {prefix + name: value for name, value in widths.items()}


# --- asking the peer: runs inside its environment -----------------------------------------------------------------


def work(rows: list[Row]) -> None:
    """Ask the peer for every row and append each answer as it comes."""
    logging.disable(logging.WARNING)
    from aiconfigurator.cli.api import cli_estimate  # type: ignore[import-not-found, unused-ignore]

    for row in rows:
        append(_ask(cli_estimate, row))


def _ask(cli_estimate: Any, row: Row) -> Answer:
    wall, cpu = time.perf_counter(), time.process_time()
    told: dict[str, str] = {}
    for mode, precision, call in attempts(row):
        try:
            said = cli_estimate(**call)
        except Exception as problem:
            if precision == "row":
                told = {"failure": _short(f"{type(problem).__name__}: {problem}")}
            continue
        told = {
            "ttft_ms": f"{float(said.ttft):.6g}",
            "tpot_ms": f"{float(said.tpot):.6g}",
            "database": mode,
            "precision": precision,
            "version": said.backend_version,
            "warning": "batch exceeds KV capacity" if said.kv_cache_warning else "",
        }
        break
    cost = {"wall_s": f"{time.perf_counter() - wall:.2f}", "cpu_s": f"{time.process_time() - cpu:.2f}"}
    return replace(_blank(row), **told, **cost)


def _blank(row: Row) -> Answer:
    return Answer(row.number, row.hash, row.part, row.cells["system"], row.cells["backend"])


def _short(text: str) -> str:
    """One line of a message, without the places of the machine it ran on."""
    return re.sub(r"(?<![\w.])/[\w./-]*/", "", " ".join(text.split()))[:200]


def append(answer: Answer) -> None:
    fresh = not RESULT.exists()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    with RESULT.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Answer)], lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(asdict(answer))


def answers() -> dict[int, Answer]:
    if not RESULT.exists():
        return {}
    with RESULT.open(newline="", encoding="utf-8") as file:
        return {int(line["row"]): Answer(int(line.pop("row")), **line) for line in csv.DictReader(file)}


def run(environment: Path, drawn: list[Row]) -> None:
    """Every group in one process of the peer's environment, one after another, aggregated first."""
    for group in sorted({row.group for row in drawn}):
        while missing := [row for row in drawn if row.group == group and row.number not in answers()]:
            print(f"{' '.join(group):34s} {len(missing):4d} rows", flush=True)
            command = [_python(environment), __file__, "--environment", str(environment), "--group", *group]
            if (code := subprocess.run(command, check=False).returncode) == 0:
                continue
            done = answers()  # the process died: its row is a failure, and the group goes on behind it
            row = next((row for row in missing if row.number not in done), None)
            if row is not None:
                append(replace(_blank(row), failure=f"the process ended with code {code}"))


# --- environment and summary --------------------------------------------------------------------------------------


def _python(environment: Path) -> str:
    return str(environment / "bin" / "python")


def install(environment: Path) -> Path:
    """The peer's environment, made where it is missing; returns the wheel's sample of measurements."""
    found = "lib/python*/site-packages/aiconfigurator_core/systems/silicon_sample.csv"
    if not list(environment.glob(found)):
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        packages = [f"aiconfigurator=={VERSION}", f"aiconfigurator-core=={VERSION}"]
        subprocess.run([_python(environment), "-m", "pip", "install", "-q", *packages], check=True)
    return next(environment.glob(found))


def summary(rows: list[Row], drawn: list[Row]) -> Iterator[str]:
    """Failures, errors against the measured rows and cost, by part and by group."""
    done = answers()
    stale = [n for n, answer in done.items() if rows[n].hash != answer.row_hash]
    if stale:
        raise SystemExit(f"{len(stale)} rows of the result are not those of this wheel: {stale[:5]}")
    for part in TARGET:
        asked = [done[row.number] for row in drawn if row.part == part and row.number in done]
        if not asked:
            continue
        told = [answer for answer in asked if answer.tpot_ms]
        planned = sum(row.part == part for row in drawn)
        yield f"\n{part}: {planned} rows drawn, {len(asked)} asked, {len(told)} answered"
        for reason, count in Counter(_reason(answer.failure) for answer in asked if not answer.tpot_ms).most_common():
            yield f"  failed {count:4d}  {reason}"
        yield "  absolute % error, mean/median"
        yield f"  {'all':34s} {_errors(rows, told)}"
        for mode in MODES:
            for precision in ("row", "checkpoint"):
                kind = [a for a in told if (a.database, a.precision) == (mode, precision)]
                yield f"  {f'{mode}, modes of the {precision}':34s} {_errors(rows, kind)}"
        yield f"  {'without KV warning':34s} {_errors(rows, [a for a in told if not a.warning])}"
        for system, backend in sorted({(a.system, a.backend) for a in asked}):
            group = [a for a in told if (a.system, a.backend) == (system, backend)]
            yield f"  {f'{system} {backend}':34s} {_errors(rows, group)}"
        cpu, wall = ([float(getattr(a, n)) for a in asked if getattr(a, n)] for n in ("cpu_s", "wall_s"))
        yield (
            f"  CPU s per point: mean {statistics.mean(cpu):.2f}, median {statistics.median(cpu):.2f}, "
            f"wall mean {statistics.mean(wall):.2f}; table loads are in the first points of a group"
        )


def _errors(rows: list[Row], told: list[Answer]) -> str:
    if not told:
        return "n=0"
    text = f"n={len(told):<4d}"
    for name in ("tpot_ms", "ttft_ms"):
        errors = [100 * abs(float(getattr(a, name)) / rows[a.row].measured(name) - 1) for a in told]
        text += f" {name[:4].upper()} {statistics.mean(errors):6.1f} /{statistics.median(errors):6.1f} "
    return text


def _reason(failure: str) -> str:
    """A failure message without its numbers, to count alike ones together."""
    return re.sub(r"\d+(\.\d+)?", "#", failure)[:110]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", type=Path, default=HERE / ".venv", help="virtual environment of the peer")
    parser.add_argument("--summary", action="store_true", help="run nothing, print the summary")
    parser.add_argument("--settings", action="store_true", help="run nothing, print the call of every sampled row")
    parser.add_argument("--group", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    path = install(arguments.environment)
    rows = read_rows(path)
    drawn, refused = sample(rows)
    if arguments.group:
        done = answers()
        return work([row for row in drawn if row.group == tuple(arguments.group) and row.number not in done])
    if arguments.settings:
        for row in drawn:
            print(row.number, row.hash, call_of(row))
        return
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    print(f"aiconfigurator {VERSION}; {path.name} sha256 {digest}; seed {SEED}")
    print(f"{len(rows)} rows, {len(unique(rows))} unique, {len(drawn)} drawn; not in the population:")
    for reason, count in refused.most_common():
        print(f"  {count:5d}  {reason}")
    print(
        f"settings: newest current kernel tables, {' then '.join(MODES)}; batch = measured concurrency per attention "
        f"rank; lengths x {LENGTH_SHARE} for InferenceX rows; quantisation modes of the row, else of a checkpoint of "
        "the same precision; the rest as the peer defaults"
    )
    if not arguments.summary:
        run(arguments.environment, drawn)
    print("\n".join(summary(rows, drawn)))


if __name__ == "__main__":
    main()
