"""From work to seconds, bytes and watts: the step-time, memory and power model."""

from stackwright.performance.candidates import Candidate, Candidates, candidates
from stackwright.performance.constants import Constant, Constants, load_constants
from stackwright.performance.draft import with_draft
from stackwright.performance.layout import Layout, check_layout, layout_problem
from stackwright.performance.lora import Lora, check_lora
from stackwright.performance.memory import (
    MemoryBudget,
    kv_bytes_per_sequence,
    kv_capacity_sequences,
    memory_budget,
)
from stackwright.performance.pools import Pooled, Pools, pooled, pools_problem
from stackwright.performance.speculation import METHODS, Speculation, check_speculation
from stackwright.performance.step import Part, StepTime, step_time

__all__ = [
    "METHODS",
    "Candidate",
    "Candidates",
    "Constant",
    "Constants",
    "Layout",
    "Lora",
    "MemoryBudget",
    "Part",
    "Pooled",
    "Pools",
    "Speculation",
    "StepTime",
    "candidates",
    "check_layout",
    "check_lora",
    "check_speculation",
    "kv_bytes_per_sequence",
    "kv_capacity_sequences",
    "layout_problem",
    "load_constants",
    "memory_budget",
    "pooled",
    "pools_problem",
    "step_time",
    "with_draft",
]
