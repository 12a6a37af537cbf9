"""From step times to what users see: TTFT, TPOT, E2E and throughput under traffic."""

from stackwright.serving.closed_loop import Service, closed_loop
from stackwright.serving.disaggregated import disaggregated
from stackwright.serving.energy import Use, replica_chip_power_w, replica_use, use_power_w
from stackwright.serving.intervals import LEVEL, Uncertain, probability_below, probability_both, propagate
from stackwright.serving.latency import E2eDistribution, TpotDistribution, TtftDistribution
from stackwright.serving.open_loop import open_loop, running_for_rate
from stackwright.serving.phases import Phases, phases

__all__ = [
    "LEVEL",
    "E2eDistribution",
    "Phases",
    "Service",
    "TpotDistribution",
    "TtftDistribution",
    "Uncertain",
    "Use",
    "closed_loop",
    "disaggregated",
    "open_loop",
    "phases",
    "probability_below",
    "probability_both",
    "propagate",
    "replica_chip_power_w",
    "replica_use",
    "running_for_rate",
    "use_power_w",
]
