"""The planner: enumerate stacks, evaluate them, join offers, rank."""

from stackwright.planner.answer import Answer, FrontPoint, Plan, Stack
from stackwright.planner.models import resolve_model
from stackwright.planner.plan import plan
from stackwright.planner.question import (
    CONTRACTS,
    DEFAULT_CONTRACTS,
    DEFAULT_SLO,
    GROUPINGS,
    OBJECTIVES,
    Allowed,
    Limits,
    Market,
    Question,
)

__all__ = [
    "CONTRACTS",
    "DEFAULT_CONTRACTS",
    "DEFAULT_SLO",
    "GROUPINGS",
    "OBJECTIVES",
    "Allowed",
    "Answer",
    "FrontPoint",
    "Limits",
    "Market",
    "Plan",
    "Question",
    "Stack",
    "plan",
    "resolve_model",
]
