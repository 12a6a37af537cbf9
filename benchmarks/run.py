"""`make bench`: speed of evaluation, of whole questions (cold process) and of start-up.

CPU seconds are the figures to compare; wall time depends on the machine's other work. Medians of several runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from stackwright import SLO, load_catalog, load_constants
from stackwright.api.given import traffic_named
from stackwright.performance import Candidates, candidates
from stackwright.planner import Question, resolve_model
from stackwright.planner.stacks.space import space
from stackwright.serving import closed_loop, open_loop
from stackwright.serving.prediction import service_metrics, spread_of
from stackwright.workload import Workload

Row = dict[str, Any]
LOADS = np.unique(np.round(np.geomspace(1, 4096, 37)))[None, :]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement")
    arguments = parser.parse_args()
    rows = [*evaluation(arguments.runs), *questions(arguments.runs), *start_up(arguments.runs)]
    if arguments.json:
        print(json.dumps({"machine": machine(), "rows": rows}, indent=1))
        return
    print(machine())
    for row in rows:
        print(f"{row['what']:66s} {row['value']:>14,.3f} {row['unit']:28s} target {row['target']}")


def machine() -> str:
    """The machine in words."""
    return f"Python {platform.python_version()}, NumPy {np.__version__}, {os.cpu_count()} CPUs, {platform.machine()}"


def evaluation(runs: int) -> list[Row]:
    """Operating points per CPU-second: TTFT and TPOT mean and p95, throughput and power of each point."""
    model, c = _space("deepseek-ai/DeepSeek-R1")
    chat = traffic_named("chat")
    users = Workload("bench", chat.input, chat.output, concurrency=1.0)
    blocks = [c.take(np.arange(i, min(i + 128, len(c)))) for i in range(0, len(c), 128)]

    def closed() -> int:
        for b in blocks:
            service_metrics(b, closed_loop(b, users, LOADS), users, (95.0,))
        return len(c) * LOADS.size

    def opened() -> int:
        for b in blocks:
            service_metrics(b, open_loop(b, chat, LOADS), chat, (95.0,))
        return len(c) * LOADS.size

    one_load = np.full((len(c), 1), 16.0)

    def with_intervals() -> int:
        spread_of(c, chat, one_load, (95.0,))
        return len(c)

    what = f"{model}: {len(c)} stacks x {LOADS.size} loads"
    return [
        _rate(f"closed loop, {what}", closed, runs, "1,000,000"),
        _rate(f"open loop, {what}", opened, runs, "1,000,000"),
        _rate(f"open loop with 90 % intervals, {len(c)} points", with_intervals, runs, "-"),
    ]


def questions(runs: int) -> list[Row]:
    """The whole question in a fresh process: every chip, engine, precision, layout and offer of the catalogue."""
    found = []
    for model, flags in (
        ("deepseek-ai/DeepSeek-R1", ["--rate", "5", "--ttft", "2", "--tpot", "0.05"]),
        ("deepseek-ai/DeepSeek-R1", ["--ttft", "2", "--tpot", "0.05"]),
        ("deepseek-ai/DeepSeek-V3", ["--rate", "5", "--ttft", "2", "--tpot", "0.05", "--contracts", "all"]),
        ("Qwen/Qwen3-32B", ["--rate", "20", "--ttft", "1", "--tpot", "0.05"]),
    ):
        command = [sys.executable, "-m", "stackwright", "plan", model, *flags, "--json"]
        measured = [_process(command) for _ in range(runs)]
        label = f"plan {model} {' '.join(flags)}"
        columns = (("wall_s", "s wall", "5"), ("cpu_s", "s CPU", "-"), ("rss_mb", "MB peak memory", "600"))
        for key, unit, target in columns:
            found.append(_row(label, statistics.median(m[key] for m in measured), unit, target))
    return found


def start_up(runs: int) -> list[Row]:
    """CPU seconds of start-up."""
    cases = (
        ("stackwright --help", [sys.executable, "-m", "stackwright", "--help"], "0.4"),
        ("import stackwright", [sys.executable, "-c", "import stackwright"], "0.3"),
        ("python (for scale)", [sys.executable, "-c", "pass"], "-"),
    )
    return [_row(n, statistics.median(_process(c)["cpu_s"] for _ in range(runs)), "s CPU", t) for n, c, t in cases]


def _space(name: str) -> tuple[str, Candidates]:
    catalog, constants = load_catalog(), load_constants()
    model, entry = resolve_model(name, catalog)
    q = Question(name, traffic_named("chat"), SLO(2.0, 0.05))
    return model.id, candidates(model, space(q, model, entry, catalog).entries, constants)


def _rate(what: str, run: Callable[[], int], runs: int, target: str) -> Row:
    run()
    rates = []
    for _ in range(runs):
        start = time.process_time()
        points = run()
        rates.append(points / (time.process_time() - start))
    return _row(what, statistics.median(rates), "points per CPU-second", target)


def _row(what: str, value: float, unit: str, target: str) -> Row:
    return {"what": what, "value": value, "unit": unit, "target": target}


def _process(command: list[str]) -> dict[str, float]:
    """Wall seconds, CPU seconds and peak memory of one process."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return {
        "wall_s": time.perf_counter() - start,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "rss_mb": usage.ru_maxrss * (1024 if sys.platform != "darwin" else 1) / 1e6,
    }


if __name__ == "__main__":
    main()
