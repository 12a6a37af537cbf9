"""A comparison of ecosystems as text: the standings, the matrix of who is cheaper, what each locks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from stackwright.cli.choice_text import how, probability
from stackwright.cli.output import Sheet, console, interval, lead, number, remark, table, value


def render(document: dict[str, Any], report: Path | None) -> None:
    """Print a comparison document."""
    out, q = console(), document["question"]
    lead(out, q["name"], f"  {q['workload']['name']}: {q['workload']['description']}")
    floor = "" if q["min_quality"] is None else f"; {q['quality']['benchmark']} at least {q['min_quality']:g}"
    out.print(f"Promise: {q['slo']['description']}{floor}\n")
    out.print(_standings(document))
    out.print("  ? latency of the API is not known, so neither is whether it keeps the promise\n")
    for row in document["compare"]:
        if row["refusal"]:
            out.print(f"  {row['ecosystem']}: {row['refusal']}")
    _verdicts(out, document)
    out.print()
    models = shared_models(document)
    if models:
        out.print(_by_model(document, models))
        out.print()
    out.print(_locks(document))
    for text in document["assumptions"]:
        remark(out, text)
    remark(out, "porting: engineer-days are an assumption, wide on purpose; give your own as --porting-usd")
    remark(out, f"{document['evaluated']:,} operating points in {document['cpu_s']:.2f} CPU-s")
    if report:
        out.print(f"\nReport: {report}")


def _standings(document: dict[str, Any]) -> Sheet:
    q = document["question"]
    percentile = f"p{q['slo']['percentile']:g}"
    score = q["quality"]["benchmark"] if q["quality"] else "quality"
    columns = ("ecosystem", "model", "best stack", score, "USD/Mtok out [90 %]", "USD/month", f"TTFT {percentile} ms",
               f"TPOT {percentile} ms", "P(keeps)")  # fmt: skip
    made = table(
        "The best of each ecosystem",
        *columns,
        right=columns[3:],
        may_go=(f"TTFT {percentile} ms", f"TPOT {percentile} ms", score),
    )
    for row in document["compare"]:
        best = row["best"]
        if best is None:
            made.add_row(row["ecosystem"], "-", "none, see below", "-", "-", "-", "-", "-", "-")
            continue
        made.add_row(
            row["ecosystem"],
            best["model"].rsplit("/", 1)[-1],
            how(best),
            "-" if best["quality"] is None else f"{best['quality']['score']:g}",
            _cost(best),
            number(best["usd_per_month"]),
            *(value(best[f"{name}_{percentile}_s"], 1e3) for name in ("ttft", "tpot")),
            probability(best),
        )
    return made


def shared_models(document: dict[str, Any]) -> list[str]:
    """Models that two or more ecosystems have an option of, in order of appearance."""
    having: dict[str, int] = {}
    for row in document["compare"]:
        for model in dict.fromkeys(o["model"] for o in row["options"]):
            having[model] = having.get(model, 0) + 1
    return [m for m, n in having.items() if n > 1]


def cheapest(row: dict[str, Any], model: str) -> dict[str, Any] | None:
    """The best option of one model in an ecosystem that does not miss the promise; None where there is none."""
    found = [o for o in row["options"] if o["model"] == model and o["meets_slo"] is not False]
    return found[0] if found else None


def _by_model(document: dict[str, Any], models: list[str]) -> Sheet:
    """Like for like: one model in every ecosystem."""
    labels = [m.rsplit("/", 1)[-1] for m in models]
    made = table("USD/Mtok out [90 %] of one and the same model", "ecosystem", *labels, right=labels)
    for row in document["compare"]:
        options = [cheapest(row, m) for m in models]
        if any(options):
            made.add_row(row["ecosystem"], *("-" if o is None else _cost(o) for o in options))
    return made


def _cost(o: dict[str, Any]) -> str:
    return number(o["usd_per_mtok_output"]["value"]) if o["api"] else interval(o["usd_per_mtok_output"])


def _verdicts(out: Console, document: dict[str, Any]) -> None:
    close = [v for v in document["verdicts"] if "too close to say" in v]
    told = len(document["verdicts"]) - len(close)
    if not document["verdicts"]:
        return
    pairs = len(document["verdicts"])
    lead(out, "Who is cheaper:", f" {told} of {pairs} pairs can be told; P(row costs less than column)")
    names, p = document["cheaper"]["names"], document["cheaper"]["p"]
    labels = [chr(ord("A") + i) for i in range(len(names))]
    made = table("", "", *labels, right=labels)
    for i, name in enumerate(names):
        made.add_row(f"{labels[i]}  {name}", *("" if i == j else _share(p[i][j]) for j in range(len(names))))
    out.print(made)
    for line in close:
        out.print(f"  {line}")


def _share(p: float) -> str:
    if p > 0.99:
        return ">99%"
    return "<1%" if p < 0.01 else f"{p:.0%}"


def _locks(document: dict[str, Any]) -> Sheet:
    columns = ("ecosystem", "weights", "chip elsewhere", "class elsewhere", "engine elsewhere", "API sellers", "months",
               "bound to", "moving: USD (thousand)")  # fmt: skip
    made = table(
        "What it locks: other providers of the chip, chips of other makers in its class, makers the engine also runs on",
        *columns,
        right=columns[2:7],
        may_go=("engine elsewhere", "class elsewhere", "months"),
    )
    for row in document["compare"]:
        if row["best"] is None:
            continue
        x = row["best"]["lock_in"]
        made.add_row(
            row["ecosystem"],
            "open" if x["weights_open"] else "closed",
            _count(x["providers_of_the_chip"]),
            _count(x["chips_of_other_makers_in_its_class"]),
            _count(x["other_makers_the_engine_runs_on"]),
            _count(x["api_sellers_of_the_model"]),
            str(x["commitment_months"]),
            "; ".join(x["bound"]) or "nothing that exists once only",
            "\n".join(f"{m['to']}: {_thousands(m['usd'])}" for m in x["moves"]),
        )
    return made


def _count(x: dict[str, Any] | None) -> str:
    return "-" if x is None else str(x["count"])


def _thousands(usd: dict[str, float]) -> str:
    low, high = (f"{usd[k] / 1e3:.3g}" for k in ("low", "high"))
    return low if low == high else f"{low}-{high}"
