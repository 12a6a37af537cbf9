"""The public scoreboard: `make scoreboard` writes docs/scoreboard/ (tables, plots, summary.json).

Everything is out of fold. Says why and leaves the scoreboard as it is when the data is absent.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.fit.energy import SPLITS, describe, energy_scores, power_points
from stackwright.calibration.fit.fewshot import OwnScore, with_own_points
from stackwright.calibration.fit.observations import METRICS
from stackwright.calibration.judge.conformal import covered, factors
from stackwright.calibration.judge.crossval import DEFAULT, OutOfFold
from stackwright.calibration.judge.score import score_of
from stackwright.calibration.judge.sets import set_of
from stackwright.calibration.record import cross_validations, newest, pool_validations, sources
from stackwright.calibration.rows.dataset import Dataset, dataset
from stackwright.calibration.rows.groups import How, data_hash, same_run
from stackwright.catalog import load_catalog
from stackwright.errors import InputError
from stackwright.measure import Measurement
from stackwright.measure.importers import import_silicon_sample, import_splitwise_power
from stackwright.measure.table import read_measurements
from stackwright.performance.constants import prior_constants
from stackwright.performance.pools import DISAGGREGATED

sys.path.insert(0, str(Path(__file__).parent))
from scoreboard_plots import dots, scatter
from tables import power_table, tables

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Document = dict[str, Any]

FOLDER = Path(__file__).parents[1] / "docs" / "scoreboard"
PEER = FOLDER / "peer-aiconfigurator.csv"
SILICON = "silicon sample, aggregated"
OWN = (0, 1, 3, 5, 10)
HOW_WORDS = {"random": "random groups", "pair": "unseen pair", "model": "unseen model", "chip": "unseen chip"}


@dataclass(frozen=True)
class Row:
    """One row of the target table: a set, how it is held out, targets (mean, median) by metric."""

    name: str
    sets: tuple[str, ...]
    how: How
    targets: dict[str, tuple[float, float]]
    own: int = 0


ROWS = (
    Row(f"{SILICON}: unseen pair (means)", (SILICON,), "pair", {"tpot": (12, 8), "ttft": (30, 20)}),
    Row("the same: unseen model", (SILICON,), "model", {"tpot": (18, 13), "ttft": (36, 26)}),
    Row("the same: five own points given", (SILICON,), "pair", {"tpot": (8, 5), "ttft": (20, 12)}, own=5),
    Row("InferenceX, NVIDIA (p50): unseen pair", ("InferenceX, NVIDIA",), "pair", {"tpot": (13, 9), "ttft": (28, 18)}),
    Row("AMD (p50): random groups", ("AMD",), "random", {"tpot": (13, 10), "ttft": (28, 20)}),
    Row("AMD (p50): unseen chip", ("AMD",), "chip", {"tpot": (18, 14), "ttft": (40, 28)}),
    Row("TensorRT-LLM tables, dense: unseen model", ("TensorRT-LLM tables, dense",), "model", {"throughput": (9, 7)}),
    Row("TensorRT-LLM tables, MoE: unseen model", ("TensorRT-LLM tables, MoE",), "model", {"throughput": (18, 13)}),
    Row("speculative, aggregated: random groups", ("speculative, aggregated",), "random", {}),
    Row("speculative, aggregated: unseen pair", ("speculative, aggregated",), "pair", {}),
    Row("Gaudi: random groups", ("Gaudi",), "random", {}),
    Row("Trainium: random groups", ("Trainium",), "random", {}),
    Row("TPU: random groups", ("TPU",), "random", {}),
)


@dataclass(frozen=True)
class Board:
    """What the scoreboard is made of."""

    data: Dataset
    silicon: list[Measurement]
    found: dict[How, OutOfFold]
    sets: list[str]
    own: dict[int, OwnScore]
    pools: Dataset
    pools_found: dict[How, OutOfFold]
    energy: Document | None = None


def board(points: Path, sample: Path, hows: tuple[How, ...] = DEFAULT) -> Board:
    """Reads the tables and cross-validates."""
    silicon, catalog, constants = import_silicon_sample(sample), load_catalog(), prior_constants()
    data = dataset([*read_measurements(points), *silicon], catalog, constants)
    say = None if not sys.stderr.isatty() else lambda how, i, n: print(f"{how}: fold {i} of {n}", file=sys.stderr)
    found = cross_validations(data, constants, hows, say)
    only = Dataset(data.points, data.strict & _mask(data, (SILICON,)), (), (), catalog)
    own = with_own_points(only, found["pair"], factors(found), constants, OWN)
    pools = dataset([*read_measurements(points), *silicon], catalog, constants, mode=DISAGGREGATED)
    of_pools = pool_validations(data, pools, constants, ("pair", "random"), say)
    watts = energy(data, found["random"])
    return Board(data, silicon, found, [set_of(p) for p in data.points], own, pools, of_pools, watts)


def energy(data: Dataset, x: OutOfFold) -> Document | None:
    """Scores of watts and joules per token; points that only power is fitted to have times of one of the folds."""
    path, constants = power_table(), prior_constants()
    only = dataset(import_splitwise_power(path), data.catalog, constants) if path is not None else None
    return describe(energy_scores(power_points(data, only), constants, x, x.records[0]))


def _mask(data: Dataset, sets: tuple[str, ...]) -> Mask:
    return np.array([set_of(p) in sets for p in data.points])


def score(x: OutOfFold, rows: Mask) -> Document:
    """Scores by metric of the rows chosen, coverage included."""
    found: Document = {}
    for m, metric in enumerate(METRICS):
        s = score_of(np.exp(-x.residual[m, rows]), covered(x, m)[rows])
        if s is not None:
            found[metric] = {k: round(v, 2) if isinstance(v, float) else v for k, v in s.__dict__.items()}
    return found


def target_table(b: Board) -> list[Document]:
    """Every row of the target table: strict and all rows, targets, reached."""
    found = []
    for row in ROWS:
        x, mask = b.found[row.how], np.array([s in row.sets for s in b.sets])
        entry: Document = {"row": row.name, "how": row.how, "targets": row.targets}
        if row.own:
            own = b.own[row.own]
            scores = {metric: score_of(np.exp(own.ratio[m]), own.inside[m]) for m, metric in enumerate(METRICS)}
            entry["strict"] = {
                k: {n: round(v, 2) if isinstance(v, float) else v for n, v in s.__dict__.items()}
                for k, s in scores.items()
                if s is not None
            }
        else:
            entry["strict"], entry["all"] = score(x, mask & b.data.strict), score(x, mask)
        found.append(entry)
    return found


def peer(b: Board) -> Document | None:
    """NVIDIA's tool on the rows of its sample that are in the scoreboard too; ours out of fold on the same rows."""
    if not PEER.is_file():
        return None
    lines = list(csv.DictReader(PEER.open(newline="")))
    ours = {"unseen pair": b.found["pair"], "unseen model": b.found["model"]}
    pools = {"unseen pair": b.pools_found["pair"]}
    return {
        **compared([x for x in lines if x["part"] in ("agg", "aggregated")], b.data, b.silicon, ours),
        "disaggregated": compared([x for x in lines if x["part"] == "disagg"], b.pools, b.silicon, pools),
    }


def compared(
    lines: Sequence[Mapping[str, str]], data: Dataset, silicon: Sequence[Measurement], found: Mapping[str, OutOfFold]
) -> Document:
    """Errors of the peer's answers `lines` and of ours `found` (by split) on the rows of `data` that both have."""
    place = {same_run(p.measurement): i for i, p in enumerate(data.points)}
    ours: dict[str, list[int]] = {"strict": [], "all": []}
    theirs: dict[str, list[tuple[float, float]]] = {"strict": [], "all": []}
    counts: Counter[str] = Counter(asked=len(lines))
    for line in lines:
        row = silicon[int(line["row"])]
        i = place.get(same_run(row))
        if i is None:
            counts["not in the scoreboard (gate, or not covered)"] += 1
            continue
        if line["failure"] or not line["tpot_ms"]:
            counts["failed, of rows in the scoreboard"] += 1
            continue
        ratio = (
            float(line["tpot_ms"]) / 1e3 / (row.number("tpot_s") or math.nan),
            float(line["ttft_ms"]) / 1e3 / (row.number("ttft_s") or math.nan),
        )
        for name in ("all", *(["strict"] if data.strict[i] else [])):
            ours[name].append(i)
            theirs[name].append(ratio)
    result: Document = {"counts": dict(counts)}
    for name, index in ours.items():
        by = {"aiconfigurator 0.12.0": np.array(theirs[name]).reshape(-1, 2).T}
        by |= {f"Stackwright, {split}": np.exp(-x.residual[[1, 0]][:, index]) for split, x in found.items()}
        result[name] = {"n": len(index), **{who: _tpot_ttft(ratios) for who, ratios in by.items()}}
    return result


def _tpot_ttft(ratios: Array) -> Document:
    scores = zip(("tpot", "ttft"), map(score_of, ratios), strict=True)
    return {
        metric: {"mape_pct": round(s.mape_pct, 2), "median_ape_pct": round(s.median_ape_pct, 2)}
        for metric, s in scores
        if s is not None
    }


def record_of(data: Dataset, pools: Dataset) -> Document:
    """The rows of the record that `make calibrate` writes from the same data."""
    rows = [*data.strict_rows, *pools.strict_rows]
    return {"data_hash": data_hash(rows), "n_rows": len(rows)}


def summary(b: Board) -> Document:
    """Everything in figures: docs/scoreboard/summary.json."""
    return {
        "date": newest(b.data.strict_rows),
        "data_hash": b.data.data_hash,
        "record": record_of(b.data, b.pools),
        "constants_hash": constants_hash(),
        "strict_rows": int(b.data.strict.sum()),
        "rows": len(b.data.points),
        "refused": len(b.data.refused),
        "disaggregated": {
            how: {"strict": score(x, b.pools.strict), "all": score(x, np.ones_like(b.pools.strict))}
            for how, x in b.pools_found.items()
        },
        "sources": sources(b.data.strict_rows),
        "folds": {how: len(set(x.keys)) for how, x in b.found.items()},
        "targets": target_table(b),
        "sets": {
            how: {
                name: {"strict": score(x, mask & b.data.strict), "all": score(x, mask)}
                for name in sorted(set(b.sets))
                for mask in [np.array([s == name for s in b.sets])]
            }
            for how, x in b.found.items()
        },
        "own_points": {str(k): _own(own) for k, own in b.own.items()},
        "factors": {
            metric: {s: [round(math.exp(f.low), 3), round(math.exp(f.high), 3), f.n] for s, f in by.items()}
            for metric, by in factors(b.found).items()
        },
        "peer": peer(b),
        "energy": _rounded(b.energy),
    }


def _rounded(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: _rounded(value) for name, value in found.items()}
    if isinstance(found, list):
        return [_rounded(value) for value in found]
    return round(found, 2) if isinstance(found, float) else found


def constants_hash() -> str:
    """Hash of what a fit starts from: medians, spreads and bounds of the constants, and the measured kernels."""
    entries = prior_constants().entries
    figures = [(name, c.value, c.sd, c.low, c.high) for name, c in entries.items()]
    curves = (resources.files("stackwright.performance") / "data" / "kernel_curves.json").read_bytes()
    return hashlib.sha256(json.dumps(figures).encode() + curves).hexdigest()[:16]


def _own(own: OwnScore) -> Document:
    found = {}
    for m, metric in enumerate(METRICS):
        s = score_of(np.exp(own.ratio[m]), own.inside[m])
        if s is not None:
            found[metric] = {k: round(v, 2) if isinstance(v, float) else v for k, v in s.__dict__.items()}
    return found


def _pair(s: Document | None) -> str:
    return "-" if not s else f"{s['mape_pct']:.1f} / {s['median_ape_pct']:.1f}"


def _cover(s: Document | None) -> str:
    return "-" if not s or s.get("coverage90_pct") is None else f"{s['coverage90_pct']:.0f} %"


def _verdict(target: tuple[float, float], s: Document | None) -> str:
    if not s:
        return "-"
    return " / ".join("yes" if s[k] <= t else "no" for t, k in zip(target, ("mape_pct", "median_ape_pct"), strict=True))


def _count(s: Document | None, entry: Document) -> str:
    if not s:
        return "0"
    return f"{s['n']} in all draws" if "all" not in entry else str(s["n"])


def compact(d: Document) -> str:
    """The target table in Markdown, for the page and the README."""
    lines = [
        "| set and split | metric | target | strict rows (n) | all rows (n) | reached (strict) |",
        "|---|---|---|---|---|---|",
    ]
    words = {"tpot": "TPOT", "ttft": "TTFT", "throughput": "tokens/s/chip"}
    for entry in d["targets"]:
        wanted = entry["targets"] or {m: None for m in ("tpot", "ttft", "throughput") if m in entry["strict"]}
        for metric, target in wanted.items():
            strict, everything = entry["strict"].get(metric), entry.get("all", {}).get(metric)
            cells = [
                entry["row"],
                words[metric],
                "report" if target is None else f"{target[0]} / {target[1]}",
                f"{_pair(strict)} ({_count(strict, entry)})",
                f"{_pair(everything)} ({everything['n']})" if everything else "-",
                "-" if target is None else _verdict(target, strict),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    for how, found in d["disaggregated"].items():
        for metric, word in words.items():
            strict, everything = (found[part].get(metric) for part in ("strict", "all"))
            if strict and everything:
                name = f"disaggregated, speculative flag known: {HOW_WORDS[how]}"
                cells = f"{_pair(strict)} ({strict['n']}) | {_pair(everything)} ({everything['n']})"
                lines.append(f"| {name} | {word} | report | {cells} | - |")
    return "\n".join(lines)


def page(b: Board, d: Document) -> str:
    """docs/scoreboard/README.md."""
    lines = [
        "# Scoreboard",
        "",
        f"Newest measurement {d['date']}, data {d['data_hash']}: {d['rows']} rows that pass the [gate](../gate.md) and "
        f"are in scope, {d['strict_rows']} of them strict; {d['refused']} rows refused. Mean / median absolute % "
        "error, **out of fold**: every row is predicted by a fit that has not seen its group. Written by "
        "`make scoreboard`; the splits: "
        + ", ".join(f"{HOW_WORDS[h]} ({n} groups)" for h, n in d["folds"].items())
        + ". Labels of one network are one group, folds are dealt by `folds(keys, k, seed=0)`.",
        "",
        "## Targets",
        "",
        compact(d),
        "",
        "Throughput that is not printed follows from mean latencies (Little's law). Scores of the silicon sample are "
        "on means, those of InferenceX and AMD on medians of TTFT.",
        "",
        "## Coverage of the 90 % intervals",
        "",
        "Share of held-out rows inside the interval that the other groups give (wanted: 87 to 94 %). The ends are set "
        "so that groups, not rows, are covered at 90 %.",
        "",
        "| set | n | " + " | ".join(f"{HOW_WORDS[h]}: TPOT, TTFT, tokens/s" for h in d["folds"]) + " |",
        "|---|---|" + "---|" * len(d["folds"]),
    ]
    for name in sorted(set(b.sets)):
        cells = []
        for how in d["folds"]:
            s = d["sets"][how][name]["strict"]
            cells.append(", ".join(_cover(s.get(m)) for m in ("tpot", "ttft", "throughput")))
        n = int(sum(s == name and t for s, t in zip(b.sets, b.data.strict, strict=True)))
        lines.append(f"| {name} | {n} | {' | '.join(cells)} |")
    lines += ["", "![coverage](coverage.svg)", "", "Interval factors (measured / predicted, from and to, groups):", ""]
    lines += ["| support | " + " | ".join(d["factors"]) + " |", "|---|" + "---|" * len(d["factors"])]
    for support in ("pair_seen", "pair_unseen", "model_unseen", "chip_unseen", "unseen"):
        cells = [
            f"{v[0]:.2f} .. {v[1]:.2f} ({v[2]})" if (v := by.get(support)) else "-" for by in d["factors"].values()
        ]
        lines.append(f"| {support.replace('_', ' ')} | {' | '.join(cells)} |")
    lines += [
        "",
        "## With points of one's own",
        "",
        "Silicon sample, strict rows, unseen pair, then k points of the same engine, chip, model and precision "
        "(10 draws; the points given are not scored).",
        "",
        "| own points | TPOT | TTFT | tokens/s/chip | coverage: TPOT, TTFT, tokens/s |",
        "|---|---|---|---|---|",
        *(
            f"| {k} | {' | '.join(_pair(s.get(m)) for m in kinds)} | {', '.join(_cover(s.get(m)) for m in kinds)} |"
            for kinds in [("tpot", "ttft", "throughput")]
            for k, s in d["own_points"].items()
        ),
        "",
        *_energy_lines(d["energy"]),
        *_peer_lines(d["peer"]),
        "## Predicted against measured",
        "",
        "Unseen pair, strict rows; dashed: x 1.5 and / 1.5.",
        "",
        "![TPOT](tpot.svg)",
        "",
        "![TTFT](ttft.svg)",
        "",
        "## Error by chip, engine and model",
        "",
        "Unseen pair, strict rows, mean / median absolute % error and bias (median signed error).",
        "",
        "![error by group](groups.svg)",
        "",
        "| chip | engine | model | n | TPOT | bias | TTFT | bias | tokens/s/chip | bias |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key, rows in _groups(b):
        cells = []
        for m in (1, 0, 2):
            s = score_of(np.exp(-b.found["pair"].residual[m, rows]))
            cells += ["-", "-"] if s is None else [f"{s.mape_pct:.0f} / {s.median_ape_pct:.0f}", f"{s.bias_pct:+.0f}"]
        lines.append(f"| {' | '.join(key)} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _energy_lines(found: Document | None) -> list[str]:
    if found is None:
        return []
    words = {
        "watts": "watts",
        "joules_per_output_token": "J/token",
        "watts_at_measured_throughput": "watts, throughput given",
    }
    lines = [
        "## Energy",
        "",
        "Measured power of the chip's board (no host, no fans): InferenceX on MI355X, splitwise-sim on A100 (vLLM of "
        "2023; only its power is fitted). Out of fold: power fitted without the operating point, times by random "
        "groups; unseen chip: without the chip. Mean / median absolute % error.",
        "",
        "| chip | metric | n | uncalibrated | out of fold | unseen chip |",
        "|---|---|---|---|---|---|",
    ]
    for part in (*found["chips"], {"chip": "all", **found}):
        for metric, name in words.items():
            cells = [_pair(part[split][metric]) for split in SPLITS]
            lines.append(f"| {part['chip']} | {name} | {part['n']} | {' | '.join(cells)} |")
    return [*lines, ""]


def _peer_lines(found: Document | None) -> list[str]:
    if found is None or not found["all"]["n"]:
        return []
    lines = [
        "## NVIDIA's aiconfigurator on the same rows",
        "",
        "Its answers to the fixed sample of `benchmarks/peers` (settings there), rows that are in this scoreboard. It "
        "is not fitted to end-to-end rows; ours is, hence only held-out figures of ours.",
        "",
        f"Aggregated: {_counts(found)}.",
        "",
        *_peer_table(found),
        "",
    ]
    pools = found["disaggregated"]
    if pools["all"]["n"]:
        lines += [f"Disaggregated: {_counts(pools)}.", "", *_peer_table(pools), ""]
    return lines


def _counts(found: Document) -> str:
    return ", ".join(f"{n} {k}" for k, n in found["counts"].items())


def _peer_table(found: Document) -> list[str]:
    lines = ["| | strict rows: TPOT | TTFT | all rows: TPOT | TTFT |", "|---|---|---|---|---|"]
    for who in [k for k in found["all"] if k != "n"]:
        cells = [_pair(found[part].get(who, {}).get(m)) for part in ("strict", "all") for m in ("tpot", "ttft")]
        lines.append(f"| {who} | {' | '.join(cells)} |")
    return [*lines, f"| n | {found['strict']['n']} | | {found['all']['n']} | |"]


def _groups(b: Board) -> list[tuple[tuple[str, str, str], list[int]]]:
    found: dict[tuple[str, str, str], list[int]] = {}
    for i, p in enumerate(b.data.points):
        if b.data.strict[i]:
            key = (p.candidate.chip.id, p.candidate.engine.id, (p.model.network or p.model.id).split("/")[-1])
            found.setdefault(key, []).append(i)
    return sorted(found.items())


def plots(b: Board, d: Document) -> dict[str, str]:
    """The SVG files by name."""
    x, found = b.found["pair"], {}
    for name, m, scale, unit in (("tpot", 1, 1e3, "ms"), ("ttft", 0, 1e3, "ms")):
        series = []
        for s in sorted(set(b.sets)):
            rows = np.array([t == s for t in b.sets]) & b.data.strict & np.isfinite(x.residual[m])
            if rows.any():
                series.append((s, np.exp(x.measured[m, rows]) * scale, np.exp(x.predicted[m, rows]) * scale))
        found[f"{name}.svg"] = scatter(f"{name.upper()}, unseen pair of chip and model", unit, series)
    rows_of: list[tuple[str, list[tuple[float, str]]]] = []
    for key, rows in _groups(b):
        values = []
        for m, name in ((1, "TPOT"), (0, "TTFT"), (2, "tokens/s")):
            s = score_of(np.exp(-x.residual[m, rows]))
            if s is not None and s.n >= 5:
                values.append((s.median_ape_pct, name))
        if values:
            rows_of.append((" · ".join(key), values))
    title = "Median absolute error by chip, engine, model (unseen pair)"
    found["groups.svg"] = dots(title, "%, 100 or more at the end", rows_of, 100.0)
    cover = []
    for how in d["folds"]:
        for name, s in d["sets"][how].items():
            values = [
                (s["strict"][m]["coverage90_pct"], words)
                for m, words in (("tpot", "TPOT"), ("ttft", "TTFT"), ("throughput", "tokens/s"))
                if m in s["strict"] and s["strict"][m]["n"] >= 20
            ]
            if values:
                cover.append((f"{HOW_WORDS[how]}: {name}", values))
    found["coverage.svg"] = dots("Coverage of 90 % intervals on held-out groups", "%", cover, 100.0, (87.0, 94.0), 50.0)
    return found


def main() -> int:
    try:
        points, sample = tables()
    except InputError as error:
        print(f"skipped, the scoreboard stays as it is: {error}")
        return 0
    b = board(points, sample)
    d = summary(b)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(d, indent=1, sort_keys=True) + "\n")
    (folder / "README.md").write_text(page(b, d))
    (folder / "targets.md").write_text(compact(d) + "\n")
    for name, text in plots(b, d).items():
        (folder / name).write_text(text)
    print(compact(d))
    print()
    print("\n".join(_peer_lines(d["peer"])))
    print(f"written to {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
