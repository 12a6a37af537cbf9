"""Published recipes of speculative decoding: what an engine drafts with a model where nobody says otherwise."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from stackwright.catalog import Chip, Engine
from stackwright.llm import Model
from stackwright.performance.speculation import Speculation

DRAFT_LENGTHS = (1, 2, 3)  # those that the recipes of measured rows use


def recipe_draft_tokens(engine: str, vendor: str, attention_dp: bool) -> int:
    """Tokens drafted per step by the recipe of an engine on chips of a vendor.

    >>> recipe_draft_tokens("tensorrt-llm", "NVIDIA", attention_dp=True)
    1
    """
    where = {"engine": engine, "vendor": vendor, "attention_dp": attention_dp}
    recipe = next(r for r in _recipes() if all(where[k] == v for k, v in r.items() if k != "draft_tokens"))
    return int(recipe["draft_tokens"])


def recipes_for(model: Model, engine: Engine, chip: Chip, attention_dp: bool = False) -> tuple[Speculation, ...]:
    """Multi-token prediction where the model ships modules for it and the engine documents it: the recipe's first.

    The other draft lengths of published recipes follow. No acceptance length is stated, so that the constant
    `draft_acceptance` of the record gives it, and answers say so.
    """
    if not model.prediction_modules or engine.ways is None or "mtp" not in engine.ways.speculative:
        return ()
    first = recipe_draft_tokens(engine.id, chip.vendor, attention_dp)
    return tuple(Speculation("mtp", d) for d in dict.fromkeys((first, *DRAFT_LENGTHS)))


@functools.cache
def _recipes() -> tuple[Mapping[str, Any], ...]:
    text = (resources.files("stackwright.catalog") / "data" / "speculation_recipes.yaml").read_text()
    return tuple(yaml.safe_load(text)["recipes"])
