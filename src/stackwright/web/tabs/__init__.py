"""The tabs of a report: what each holds, in reading order, made from a document alone."""

from __future__ import annotations

from typing import Any

from stackwright.web.tab import Tab
from stackwright.web.tabs.alternatives import alternatives_tab
from stackwright.web.tabs.basis import basis_tab
from stackwright.web.tabs.ecosystems import ecosystems_tab
from stackwright.web.tabs.models import models_tab
from stackwright.web.tabs.plan import plan_tab


def tabs_of(document: dict[str, Any]) -> list[Tab]:
    """The tabs that a document has something for, in order."""
    made = (plan_tab, alternatives_tab, models_tab, ecosystems_tab, basis_tab)
    return [t for t in (make(document) for make in made) if t is not None]
