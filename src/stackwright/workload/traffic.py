"""The traffic a stack must carry: lengths, load and how much of each prompt is already cached."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stackwright.errors import InputError
from stackwright.workload.arrivals import Arrivals
from stackwright.workload.checks import at_least, number, positive
from stackwright.workload.lengths import Lengths


@dataclass(frozen=True, slots=True)
class Workload:
    """Traffic on one model.

    `input`, `output`: token lengths, taken as independent of each other. `prefix_hit_rate`: share of input
    tokens found in a prefix cache (0 <= h < 1). Load is open (`rate_per_s`, requests per second, gaps with
    coefficient of variation `arrival_cv`) or closed (`concurrency`, users who each send the next request when
    the last is done), or left open with neither. `rounds`: requests per concurrent user of a closed-loop
    benchmark, which counts its cold start; None = long-running steady state. `source`: where the figures come
    from. Raises `InputError` when fields contradict each other.
    """

    name: str
    input: Lengths
    output: Lengths
    prefix_hit_rate: float = 0.0
    arrival_cv: float = 1.0
    rate_per_s: float | None = None
    concurrency: float | None = None
    rounds: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        hit = number(self.prefix_hit_rate, "prefix hit rate")
        if not 0.0 <= hit < 1.0:
            raise InputError(f"prefix hit rate must be at least 0 and below 1, got {hit:g}")
        at_least(self.arrival_cv, 0.0, "arrival cv")
        if self.rate_per_s is not None:
            positive(self.rate_per_s, "request rate (per second)")
        if self.concurrency is not None:
            positive(self.concurrency, "concurrency")
        if self.rounds is not None:
            at_least(self.rounds, 1.0, "rounds")
        if self.rate_per_s is not None and self.concurrency is not None:
            raise InputError(f"workload {self.name!r}: a request rate and a concurrency contradict; give one of them")
        if self.rate_per_s is not None and self.rounds is not None:
            raise InputError(f"workload {self.name!r}: rounds belong to a closed loop: give a concurrency, not a rate")

    def with_load(
        self,
        *,
        rate_per_s: float | None = None,
        concurrency: float | None = None,
        rounds: float | None = None,
    ) -> Workload:
        """The same traffic under another load; the load it had is dropped. Raises as the constructor does."""
        return replace(self, rate_per_s=rate_per_s, concurrency=concurrency, rounds=rounds)

    @property
    def arrivals(self) -> Arrivals:
        """The open arrival process; `InputError` when no request rate is set."""
        if self.rate_per_s is None:
            raise InputError(f"workload {self.name!r} has no request rate")
        return Arrivals(self.rate_per_s, self.arrival_cv)

    @property
    def computed_input_mean(self) -> float:
        """Mean input tokens per request that no prefix cache holds and that must be prefilled."""
        return self.input.mean * (1.0 - self.prefix_hit_rate)

    def describe(self) -> str:
        """One short phrase for a report: lengths, prefix hits, load."""
        parts = [f"in {self.input.describe()}", f"out {self.output.describe()}"]
        if self.prefix_hit_rate:
            parts.append(f"{self.prefix_hit_rate:.1%} of input tokens cached")
        if self.rate_per_s is not None:
            parts.append(f"{self.rate_per_s:g} requests/s (arrival cv {self.arrival_cv:g})")
        if self.concurrency is not None:
            rounds = f", {self.rounds:g} requests each" if self.rounds is not None else ""
            parts.append(f"{self.concurrency:g} concurrent{rounds}")
        return "; ".join(parts)
