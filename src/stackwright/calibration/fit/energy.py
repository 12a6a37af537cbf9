r"""Power constants fitted to measured watts, and how well watts and joules per token are predicted out of fold.

Measured watts are taken as those of the chip's board alone, as the driver reports them (InferenceX: average GPU power;
splitwise-sim: board power over TDP), without host, fans and switches; rows that contradict this are left out
(`measured_watts`). What is fitted is power at the *measured* throughput: the work of the model done as fast as it was
done, so that an error of time does not become one of power. What is scored are predictions as a user gets them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.calibrate import Fitted, calibration_of, shifts_of
from stackwright.calibration.fit.levels import Level, groups
from stackwright.calibration.fit.solve import Problem, fit
from stackwright.calibration.judge.crossval import OutOfFold
from stackwright.calibration.judge.score import Score, measured, score_of
from stackwright.calibration.rows.dataset import Dataset
from stackwright.calibration.rows.groups import operating_point
from stackwright.calibration.rows.points import Point, point_loads
from stackwright.measure import Measurement
from stackwright.performance import Candidates, Constants, candidates
from stackwright.performance.calibration import Calibration, Factor, Shifts
from stackwright.serving import Use, closed_loop, replica_use, use_power_w
from stackwright.serving.intervals import Z
from stackwright.serving.traffic import stacked_traffic

Array = NDArray[np.float64]
Rows = NDArray[np.bool_]

POWER = ("power_idle_fraction", "power_memory_fraction", "power_compute_fraction")
# The squares of the scales add to 1: chips together, makers and single chips share the spread that the prior states.
LEVELS = (Level("all", 0.5), Level("vendor", 0.5), Level("chip", math.sqrt(0.5)))
SPLITS = ("uncalibrated", "out_of_fold", "unseen_chip")
METRICS = ("watts", "joules_per_output_token", "watts_at_measured_throughput")
FEWEST = 5
"""Points of a chip below which its measured error makes no interval."""
_RESIDUAL_SD = 0.1
_ROBUST_AT = 0.1
_ABOVE_TDP = 1.3
_CONTRADICTION = 0.05
_STANDSTILL = math.log(2.0)


@dataclass(frozen=True)
class PowerPoints:
    """Points with measured power, what each has in common with its repeats (`keys`), and its row in the data set.

    `rows` is -1 for points that only power is fitted to.
    """

    points: tuple[Point, ...]
    keys: tuple[str, ...]
    rows: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.points)

    @property
    def chips(self) -> list[str]:
        """The chip of each point."""
        return [p.candidate.chip.id for p in self.points]

    @property
    def only_power(self) -> list[Measurement]:
        """The rows that only power is fitted to."""
        return [p.measurement for p, i in zip(self.points, self.rows, strict=True) if i < 0]

    def column(self, metric: str) -> Array:
        """A measured figure of each point, NaN where it has none."""
        return np.array([measured(p.measurement, metric) or np.nan for p in self.points])


@dataclass(frozen=True)
class EnergyScore:
    """Errors by metric of the points of one chip (`all` for every chip).

    `uncalibrated`: nothing fitted; `out_of_fold`: power fitted without the operating point; `unseen_chip`: without
    its chip. Times are out of fold in both.
    """

    chip: str
    n: int
    uncalibrated: Mapping[str, Score | None]
    out_of_fold: Mapping[str, Score | None]
    unseen_chip: Mapping[str, Score | None]


@dataclass(frozen=True)
class _Busy:
    """What the chips of power points do: as predicted, and at the measured throughput (ln of measured / predicted)."""

    c: Candidates
    use: Use
    tokens_per_s_per_chip: Array
    pace: Array

    def watts(self, constants: Constants, paced: bool = False) -> Array:
        """Watts of a chip of each point with these power constants."""
        theta = constants.theta(self.c.contexts)
        c = replace(self.c, theta={**self.c.theta, **{name: theta[name] for name in POWER}})
        return use_power_w(c, self.use.paced(self.pace) if paced else self.use)[:, 0]


def power_points(data: Dataset, only_power: Dataset | None = None) -> PowerPoints:
    """The strict rows of a data set with measured power, then the rows that only power is fitted to."""
    found = [(p, i) for i, (p, strict) in enumerate(zip(data.points, data.strict, strict=True)) if strict]
    if only_power is not None:
        found += [(p, -1) for p, strict in zip(only_power.points, only_power.strict, strict=True) if strict]
    kept = [(p, i) for p, i in found if measured_watts(p) is not None]
    keys = tuple(operating_point(p.measurement, data.catalog) for p, _ in kept)
    return PowerPoints(tuple(p for p, _ in kept), keys, tuple(i for _, i in kept))


def measured_watts(p: Point) -> float | None:
    """Measured watts of a chip, None where there are none or where they cannot be of the chip's board alone.

    They cannot above 1.3 x TDP, or where joules per token are not watts over tokens per second (a wider boundary); nor
    where tokens per second are not half or twice what users and latencies give (Little's law): the mean is then over
    a run that mostly stood still.
    """
    watts = measured(p.measurement, "watts")
    joules, rate = (measured(p.measurement, m) for m in ("joules_per_output_token", "throughput"))
    if watts is None or watts > _ABOVE_TDP * p.candidate.chip.power.tdp_w:
        return None
    if joules and rate and abs(math.log(joules * rate / watts)) > _CONTRADICTION:
        return None
    flow = p.rate_of_latencies
    if flow and rate and abs(math.log(rate / flow)) > _STANDSTILL:
        return None
    return watts


def fit_energy(points: PowerPoints, constants: Constants, record: Calibration) -> Shifts:
    """Shifts of the power constants, beside the times of `record`."""
    return _fit(points, _busy(points, replace(constants, calibration=record)), constants) if len(points) else {}


def energy_scores(
    points: PowerPoints, constants: Constants, x: OutOfFold, record: Calibration | None = None
) -> list[EnergyScore]:
    """Scores of all points (first) and by chip, times out of fold as `x` has them; [] without points.

    Points that only power is fitted to have the times of `record`, which has not seen theirs.
    """
    if not len(points):
        return []
    found = (
        _figures(points, _busy(points, constants), constants),
        _out_of_fold(points, points.keys, constants, x, record),
        _out_of_fold(points, points.chips, constants, x, record),
    )
    scores = []
    for chip in ("all", *sorted(set(points.chips))):
        rows = np.array([chip in ("all", c) for c in points.chips])
        scores.append(EnergyScore(chip, int(rows.sum()), *(_scores(points, figures, rows) for figures in found)))
    return scores


def power_factors(
    points: PowerPoints, constants: Constants, x: OutOfFold, record: Calibration | None = None
) -> dict[str, Factor]:
    """Interval factors of watts by chip, of chips with `FEWEST` operating points.

    From the spread about predictions out of fold (their bias included), by Student's law for the few points there are.
    """
    if not len(points):
        return {}
    after = _out_of_fold(points, points.keys, constants, x, record)
    residual, found = np.log(points.column("watts")) - after["watts"], {}
    for chip in sorted(set(points.chips)):
        rows = np.array([c == chip for c in points.chips])
        n = len({k for k, own in zip(points.keys, rows, strict=True) if own})
        if n >= FEWEST:
            half = round(student_quantile(n) * float(np.sqrt(np.mean(residual[rows] ** 2))), 4)
            found[chip] = Factor(-half, half, n)
    return found


def with_power(record: Calibration, shifts: Shifts, factors: Mapping[str, Factor]) -> Calibration:
    """The record with shifts of the power constants and interval factors of watts."""
    merged = {level: dict(by) for level, by in record.shifts.items()}
    for level, by in shifts.items():
        known = merged.setdefault(level, {})
        for key, row in by.items():
            known[key] = {**known.get(key, {}), **row}
    return replace(record, shifts=merged, factors={**record.factors, "watts": factors} if factors else record.factors)


def _busy(points: PowerPoints, constants: Constants) -> _Busy:
    every = points.points
    c = candidates([p.model for p in every], [p.candidate for p in every], constants)
    t = stacked_traffic([p.workload for p in every])
    service = closed_loop(c, t, point_loads(c, t, every))
    rate = (service.request_rate * t.output_mean / c.n_chips)[:, 0]
    ratio = points.column("throughput") / rate
    return _Busy(c, replica_use(c, service), rate, np.where(np.isnan(ratio), 1.0, ratio)[:, None])


def _fit(points: PowerPoints, busy: _Busy, constants: Constants, rows: Rows | None = None) -> Shifts:
    chosen = np.arange(len(points)) if rows is None else np.nonzero(rows)[0]
    contexts = [busy.c.contexts[int(i)] for i in chosen]
    entries = [constants.entries[name] for name in POWER]
    prior, low, high, sd = (np.array(v) for v in zip(*((e.value, e.low, e.high, e.sd) for e in entries), strict=True))
    design = groups(contexts, POWER, sd, LEVELS)
    c, use = busy.c.take(chosen), _take(busy.use.paced(busy.pace), chosen)

    def ln_watts(ln_theta: Array) -> Array:
        theta = np.clip(np.exp(ln_theta), low, high)
        moved = {name: theta[:, [k]] for k, name in enumerate(POWER)}
        return np.log(use_power_w(replace(c, theta={**c.theta, **moved}), use)[:, 0])[None, :]

    observed = np.log(points.column("watts")[chosen])[None, :]
    tiled = np.tile(np.log(prior), (len(chosen), 1))
    problem = Problem(ln_watts, observed, np.ones_like(observed), tiled, _RESIDUAL_SD, _ROBUST_AT)
    return shifts_of(Fitted(design, fit(problem, design.design), POWER, frozenset()))["constant"]


def _take(use: Use, rows: NDArray[np.intp]) -> Use:
    (a, b), (d, e) = use.prompt, use.decode
    return Use(use.prompt_share[rows], use.decode_share[rows], (a[rows], b[rows]), (d[rows], e[rows]))


def _out_of_fold(
    points: PowerPoints, groups_of: Sequence[str], constants: Constants, x: OutOfFold, record: Calibration | None
) -> dict[str, Array]:
    """ln of the metrics of every point, power fitted without its group; nothing fitted where there is one group."""
    found = {metric: np.full(len(points), np.nan) for metric in METRICS}
    numbers = np.array([x.fold[i] if i >= 0 else -1 for i in points.rows])
    keys = np.array(groups_of)
    for number in sorted(set(numbers.tolist())):
        times = record if number < 0 else x.records[number]
        busy = _busy(points, replace(constants, calibration=times))
        for key in sorted(set(keys[numbers == number].tolist())):
            shifts = _fit(points, busy, constants, keys != key) if (keys != key).any() else {}
            fitted = calibration_of(None, ()) if times is None else times
            figures = _figures(points, busy, replace(constants, calibration=replace(fitted, shifts=shifts)))
            held = (keys == key) & (numbers == number)
            for metric, values in figures.items():
                found[metric][held] = values[held]
    return found


def _figures(points: PowerPoints, busy: _Busy, constants: Constants) -> dict[str, Array]:
    """ln of the predicted metrics."""
    watts, paced = busy.watts(constants), busy.watts(constants, paced=True)
    measured_rate = ~np.isnan(points.column("throughput"))
    return {
        "watts": np.log(watts),
        "joules_per_output_token": np.log(watts / busy.tokens_per_s_per_chip),
        "watts_at_measured_throughput": np.where(measured_rate, np.log(paced), np.nan),
    }


def _scores(points: PowerPoints, figures: Mapping[str, Array], rows: Rows) -> dict[str, Score | None]:
    columns = {"watts_at_measured_throughput": "watts"}
    truth = {metric: np.log(points.column(columns.get(metric, metric))) for metric in METRICS}
    return {metric: score_of(np.exp(figures[metric] - truth[metric])[rows]) for metric in METRICS}


def student_quantile(freedom: int) -> float:
    """The 95 % quantile of Student's t (Abramowitz and Stegun 26.7.5, within 0.2 % from 5 degrees of freedom up).

    >>> [round(student_quantile(n), 3) for n in (5, 10, 1000)]
    [2.013, 1.812, 1.646]
    """
    z, v = Z, float(freedom)
    first, second = (z**3 + z) / 4.0, (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
    third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
    return z + first / v + second / v**2 + third / v**3


def describe(scores: Sequence[EnergyScore]) -> dict[str, Any] | None:
    """The scores as JSON-ready data, of all points and by chip; None without any."""

    def part(s: EnergyScore) -> dict[str, Any]:
        found = {name: getattr(s, name) for name in SPLITS}
        return {"n": s.n} | {
            name: {metric: None if v is None else dict(v.__dict__) for metric, v in by.items()}
            for name, by in found.items()
        }

    return {**part(scores[0]), "chips": [{"chip": s.chip, **part(s)} for s in scores[1:]]} if scores else None
