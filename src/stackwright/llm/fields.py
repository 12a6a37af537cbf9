"""Whole-number fields of a config.json, with one clear line for what is missing or impossible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackwright.errors import InputError

Config = Mapping[str, Any]


def whole(config: Config, key: str, name: str, default: Any = None) -> int:
    """A whole number >= 0; absent and null both mean the default, and no default is an `InputError`."""
    value = config.get(key)
    if value is None:  # absent or null: both mean the default
        value = default
    if value is None:
        raise InputError(f"{name}: config.json lacks {key!r}")
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != int(value):
        raise InputError(f"{name}: config.json has {key} = {value!r}; expected a whole number >= 0")
    return int(value)


def positive(config: Config, key: str, name: str, default: Any = None) -> int:
    """A whole number > 0, read as `whole` does."""
    value = whole(config, key, name, default)
    if value == 0:
        raise InputError(f"{name}: config.json has {key} = 0; expected a positive number")
    return value
