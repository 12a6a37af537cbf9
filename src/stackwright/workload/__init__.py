"""Workloads, what is asked of a stack: lengths, arrivals, prefix sharing, the SLO; profiles and traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackwright.workload.arrivals import Arrivals
from stackwright.workload.lengths import Lengths, parse_lengths
from stackwright.workload.profiles import load_workload, profile, profile_names, profile_record, workload
from stackwright.workload.sectors import Assumption, Sector, sector, sector_names
from stackwright.workload.slo import SLO
from stackwright.workload.traffic import Workload

if TYPE_CHECKING:
    from stackwright.workload.published import PUBLISHED, find_trace, load_trace
    from stackwright.workload.traces import Trace, read_trace

__all__ = [
    "PUBLISHED",
    "SLO",
    "Arrivals",
    "Assumption",
    "Lengths",
    "Sector",
    "Trace",
    "Workload",
    "find_trace",
    "load_trace",
    "load_workload",
    "parse_lengths",
    "profile",
    "profile_names",
    "profile_record",
    "read_trace",
    "sector",
    "sector_names",
    "workload",
]

_LATE = {"PUBLISHED": "published", "find_trace": "published", "load_trace": "published"}
_LATE |= {"Trace": "traces", "read_trace": "traces"}


def __getattr__(name: str) -> Any:
    """Traces need numpy; they are imported when first used."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
