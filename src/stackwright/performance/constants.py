"""The named physical constants: one record with value, spread, meaning and source; none lives in code."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from stackwright.errors import InputError

Array = NDArray[np.float64]
Theta = Mapping[str, Array]


@dataclass(frozen=True)
class Constant:
    """One constant: median `value`, `sd` of its natural logarithm, physical bounds, unit, meaning, source."""

    name: str
    value: float
    sd: float
    low: float
    high: float
    unit: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Constants:
    """A record of constants and of their shifts by engine, chip family, chip, and engine x family.

    `effects[level][key][constant]` is added to ln(value). `status` is `uncalibrated` or `calibrated`.
    """

    version: int
    status: str
    date: str
    entries: Mapping[str, Constant]
    effects: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

    def sd(self, name: str) -> float:
        """Standard deviation of ln(constant)."""
        return self.entries[name].sd

    def value(self, name: str) -> float:
        """Median of a constant, without effects."""
        return self.entries[name].value

    @property
    def uncertain(self) -> list[str]:
        """Names of the constants that carry a spread, in the order of the record."""
        return [name for name, c in self.entries.items() if c.sd > 0]

    def theta(self, engines: Sequence[str], families: Sequence[str], chips: Sequence[str]) -> Theta:
        """Values per candidate: arrays of shape (n, 1), or shape () where no effect moves the constant."""
        moved = {k for level in self.effects.values() for shifts in level.values() for k in shifts}
        result: dict[str, Array] = {}
        for name, constant in self.entries.items():
            if name not in moved:
                result[name] = np.asarray(constant.value)
                continue
            shift = [self._shift(name, e, f, c) for e, f, c in zip(engines, families, chips, strict=True)]
            values = constant.value * np.exp(np.asarray(shift))
            result[name] = np.clip(values, constant.low, constant.high)[:, None]
        return result

    def _shift(self, name: str, engine: str, family: str, chip: str) -> float:
        keys = {"engine": engine, "family": family, "chip": chip, "engine|family": f"{engine}|{family}"}
        return sum(self.effects.get(level, {}).get(key, {}).get(name, 0.0) for level, key in keys.items())


def load_constants(path: Path | None = None) -> Constants:
    """The shipped record, or one from a file of the same layout. `InputError` names file and field."""
    if path is None:
        return _shipped()
    try:
        return _parse(path.read_text(), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror}); give a record of constants") from None


@functools.cache
def _shipped() -> Constants:
    text = (resources.files("stackwright.performance") / "data" / "constants.yaml").read_text()
    return _parse(text, "constants.yaml")


def _parse(text: str, where: str) -> Constants:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        raw = yaml.load(text, Loader=loader)
        entries = {name: _constant(name, body, where) for name, body in raw["constants"].items()}
        effects = raw.get("effects") or {}
        return Constants(int(raw["version"]), str(raw["status"]), str(raw["date"]), entries, effects)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{where}: not a record of constants ({type(error).__name__}: {error})") from None


def _constant(name: str, body: Mapping[str, Any], where: str) -> Constant:
    constant = Constant(
        name=name,
        value=float(body["value"]),
        sd=float(body["sd"]),
        low=float(body["low"]),
        high=float(body["high"]),
        unit=str(body["unit"]),
        meaning=str(body["meaning"]),
        source=str(body["source"]),
    )
    if not (constant.low <= constant.value <= constant.high) or constant.sd < 0 or math.isnan(constant.value):
        raise InputError(f"{where}: {name} = {constant.value} is outside {constant.low} .. {constant.high}")
    return constant
