"""How many rows of a table the gate refuses, doubts and repairs, rule by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stackwright.calibration.gate.admit import REPAIRS, SET_DOUBTS, SET_RULES, Gated, gate
from stackwright.calibration.gate.rules import DOUBTING, REFUSING
from stackwright.calibration.rows.groups import data_hash
from stackwright.catalog import Catalog
from stackwright.measure import Measurement


@dataclass(frozen=True)
class Count:
    """How many rows of a table a rule refused, doubted or repaired."""

    rule: str
    effect: str
    rows: int
    meaning: str
    source: str


@dataclass(frozen=True)
class GateReport:
    """Counts of a table at the gate: rows read, kept and strict by mode, and every rule with its count."""

    read: Mapping[str, int]
    kept: Mapping[str, int]
    strict: Mapping[str, int]
    counts: tuple[Count, ...]
    unchecked: int
    data_hash: str

    def text(self) -> str:
        """The report as Markdown tables."""
        lines = ["| rows | read | kept | strict |", "|---|---|---|---|"]
        lines += [f"| {m} | {n} | {self.kept.get(m, 0)} | {self.strict.get(m, 0)} |" for m, n in self.read.items()]
        lines += ["", "| rule | effect | rows | meaning | source |", "|---|---|---|---|---|"]
        lines += [f"| {c.rule} | {c.effect} | {c.rows} | {c.meaning} | {c.source} |" for c in self.counts]
        tail = f"Kept rows that physics could not judge (model or chip not covered): {self.unchecked}."
        return "\n".join([*lines, "", tail, f"Hash of the kept rows: {self.data_hash}"])


def gate_report(rows: Sequence[Measurement], catalog: Catalog | None = None) -> GateReport:
    """Passes rows through the gate and counts."""
    return report(rows, gate(rows, catalog))


def report(rows: Sequence[Measurement], gated: Gated) -> GateReport:
    """Counts of rows that have been through the gate."""
    refused = Counter(r.rule for r in gated.refused)
    doubted = Counter(d.split(":")[0] for d in gated.doubts if d)
    counts = [Count(n, "repaired", gated.repairs.get(n, 0), text, "the row itself") for n, text in REPAIRS.items()]
    counts += [Count(n, "refused", refused[n], *SET_RULES[n]) for n in SET_RULES]
    counts += [Count(r.name, "refused", refused[r.name], r.meaning, r.source) for r in REFUSING]
    counts += [Count(r.name, "not strict", doubted[r.name], r.meaning, r.source) for r in DOUBTING]
    counts += [Count(n, "not strict", doubted[n], *SET_DOUBTS[n]) for n in SET_DOUBTS]
    read, kept, strict = (_by_mode(part) for part in (rows, gated.kept, gated.strict_rows))
    return GateReport(read, kept, strict, tuple(counts), gated.unchecked, data_hash(gated.kept))


def _by_mode(rows: Sequence[Measurement]) -> dict[str, int]:
    return dict(sorted(Counter(r.text["mode"] or "not stated" for r in rows).items()))
