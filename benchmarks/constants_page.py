"""Writes docs/constants.md from the shipped constants and calibration record: `make pages`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stackwright.catalog import load_catalog
from stackwright.llm import Model
from stackwright.performance import Candidate, Constants, Layout, load_constants
from stackwright.performance.candidates import context_of
from stackwright.performance.constants import Constant
from stackwright.performance.kernel_values import kernel_values
from stackwright.performance.models import model_of

Array = NDArray[np.float64]

PAGE = Path(__file__).parents[1] / "docs" / "constants.md"
_AT_BOUND = 1e-6
_GROUPS = (
    ("Kernels", ("_efficiency", "expert_popularity_shape", "expert_tile_width")),
    ("Fixed times", ("_overhead_s", "collective_latency_s", "expert_imbalance")),
    ("Queueing and the benchmark's client", (
        "wave_persistence", "attention_rank_wait_steps", "prefill_stall_share", "decode_steps_before_start",
        "burst_weight", "queue_weight", "prefill_time_scale",
    )),
    ("Power", ("power_", "_power_share")),
)  # fmt: skip


@dataclass(frozen=True)
class Range:
    """Calibrated values of one constant over the combinations measured, and how many sit at its two bounds."""

    values: Array
    at_low: int
    at_high: int


def ranges(constants: Constants) -> dict[str, Range]:
    """The calibrated values of every constant over the (chip, network, engine) of the record; {} without a record.

    As a service of one's own has them: no benchmark's client, the engine of the catalogue, the network's own precision.
    """
    record = constants.calibration
    if record is None:
        return {}
    catalog = load_catalog()
    entries = {entry.group or entry.id: entry for entry in catalog.models.values()}
    models: dict[str, Model] = {}
    combinations: list[tuple[Model, Candidate]] = []
    for chip, network, engine in sorted(record.seen):
        if network not in models:
            models[network] = model_of(entries[network])
        model = models[network]
        layout = Layout(weight_precision=model.native_precision)
        combinations.append((model, Candidate(catalog.engine(engine), catalog.chip(chip), layout)))
    contexts = [context_of(m, c) for m, c in combinations]
    kernels = None
    if record.kernel_priors:
        kernels = kernel_values([m for m, _ in combinations], [c for _, c in combinations], constants.entries)
    theta = constants.theta(contexts, kernels)
    found = {}
    for name, entry in constants.entries.items():
        values = np.broadcast_to(theta[name], (len(contexts), 1))[:, 0]
        low, high = (np.isclose(values, end, rtol=_AT_BOUND, atol=0.0) for end in (entry.low, entry.high))
        found[name] = Range(values, int(low.sum()), int(high.sum()))
    return found


def page(constants: Constants) -> str:
    """The page."""
    found = ranges(constants)
    entries = list(constants.entries.values())
    efficiencies = [c for c in entries if c.name.endswith("_efficiency")]
    above = [c.name for c in efficiencies if c.high > 1.0]
    lines = [
        "# Constants",
        "",
        "Every named constant of the physics: the median and the spread it starts from (`sd`: standard deviation of "
        "its natural logarithm; 0: held fixed) and the bounds that always hold. Sources are in "
        "`performance/data/constants.yaml`, levels of the fit in [calibration](calibration.md). Written by "
        "`make pages`.",
        "",
        _fitted_words(constants, found),
        "",
        f"Bounds keep efficiencies physical: {len(efficiencies)} achieved / nominal ratios, "
        + (f"above 1 are allowed: {', '.join(above)}." if above else "none may exceed 1.")
        + _largest(efficiencies, found),
    ]
    rest = entries
    for title, marks in _GROUPS:
        members = [c for c in rest if any(c.name == m or c.name.endswith(m) or c.name.startswith(m) for m in marks)]
        rest = [c for c in rest if c not in members]
        lines += _section(title, members, found)
    lines += _section("Shapes, counts and memory", rest, found)
    return "\n".join(lines) + "\n"


def _fitted_words(constants: Constants, found: dict[str, Range]) -> str:
    if not found:
        return "No calibration record is shipped: the figures below are priors alone."
    n = len(next(iter(found.values())).values)
    return (
        f"Fitted: least, median and largest calibrated value over the {n} combinations of chip, network and engine "
        f"that the shipped record has measured ({constants.status}), measured kernels included, the client of a "
        "benchmark not. *At a bound*: combinations that the bound holds."
    )


def _largest(efficiencies: Sequence[Constant], found: dict[str, Range]) -> str:
    if not found:
        return ""
    name, value = max(((c.name, float(found[c.name].values.max())) for c in efficiencies), key=lambda pair: pair[1])
    return f" The largest calibrated one is {value:.3f} (`{name}`)."


def _section(title: str, members: Sequence[Constant], found: dict[str, Range]) -> list[str]:
    heads = ["constant", "meaning", "unit", "median", "sd", "bounds"]
    if found:
        heads += ["fitted: least", "median", "largest", "at a bound"]
    lines = ["", f"## {title}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for c in members:
        cells = [
            f"`{c.name}`",
            c.meaning,
            c.unit,
            _number(c.value),
            f"{c.sd:g}",
            f"{_number(c.low)} .. {_number(c.high)}",
        ]
        if found:
            cells += _fitted_cells(found[c.name], c)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _fitted_cells(r: Range, c: Constant) -> list[str]:
    if np.allclose(r.values, c.value, rtol=1e-9):
        return ["-", "-", "-", "-"]
    told = [f"{count} at {end}" for count, end in ((r.at_low, "low"), (r.at_high, "high")) if count]
    return [*(_number(float(v)) for v in (r.values.min(), np.median(r.values), r.values.max())), ", ".join(told) or "-"]


def _number(value: float) -> str:
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")


def main() -> int:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    path.write_text(page(load_constants()))
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
