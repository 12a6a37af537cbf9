"""From work to seconds, bytes and watts: the step-time, memory and power model."""

from stackwright.performance.candidates import Candidate, Candidates, candidates
from stackwright.performance.constants import Constant, Constants, load_constants
from stackwright.performance.layout import Layout, check_layout, layout_problem
from stackwright.performance.memory import (
    MemoryBudget,
    kv_bytes_per_sequence,
    kv_capacity_sequences,
    memory_budget,
)
from stackwright.performance.step import Part, StepTime, step_time

__all__ = [
    "Candidate",
    "Candidates",
    "Constant",
    "Constants",
    "Layout",
    "MemoryBudget",
    "Part",
    "StepTime",
    "candidates",
    "check_layout",
    "kv_bytes_per_sequence",
    "kv_capacity_sequences",
    "layout_problem",
    "load_constants",
    "memory_budget",
    "step_time",
]
