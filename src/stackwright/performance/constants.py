"""The named physical constants: one record with value, spread, meaning and source; none lives in code."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from stackwright.errors import InputError
from stackwright.performance.calibration import Calibration, Context, parse_calibration
from stackwright.performance.own_points import Cell, OwnPoints

Array = NDArray[np.float64]
Theta = Mapping[str, Array]

_LARGEST_SD = 5.0
_NOT_IN_TIME = ("power_", "host_power", "runtime_", "activation_")


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
    """The named constants with their spread (the prior), and the calibration that moves them, if there is one.

    `own`: what measurements of one's own add, by cell.
    """

    version: int
    date: str
    entries: Mapping[str, Constant]
    calibration: Calibration | None = None
    own: Mapping[Cell, OwnPoints] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """`uncalibrated`, or which measurements the record rests on."""
        c = self.calibration
        return (
            "uncalibrated" if c is None else f"calibrated on {c.n_rows} measured points ({c.date}, data {c.data_hash})"
        )

    def sd(self, name: str) -> float:
        """Standard deviation of ln(constant)."""
        return self.entries[name].sd

    def value(self, name: str) -> float:
        """Median of a constant, before calibration."""
        return self.entries[name].value

    @property
    def uncertain(self) -> list[str]:
        """Names of the constants that carry a spread, in the order of the record."""
        return [name for name, c in self.entries.items() if c.sd > 0]

    @property
    def uncertain_in_time(self) -> list[str]:
        """Those of them that latencies and throughput depend on (not memory reserves, not power, not pools)."""
        return [n for n in self.uncertain if not n.startswith((*_NOT_IN_TIME, "pool_"))]

    @property
    def uncertain_in_pools(self) -> list[str]:
        """Those that latencies of disaggregated pools depend on."""
        return [n for n in self.uncertain if not n.startswith(_NOT_IN_TIME)]

    def theta(self, contexts: Sequence[Context], priors: Sequence[Mapping[str, float]] | None = None) -> Theta:
        """Values per candidate: arrays of shape (n, 1), or shape () where nothing tells candidates apart.

        `priors` are values that replace the median of a constant for each candidate, before calibration.
        """
        moved = self.calibration.moved if self.calibration else frozenset()
        own = {name for prior in priors or () for name in prior}
        shifts = self.calibration.shifts_for(contexts) if self.calibration else {}
        result: dict[str, Array] = {}
        for name, constant in self.entries.items():
            if name not in moved and name not in own:
                result[name] = np.asarray(constant.value)
                continue
            shift = shifts.get(name, 0.0)
            median = np.array([p.get(name, constant.value) for p in priors or [{}] * len(contexts)])
            result[name] = np.clip(median * np.exp(shift), constant.low, constant.high)[:, None]
        return result


def load_constants(path: Path | None = None) -> Constants:
    """The shipped constants and calibration, or those of a file.

    A file is a record of constants (YAML: replaces the shipped ones of the same name, no calibration) or a
    calibration record (JSON, on the shipped constants).
    `InputError` names file and field.
    """
    if path is None:
        return _shipped()
    try:
        text = path.read_text()
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror}); give a record of constants") from None
    if path.suffix == ".json":
        return replace(_shipped(), calibration=_calibration(text, str(path)))
    own = _parse(text, str(path))
    return replace(own, entries={**_shipped().entries, **own.entries})


def prior_constants() -> Constants:
    """The shipped constants without calibration."""
    return replace(_shipped(), calibration=None)


@functools.cache
def _shipped() -> Constants:
    data = resources.files("stackwright.performance") / "data"
    constants = _parse((data / "constants.yaml").read_text(), "constants.yaml")
    record = data / "calibration.json"
    if not record.is_file():
        return constants
    return replace(constants, calibration=_calibration(record.read_text(), "calibration.json"))


def _calibration(text: str, where: str) -> Calibration:
    try:
        return parse_calibration(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{where}: not a calibration record ({type(error).__name__}: {error})") from None


def _parse(text: str, where: str) -> Constants:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        raw = yaml.load(text, Loader=loader)
        entries = {name: _constant(name, body, where) for name, body in raw["constants"].items()}
        return Constants(int(raw["version"]), str(raw["date"]), entries)
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
    if not (constant.low <= constant.value <= constant.high) or math.isnan(constant.value):
        raise InputError(f"{where}: {name} = {constant.value} is outside {constant.low} .. {constant.high}")
    if not 0.0 <= constant.sd <= _LARGEST_SD:
        raise InputError(f"{where}: {name} has sd = {constant.sd}; the spread of ln is from 0 to {_LARGEST_SD:g}")
    return constant
