"""Workloads, what is asked of a stack: lengths, arrivals, prefix sharing, the SLO; profiles and traces."""

from __future__ import annotations

from stackwright.workload.arrivals import Arrivals
from stackwright.workload.lengths import Lengths, parse_lengths
from stackwright.workload.slo import SLO
from stackwright.workload.traffic import Workload

__all__ = ["SLO", "Arrivals", "Lengths", "Workload", "parse_lengths"]
