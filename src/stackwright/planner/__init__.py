"""The planner: enumerate stacks, evaluate them, join offers, rank."""

from stackwright.planner.answer import Answer, FrontPoint, Plan, Stack
from stackwright.planner.plan import plan
from stackwright.planner.question import (
    AT_HAND,
    CONTRACTS,
    DEFAULT_CONTRACTS,
    DEFAULT_SLO,
    GROUPINGS,
    OBJECTIVES,
    RELAXED_SLO,
    Allowed,
    AtHand,
    Guarantee,
    Limits,
    Market,
    Question,
)
from stackwright.planner.stacks.models import resolve_model

__all__ = [
    "AT_HAND",
    "CONTRACTS",
    "DEFAULT_CONTRACTS",
    "DEFAULT_SLO",
    "GROUPINGS",
    "OBJECTIVES",
    "RELAXED_SLO",
    "Allowed",
    "Answer",
    "AtHand",
    "FrontPoint",
    "Guarantee",
    "Limits",
    "Market",
    "Plan",
    "Question",
    "Stack",
    "plan",
    "resolve_model",
]
