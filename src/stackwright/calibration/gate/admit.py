"""The data gate: which published measurements may teach or judge a prediction, and why the others may not.

Every rule is physical or structural and looks at no prediction (rules.py). A rule refuses a row, or leaves it in
with a doubt (it is then not `strict`: something that decides the result is not stated). Before the rules, what is
certain is repaired, and of several reports of one run the soundest is kept.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from stackwright.calibration.gate.rules import DOUBTING, REFUSING, Facts, Rule
from stackwright.calibration.rows.groups import chip_of, figure, network, same_run
from stackwright.catalog import Catalog, load_catalog
from stackwright.measure import Measurement
from stackwright.measure.table import NUMBERS

SAME_RUN_LN = 0.15
ROUNDING_LN = 5e-4
COLD_START_MARGIN = 2.0
RATE_MARGIN = 0.05
_ATTENTION_RANKS = re.compile(r"enable_attention_dp(?!\s*[:=]\s*false)", re.IGNORECASE)
_RATES = ("output_tokens_per_s_per_chip", "total_tokens_per_s_per_chip")


@dataclass(frozen=True)
class Refused:
    """A row that must not be used, the rule that says so, and why in one sentence."""

    measurement: Measurement
    rule: str
    reason: str


@dataclass(frozen=True)
class Gated:
    """What the gate let through: rows (repaired), and for each the doubt that keeps it from being strict ('' = none).

    `repairs` counts repaired rows by repair; `unchecked` counts kept rows that the rules of physics could not judge
    (model or chip not in the catalogue, or its architecture not covered).
    """

    kept: list[Measurement]
    doubts: list[str]
    refused: list[Refused]
    repairs: Mapping[str, int] = field(default_factory=dict)
    unchecked: int = 0

    @property
    def strict(self) -> list[bool]:
        """For each kept row whether nothing about it is in doubt."""
        return [not d for d in self.doubts]

    @cached_property
    def strict_rows(self) -> list[Measurement]:
        """The kept rows about which nothing is in doubt."""
        return [m for m, d in zip(self.kept, self.doubts, strict=True) if not d]


SET_RULES: Mapping[str, tuple[str, str]] = {
    "exact duplicate": ("The same run reported again: equal mode, lengths and figures to 6 digits.", "arithmetic"),
    "rounded duplicate": (
        "The same run printed with fewer digits: equal configuration, TTFT and TPOT within 0.05 %.",
        "arithmetic",
    ),
    "several labels": ("One run under the labels of two models of one network.", "catalogue: `group` of a model"),
}
"""Rules that compare rows: meaning and source."""

COLD_START = "cold start in the mean"
SET_DOUBTS: Mapping[str, tuple[str, str]] = {
    COLD_START: (
        "A mean TTFT of a campaign in which one is above 2 (1 + users / rounds) times the median of the same run.",
        "closed loop: only the first round queues all users",
    ),
}
"""Doubts that compare rows: meaning and source."""

RANKS_IN_NOTES = "attention data parallelism in the notes"
REPAIRS: Mapping[str, str] = {
    RANKS_IN_NOTES: "Notes say that mixtures of experts ran with attention data and expert parallelism: tp split so.",
    "cores counted as chips": "tp of TPU v7 or Trainium counts cores, two to a chip: halved.",
    "tp holds the data-parallel ranks": "tp = n_chips beside attention_dp > 1 counts the same chips twice: divided.",
    "rate of decode chips": "Output tokens of a disaggregated row per decode chip, its total per chip: both per chip.",
    "speculation recovered": "The flag of a row of the same configuration and TPOT (within 15 %) that states it.",
}
"""Repairs made before the rules, where the row itself or a matching row leaves no doubt."""


def gate(measurements: Sequence[Measurement], catalog: Catalog | None = None) -> Gated:
    """Repairs, de-duplicates and judges rows; each is kept (with its doubt) or refused with a reason.

    Rows with a speculative flag lend it to unlabelled ones of the same configuration, so give all sources at once.
    """
    facts = Facts(catalog or load_catalog())
    repairs: Counter[str] = Counter()
    rows = [_repaired(m, facts, repairs) for m in measurements]
    rows, refused = _distinct(rows, facts)
    rows, rounded = _unrounded(rows, facts)
    refused += rounded
    rows = _labelled(rows, facts, repairs)
    cold = _cold_starts(rows, facts)
    kept: list[Measurement] = []
    doubts: list[str] = []
    for row in rows:
        objection = _first(REFUSING, row, facts)
        if objection is not None:
            refused.append(Refused(row, *objection))
            continue
        doubt = _first(DOUBTING, row, facts)
        kept.append(row)
        doubts.append(": ".join(doubt) if doubt else cold.get(row.id, ""))
    unchecked = sum(facts.chip(m) is None or facts.model(m) is None for m in kept)
    return Gated(kept, doubts, refused, dict(repairs), unchecked)


def _first(rules: Iterable[Rule], row: Measurement, facts: Facts) -> tuple[str, str] | None:
    for rule in rules:
        reason = rule.check(row, facts)
        if reason is not None:
            return rule.name, reason
    return None


def _repaired(row: Measurement, facts: Facts, repairs: Counter[str]) -> Measurement:
    if row.text["mode"] == "disaggregated":
        return _rate_of_all_chips(row, repairs)
    n, tp, dp, pp = (row.number(k) for k in ("n_chips", "tp", "attention_dp", "pp"))
    if _ranks_in_notes(row, facts):
        repairs[RANKS_IN_NOTES] += 1
        cells = {"tp": "1", "attention_dp": f"{tp:g}", "ep": f"{tp:g}"}
        return _with(row, cells, f"{RANKS_IN_NOTES}: printed tp {tp:g}")
    if not n or not tp or row.text["mode"] != "aggregated" or tp * (dp or 1.0) * (pp or 1.0) == n:
        return row
    chip = facts.chip(row)
    cores = chip is not None and chip.family in ("tpu", "trainium")
    if cores and tp * (dp or 1.0) * (pp or 1.0) == 2.0 * n and tp % 2 == 0:
        name, size = "cores counted as chips", tp / 2.0
    elif dp and dp > 1 and tp * (pp or 1.0) == n and tp % dp == 0:
        name, size = "tp holds the data-parallel ranks", tp / dp
    else:
        return row
    repairs[name] += 1
    return _with(row, {"tp": f"{size:g}"}, f"{name}: printed tp {tp:g}")


def _ranks_in_notes(row: Measurement, facts: Facts) -> bool:
    """Whether the notes say that the ranks of a mixture of experts are data-parallel while tp holds them."""
    if not _ATTENTION_RANKS.search(row.text["notes"]) or (row.number("tp") or 1.0) <= 1.0:
        return False
    model = facts.model(row)
    plain = (row.number("attention_dp") or 1.0) == 1.0 and (row.number("ep") or 1.0) == 1.0
    return plain and model is not None and model.family == "moe"


def _rate_of_all_chips(row: Measurement, repairs: Counter[str]) -> Measurement:
    """A disaggregated row with its output rate per chip of both pools.

    InferenceX divides output by the decode chips and the total by all: output / total x (isl + osl) / osl shows it.
    """
    n, output, total = (row.number(k) for k in ("n_chips", *_RATES))
    isl, osl = row.number("isl"), row.number("osl")
    if not (n and output and total and isl and osl):
        return row
    chips = n * total / output * osl / (isl + osl)
    if chips > (1.0 - RATE_MARGIN) * n:
        return row
    repairs["rate of decode chips"] += 1
    note = f"rate of decode chips: printed {output:g} on {chips:.0f} of {n:g} chips"
    return _with(row, {_RATES[0]: f"{total * osl / (isl + osl):g}"}, note)


def _with(row: Measurement, cells: Mapping[str, str], note: str) -> Measurement:
    """The row with cells replaced and a note on it."""
    notes = "; ".join(n for n in (row.text["notes"], note) if n)
    numbers = {**row.numbers, **{k: float(v) for k, v in cells.items() if k in NUMBERS}}
    text = {**row.text, **{k: v for k, v in cells.items() if k in row.text}, "notes": notes}
    return replace(row, text=text, numbers=numbers, raw={**row.raw, **cells, "notes": notes})


def _distinct(rows: Sequence[Measurement], facts: Facts) -> tuple[list[Measurement], list[Refused]]:
    """One row of every run: of several the one that needed no repair, then the one that states most, then by id."""
    best: dict[str, Measurement] = {}
    for row in rows:
        key = same_run(row)
        if key not in best or _rank(row) < _rank(best[key]):
            best[key] = row
    kept, refused = [], []
    for row in rows:
        first = best[same_run(row)]
        if first is row:
            kept.append(row)
            continue
        labels = (
            network(first, facts.catalog) == network(row, facts.catalog) and first.text["model"] != row.text["model"]
        )
        rule = "several labels" if labels else "exact duplicate"
        under = f" under the label {first.text['model']}" if labels else ""
        refused.append(Refused(row, rule, f"the run of {first.id} again{under}"))
    return kept, refused


def _unrounded(rows: Sequence[Measurement], facts: Facts) -> tuple[list[Measurement], list[Refused]]:
    """Without the rows whose two latencies repeat those of a sounder row of the same configuration but for rounding."""
    alike: dict[tuple[str, ...], list[Measurement]] = {}
    for row in rows:
        if row.number("ttft_s") and row.number("tpot_s"):
            key = (*_configuration(row, facts)[:4], row.text["mode"], row.text["ttft_stat"], row.text["tpot_stat"])
            sizes = tuple(figure(row, name) for name in ("isl", "osl", "concurrency", "n_chips"))
            alike.setdefault((*key, *sizes), []).append(row)
    copies: dict[str, Measurement] = {}
    for group in alike.values():
        sound: list[Measurement] = []
        for row in sorted(group, key=_rank):
            first = next((m for m in sound if _equal_but_rounding(m, row)), None)
            if first is None:
                sound.append(row)
            else:
                copies[row.id] = first
    refused = [
        Refused(m, "rounded duplicate", f"the run of {copies[m.id].id} with fewer digits")
        for m in rows
        if m.id in copies
    ]
    return [m for m in rows if m.id not in copies], refused


def _equal_but_rounding(a: Measurement, b: Measurement) -> bool:
    pairs = [(a.number(name) or 1.0, b.number(name) or 1.0) for name in ("ttft_s", "tpot_s")]
    return all(abs(math.log(x / y)) < ROUNDING_LN for x, y in pairs)


def _rank(row: Measurement) -> tuple[bool, int, str, int]:
    return "repaired" in row.text["notes"], -sum(v != "" for v in row.raw.values()), row.id, row.row


def _labelled(rows: Sequence[Measurement], facts: Facts, repairs: Counter[str]) -> list[Measurement]:
    """Rows with the speculative flag of the nearest row in TPOT that ran the same configuration and states one."""
    stated: dict[tuple[str, ...], list[tuple[float, str]]] = {}
    for row in rows:
        flag, tpot = row.text["speculative"], row.number("tpot_s")
        if tpot and flag not in ("", "unknown"):
            stated.setdefault(_configuration(row, facts), []).append((tpot, flag))
    found = []
    for row in rows:
        tpot = row.number("tpot_s")
        near = stated.get(_configuration(row, facts), []) if tpot and row.text["speculative"] in ("", "unknown") else []
        distance, flag = min(((abs(math.log(t / (tpot or t))), f) for t, f in near), default=(math.inf, ""))
        if distance < SAME_RUN_LN and facts.predicts_tokens(row):
            repairs["speculation recovered"] += 1
            row = _with(row, {"speculative": flag}, f"speculative {flag}: as the same configuration of another source")
        found.append(row)
    return found


def _cold_starts(rows: Sequence[Measurement], facts: Facts) -> dict[str, str]:
    """The doubt about mean TTFTs of campaigns that show a start-up inside the mean, by id of the row.

    A campaign is what ran one network on one chip and engine in one day. It shows a cold start where the mean of a
    run is above what the median of the same run allows: the first of R rounds queues n prompts, each of which takes
    at most the median, so that the mean is at most median x (1 + n / R); twice that is beyond noise.
    """
    medians: dict[tuple[str, ...], list[Measurement]] = {}
    for row in rows:
        if row.number("ttft_s") and row.text["ttft_stat"] == "p50":
            medians.setdefault((row.text["date"], *_configuration(row, facts)), []).append(row)
    shown: dict[tuple[str, ...], str] = {}
    means = [r for r in rows if r.number("ttft_s") and r.text["ttft_stat"] == "mean" and r.text["date"]]
    for row in means:
        most = COLD_START_MARGIN * (1.0 + (row.number("concurrency") or 1.0) / (row.number("rounds") or 1.0))
        for other in medians.get((row.text["date"], *_configuration(row, facts)), []):
            ratio = (row.number("ttft_s") or 0.0) / (other.number("ttft_s") or math.inf)
            if ratio > most and _near(row, other, "tpot_s", SAME_RUN_LN):
                shown[_campaign(row, facts)] = f"mean TTFT of {row.id} is {ratio:.1f} x the median of the same run"
    doubtful = ((row.id, shown.get(_campaign(row, facts))) for row in means)
    return {key: f"{COLD_START}: {reason}, in the same campaign" for key, reason in doubtful if reason}


def _near(a: Measurement, b: Measurement, name: str, most_ln: float) -> bool:
    x, y = a.number(name), b.number(name)
    return x is not None and y is not None and abs(math.log(x / y)) < most_ln


def _campaign(row: Measurement, facts: Facts) -> tuple[str, ...]:
    where = (chip_of(row, facts.catalog), network(row, facts.catalog))
    return (*where, row.text["engine"], row.text["weight_precision"], row.text["mode"], row.text["date"])


def _configuration(row: Measurement, facts: Facts) -> tuple[str, ...]:
    where = (chip_of(row, facts.catalog), network(row, facts.catalog))
    settings = (row.text["engine"], row.text["weight_precision"], row.text["mode"], row.text["length_dist"])
    sizes = tuple(figure(row, name) for name in ("isl", "osl", "concurrency", "n_chips"))
    return (*where, *settings, *sizes, str((row.number("attention_dp") or 1) > 1))
