"""Stackwright designs AI stacks: chip, cloud, contract, engine, precision and parallelism at the lowest cost.

>>> import stackwright
>>> answer = stackwright.plan("Qwen/Qwen3-32B", workload="chat", rate=20, ttft=1.0, tpot=0.05)  # doctest: +SKIP
>>> answer.plans[0].usd_per_mtok_output  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_LAZY = {
    "plan": "stackwright.api",
    "choose": "stackwright.api",
    "compare": "stackwright.api",
    "choice_document": "stackwright.api",
    "comparison_document": "stackwright.api",
    "explain": "stackwright.api",
    "predict": "stackwright.api",
    "predict_table": "stackwright.api",
    "refresh": "stackwright.api",
    "validate": "stackwright.api",
    "plan_document": "stackwright.api",
    "predict_document": "stackwright.api",
    "explain_document": "stackwright.api",
    "launch_of": "stackwright.api",
    "load_catalog": "stackwright.catalog",
    "load_constants": "stackwright.performance",
    "Layout": "stackwright.performance",
    "Workload": "stackwright.workload",
    "Lengths": "stackwright.workload",
    "SLO": "stackwright.workload",
    "Question": "stackwright.planner",
    "InputError": "stackwright.errors",
}

if TYPE_CHECKING:
    from stackwright.api import (
        choice_document,
        choose,
        compare,
        comparison_document,
        explain,
        explain_document,
        launch_of,
        plan,
        plan_document,
        predict,
        predict_document,
        predict_table,
        refresh,
        validate,
    )
    from stackwright.catalog import load_catalog
    from stackwright.errors import InputError
    from stackwright.performance import Layout, load_constants
    from stackwright.planner import Question
    from stackwright.workload import SLO, Lengths, Workload

__all__ = [
    "SLO",
    "InputError",
    "Layout",
    "Lengths",
    "Question",
    "Workload",
    "choice_document",
    "choose",
    "compare",
    "comparison_document",
    "explain",
    "explain_document",
    "launch_of",
    "load_catalog",
    "load_constants",
    "plan",
    "plan_document",
    "predict",
    "predict_document",
    "predict_table",
    "refresh",
    "validate",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that `import stackwright` costs next to nothing."""
    if name not in _LAZY:
        raise AttributeError(f"module 'stackwright' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
