"""A choice document as text: the table of models and ways to have them, what was left out, what was assumed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from stackwright.cli.output import Sheet, console, interval, lead, number, remark, table, value
from stackwright.planner.choose.versus import SURE


def render(document: dict[str, Any], top: int, report: Path | None) -> None:
    """Print a choice document; of each model the rented stack and its `top` cheapest sellers at most."""
    out, q = console(), document["question"]
    lead(out, "Which model", f"  {q['workload']['name']}: {q['workload']['description']}")
    out.print(f"Promise: {q['slo']['description']}; best stack of a model by {q['objective']}\n")
    rows, hidden = _shown(document["choice"], top)
    out.print(choice_table(rows, q))
    _legend(out, rows, q)
    if hidden:
        remark(out, f"{hidden} more sellers by API: --top {top + hidden}, or --json")
    for line in left_out(document["refused"]):
        remark(out, f"left out: {line}")
    for text in document["assumptions"]:
        remark(out, text)
    remark(out, f"{document['evaluated']:,} operating points in {document['cpu_s']:.2f} CPU-s")
    if report:
        out.print(f"\nReport: {report}")


def choice_table(rows: list[dict[str, Any]], q: dict[str, Any]) -> Sheet:
    """Options as a table."""
    percentile = f"p{q['slo']['percentile']:g}"
    score = q["quality"]["benchmark"] if q["quality"] else "quality"
    columns = ("", "model", "how", score, "USD/Mtok out [90 %]", "batch", "USD/h", f"TTFT {percentile} ms",
               f"TPOT {percentile} ms", "P(keeps)", "beaten by")  # fmt: skip
    made = table(
        "Every way to have each model, by cost: those that keep the promise, then those whose latency is unknown",
        *columns,
        right=columns[3:10],
        may_go=("batch", "USD/h", "beaten by", f"TTFT {percentile} ms", f"TPOT {percentile} ms"),
    )
    for r in rows:
        made.add_row(
            "*" if r["on_front"] else "",
            r["model"].rsplit("/", 1)[-1],
            how(r),
            "-" if r["quality"] is None else f"{r['quality']['score']:g}",
            number(r["usd_per_mtok_output"]["value"]) if r["api"] else interval(r["usd_per_mtok_output"]),
            number(r["api"]["usd_per_mtok_output_batch"]) if r["api"] else "-",
            number(r["usd_per_hour"]),
            *(value(r[f"{name}_{percentile}_s"], 1e3) for name in ("ttft", "tpot")),
            probability(r),
            beaten(r),
        )
    return made


def how(r: dict[str, Any]) -> str:
    """The way of an option in a few words."""
    if r["plan"] is None:
        return str(r["how"])
    layout = r["plan"]["stack"]["layout"]["weight_precision"]
    return f"{r['how']} ({layout})"


def probability(r: dict[str, Any]) -> str:
    """The probability of keeping the promise; a question mark where the latency is unknown."""
    if r["p_meets_slo"] is None:
        return "?"
    return f"{r['p_meets_slo']:.0%}" + ("" if r["meets_slo"] else " !")


def beaten(r: dict[str, Any]) -> str:
    """What dominates an option; a tilde where it is not surely cheaper."""
    by = r["dominated_by"]
    if by is None:
        return "" if r["on_front"] else "-"
    return f"{by['model'].rsplit('/', 1)[-1]}, {by['how']}{'' if by['p_cheaper'] >= SURE else ' ~'}"


def left_out(refused: list[dict[str, Any]]) -> list[str]:
    """What was left out, one line per model and reason; sellers with one reason are counted."""
    groups: dict[tuple[str, str], list[str]] = {}
    for r in refused:
        kind = "API" if (r["how"] or "").endswith("API") and r["how"] != "API" else r["how"] or ""
        reason = (
            "the context is shorter than the workload's long requests"
            if " tokens at most" in r["reason"] and kind == "API"
            else r["reason"]
        )
        groups.setdefault((r["model"], f"{kind}\0{reason}"), []).append(r["how"] or "")
    lines = []
    for (model, key), names in groups.items():
        kind, _, reason = key.partition("\0")
        who = f" by {len(names)} APIs" if kind == "API" and len(names) > 1 else f", {names[0]}" if names[0] else ""
        lines.append(f"{model}{who}: {reason}")
    return lines


def _shown(rows: list[dict[str, Any]], top: int) -> tuple[list[dict[str, Any]], int]:
    """Rented stacks, and of each model the cheapest sellers; the number left out."""
    seen: Counter[str] = Counter()
    kept = []
    for r in rows:
        if r["api"] is not None:
            seen[r["model"]] += 1
            if seen[r["model"]] > top:
                continue
        kept.append(r)
    return kept, len(rows) - len(kept)


def _legend(out: Any, rows: list[dict[str, Any]], q: dict[str, Any]) -> None:
    terms = "cost, quality and, where both are known, latency" if q["quality"] else "cost and, where known, latency"
    out.print(f"  * nothing here is better in {terms}")
    if any(r["p_meets_slo"] is None for r in rows):
        out.print("  ? latency of the API is not known, so neither is whether it keeps the promise")
    if any(beaten(r).endswith("~") for r in rows):
        out.print("  ~ cheaper with less than 90 % probability: too close to say")
    if any(r["p_meets_slo"] is not None and not r["meets_slo"] for r in rows):
        out.print("  ! keeps the promise with less than 90 % probability")
    if q["quality"] and any(r["quality"] is None for r in rows):
        out.print("  - no score known: not compared")
