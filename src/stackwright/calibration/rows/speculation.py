"""The speculative decoding that a measured row states; what it leaves open comes from published recipes."""

from __future__ import annotations

import math
import re

from stackwright.catalog import Chip, Engine
from stackwright.errors import InputError
from stackwright.measure import Measurement
from stackwright.performance import Speculation
from stackwright.performance.recipes import recipe_draft_tokens

_STATED = re.compile(r"(mtp|ngram|eagle3|eagle)(\d*)")


def covered(word: str) -> bool:
    """Whether the `speculative` column of a row names a method that can be predicted."""
    return _STATED.fullmatch(word.lower()) is not None


def speculation_of(row: Measurement, engine: Engine, chip: Chip) -> Speculation | None:
    """The speculation of a row: `mtp`, `mtp2`, `eagle`, `ngram`; None without. Raises `InputError` for other words.

    Optional columns `draft_tokens` and `acceptance_length` say more; a number of draft tokens that nothing states
    is that of the recipe.
    """
    word = row.text["speculative"].lower()
    if word in ("", "none"):
        return None
    stated = _STATED.fullmatch(word)
    if stated is None:
        raise InputError(f"speculative decoding {word!r} is not covered; known: mtp, mtpN, eagle, ngram, none")
    tokens = _number(row, "draft_tokens") or (float(stated[2]) if stated[2] else None)
    if tokens is None:
        tokens = recipe_draft_tokens(engine.id, chip.vendor, _ranks(row) > 1.0)
    if tokens != round(tokens):
        raise InputError(f"draft_tokens is {tokens:g}, not a whole number")
    return Speculation(stated[1].rstrip("3"), round(tokens), _number(row, "acceptance_length"))


def _ranks(row: Measurement) -> float:
    """Attention data-parallel ranks of the engine that decodes."""
    return row.number("attention_dp") or _number(row, "decode_attention_dp") or 1.0


def _number(row: Measurement, column: str) -> float | None:
    text = row.raw.get(column, "")
    try:
        number = float(text) if text else None
    except ValueError:
        number = math.nan
    if number is not None and not math.isfinite(number):
        raise InputError(f"{column} is {text!r}, not a number")
    return number
