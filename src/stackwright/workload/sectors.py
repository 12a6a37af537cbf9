"""Sector profiles: what a hospital, a bank or a factory usually asks, each point an assumption with its reason."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import yaml

from stackwright.errors import UnknownIdError


@dataclass(frozen=True, slots=True)
class Assumption:
    """One option of a question that a sector profile fills in, and why; `source` cites the law or standard.

    `where`: the places of residency in which it holds; empty means everywhere.
    """

    option: str
    value: Any
    why: str
    source: str = ""
    where: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sector:
    """A named profile: assumptions about traffic, promise and where data may go. It is no legal advice."""

    name: str
    description: str
    assumptions: tuple[Assumption, ...]

    def assumed(self, given: Collection[str], places: Collection[str]) -> Sector:
        """The profile without what is given explicitly, and without what does not hold in `places`."""
        kept = [a for a in self.assumptions if a.option not in given and (not a.where or set(a.where) & set(places))]
        return replace(self, assumptions=tuple(kept))

    @property
    def in_force(self) -> tuple[Assumption, ...]:
        """The assumptions that count: of two for one option the later, more special one."""
        return tuple({a.option: a for a in self.assumptions}.values())

    @property
    def options(self) -> Mapping[str, Any]:
        """The options that the profile fills in."""
        return {a.option: a.value for a in self.in_force}


def sector_names() -> tuple[str, ...]:
    """Names of the shipped sector profiles."""
    return tuple(_shipped())


def sector(name: str) -> Sector:
    """A shipped sector profile; `UnknownIdError` for a name that is none.

    >>> sector("finance").options["contracts"]
    ('on_demand', 'capacity_block')
    """
    found = _shipped().get(name.strip().lower())
    if found is None:
        raise UnknownIdError("sector", name, _shipped(), f"one of {', '.join(_shipped())}")
    return found


@functools.cache
def _shipped() -> dict[str, Sector]:
    text = resources.files(__package__).joinpath("sectors.yaml").read_text(encoding="utf-8")
    return {
        name: Sector(name, body["description"], tuple(_assumption(a) for a in body["assumes"]))
        for name, body in yaml.safe_load(text)["sectors"].items()
    }


def _assumption(entry: Mapping[str, Any]) -> Assumption:
    value = entry["value"]
    return Assumption(
        option=entry["option"],
        value=tuple(value) if isinstance(value, list) else value,
        why=entry["why"],
        source=entry.get("source", ""),
        where=tuple(entry.get("where", ())),
    )
