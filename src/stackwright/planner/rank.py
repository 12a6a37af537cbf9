"""The ranking rule: stacks that keep the promise first, by cost; then the rest by their probability of keeping it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from stackwright.performance import Candidate, Candidates
from stackwright.planner.evaluate import CONFIDENT
from stackwright.planner.join import Deployment
from stackwright.planner.question import Question
from stackwright.serving import Uncertain


@dataclass(frozen=True)
class Sized:
    """A deployment evaluated at its own load; `index` is its row in `spread` and in `candidates`.

    `row` is the candidate's number in the grid; `sd_capacity` the spread of ln(requests/s) at the promised latency.
    """

    deployment: Deployment | None
    index: int
    row: int
    load: float
    p_meets: float
    spread: Uncertain
    sd_capacity: float
    candidates: Candidates

    @property
    def candidate(self) -> Candidate:
        """The engine, chip and layout."""
        return self.candidates.entries[self.index]

    @property
    def replicas(self) -> int:
        """Replicas deployed (one where nothing is rented)."""
        return self.deployment.replicas if self.deployment else 1

    @property
    def n_chips(self) -> int:
        """Chips rented, idle ones included."""
        d = self.deployment
        return d.units * d.offer.chips if d else self.candidate.layout.n_chips

    @property
    def usd_per_hour(self) -> float:
        """USD per hour of the whole deployment; infinite where nobody publishes a price."""
        return self.deployment.usd_per_hour if self.deployment else math.inf

    def metric(self, name: str) -> float:
        """Value of a metric at this deployment's load."""
        return float(self.spread.value[name][self.index, 0])

    @property
    def output_tokens_per_s(self) -> float:
        """Output tokens per second of the whole deployment at the planned load."""
        return self.metric("output_tokens_per_s_per_chip") * self.candidate.layout.n_chips * self.replicas


def ranked(sized: Iterable[Sized], q: Question) -> list[Sized]:
    """The best deployment of each group (`q.per`), in ranking order."""
    order = sorted(sized, key=lambda s: _key(s, q))
    kept: dict[tuple[str, ...], Sized] = {}
    for s in order:
        kept.setdefault(_group(s, q), s)
    return list(kept.values())


def objective_value(s: Sized, q: Question) -> float:
    """What is minimised, in the unit its name says (per output token for energy and carbon)."""
    w = q.workload
    if q.objective == "chips":
        return float(s.n_chips)
    if q.objective == "tpot":
        return s.metric("tpot_mean_s")
    if q.objective in ("energy", "carbon"):
        return s.metric("chip_joules_per_output_token")
    per_output = s.usd_per_hour / s.output_tokens_per_s
    if q.objective == "usd_per_mtok_total":
        return per_output * w.output.mean / (w.output.mean + w.input.mean)
    return per_output


def _key(s: Sized, q: Question) -> tuple[float, ...]:
    meets = s.p_meets >= CONFIDENT
    if meets:
        return (0.0, round(objective_value(s, q), 12), s.usd_per_hour, s.metric("e2e_mean_s"))
    return (1.0, -round(s.p_meets, 3), objective_value(s, q), s.metric("e2e_mean_s"))


def _group(s: Sized, q: Question) -> tuple[str, ...]:
    chip = s.candidate.chip
    if q.per == "vendor":
        return (chip.vendor,)
    if q.per == "chip" or s.deployment is None:
        return (chip.id,)
    offer = (chip.id, s.deployment.offer.provider)
    if q.per == "offer":
        return offer
    layout = s.candidate.layout
    return (*offer, s.deployment.price.contract, s.candidate.engine.id, layout.weight_precision, str(layout))
