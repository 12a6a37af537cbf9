"""Closed forms against the event simulation, case by case: the table of the tests and of the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from stackwright.performance import Candidates, Layout
from stackwright.serving import Service, closed_loop, open_loop, running_for_rate
from stackwright.workload import Arrivals, Lengths, Workload
from tests.llm.configs import LLAMA_8B, LLAMA_70B
from tests.performance.parts import TP8, model, one
from tests.serving import event_simulation as events

METRICS = ("mean TTFT", "mean TPOT", "p50 TTFT", "p95 TTFT")
POLICIES = ("prefill_priority", "chunked")
SHAPES = ((1000.0, 1000.0), (4000.0, 300.0), (200.0, 200.0))
USERS = (1, 8, 32, 128, 512)
LOADS = (0.1, 0.3, 0.5, 0.7, 0.85, 0.95)
DISTRIBUTIONS: dict[str, Callable[[float], Lengths]] = {
    "uniform": lambda x: Lengths.uniform(0.8 * x, x),
    "fixed": Lengths.fixed,
    "lognormal": lambda x: Lengths.lognormal(x, 0.7),
}
ROUNDS = 10
REQUESTS = 300


@dataclass(frozen=True)
class Row:
    """One case: the four `METRICS` of the closed form and of the simulation, in seconds."""

    policy: str
    model: str
    shape: tuple[float, float]
    lengths: str
    load: float
    formula: np.ndarray
    simulated: np.ndarray

    @property
    def error(self) -> np.ndarray:
        return self.formula / self.simulated - 1.0


def replica(name: str, policy: str) -> Candidates:
    """Llama 8B on one chip or 70B on eight, memory without end, an idle host, half a step before a request starts.

    The simulation has no way back to the client: `decode_steps_before_start` is the half step that is left, on
    average, of the step under way.
    """
    config, layout = {"8B": (LLAMA_8B, Layout()), "70B": (LLAMA_70B, TP8)}[name]
    c = one(model(config), layout, policy, gb=1e6, max_sequences=100_000)
    ideal = {"decode_steps_before_start": np.asarray(0.5), "wave_persistence": np.asarray(1.0)}
    ideal |= {k: np.asarray(1e-12) for k in ("slot_wait_completions", "request_host_s", "token_host_s")}
    return replace(c, theta={**c.theta, **ideal})


def draws(w: Workload, seed: int) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return lambda n: (w.input.sample(rng, n), w.output.sample(rng, n))


def closed_rows(names: tuple[str, ...] = ("8B", "70B"), rounds: int = ROUNDS) -> Iterator[Row]:
    """Benchmarks of 10 rounds: both policies, three shapes, three length distributions, 1 to 512 users."""
    for policy in POLICIES:
        for name in names:
            c = replica(name, policy)
            for shape in SHAPES:
                for lengths, make in DISTRIBUTIONS.items():
                    for users in USERS:
                        w = Workload("w", make(shape[0]), make(shape[1]), concurrency=users, rounds=rounds)
                        yield closed_row(c, w, (policy, name, shape, lengths))


def closed_row(c: Candidates, w: Workload, label: tuple) -> Row:
    users, rounds = int(w.concurrency), int(w.rounds)
    steps, delay = events.steps_of(c, w, users), float(c.theta["request_overhead_s"])
    repeats = max(1, REQUESTS // (users * rounds))
    runs = [events.closed(steps, users, rounds, draws(w, seed), delay) for seed in range(repeats)]
    simulated = _statistics(np.concatenate([r.ttft for r in runs]), np.concatenate([r.tpot for r in runs]))
    service = closed_loop(c, w, np.array([[float(users)]]))
    return Row(*label, users, of_service(service), simulated)


def open_rows(requests: int = 20_000, name: str = "70B") -> Iterator[Row]:
    """Poisson arrivals at shares of the rate that 1,000 running sequences reach."""
    for policy in POLICIES:
        c = replica(name, policy)
        for shape in SHAPES:
            w = Workload("w", *(Lengths.lognormal(x, 0.5) for x in shape))
            most = float(open_loop(c, w, np.array([[1000.0]])).request_rate.flat[0])
            for load in LOADS:
                yield open_row(
                    c, w.with_load(rate_per_s=load * most), (policy, name, shape, "lognormal", load), requests
                )


def open_row(c: Candidates, w: Workload, label: tuple, requests: int) -> Row:
    running = running_for_rate(c, w, np.array([[w.rate_per_s]]))
    inputs, outputs = draws(w, 1)(requests)
    times = Arrivals(w.rate_per_s, w.arrival_cv).sample(np.random.default_rng(2), requests)
    steps = events.steps_of(c, w, 4 * int(running.item()) + 500)
    r = events.open_(steps, times, lambda _: (inputs, outputs), float(c.theta["request_overhead_s"]))
    settled = slice(requests // 5, requests - requests // 5)
    return Row(*label, of_service(open_loop(c, w, running)), _statistics(r.ttft[settled], r.tpot[settled]))


def of_service(s: Service) -> np.ndarray:
    return np.array([x.item() for x in (s.ttft.mean, s.tpot.mean, s.ttft.quantile(0.5), s.ttft.quantile(0.95))])


def _statistics(ttft: np.ndarray, tpot: np.ndarray) -> np.ndarray:
    return np.array([ttft.mean(), tpot.mean(), np.quantile(ttft, 0.5), np.quantile(ttft, 0.95)])


def summary(rows: list[Row]) -> np.ndarray:
    """Median and 90th percentile of the absolute relative errors, per cent: shape (2, metrics)."""
    errors = 100.0 * np.abs([r.error for r in rows])
    return np.array([np.median(errors, axis=0), np.quantile(errors, 0.9, axis=0)])


def lines(rows: list[Row], by: Callable[[Row], str]) -> list[str]:
    """The summary by group as text: median / 90th percentile of the error in per cent."""
    found = [f"{'':28s}{'n':>4s}" + "".join(f"{m:>14s}" for m in METRICS)]
    for group in [*dict.fromkeys(by(r) for r in rows), "all"]:
        chosen = [r for r in rows if group in ("all", by(r))]
        cells = "".join(f"{a:7.1f}/{b:6.1f}" for a, b in summary(chosen).T)
        found.append(f"{group:28s}{len(chosen):4d}{cells}")
    return found
