"""A plan document as text: ranked tables, the reason of the first plan, its launch command, what was assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from stackwright.cli.output import Sheet, console, interval, lead, number, remark, table, value

_WIDE = 150
_MOST_UNPRICED = 10  # rows of stacks that nobody sells, below those that can be had
_RANKED = {
    "usd_per_mtok_output": "USD per million output tokens",
    "usd_per_mtok_total": "USD per million input and output tokens",
    "expected_cost": "USD per million output tokens, expected penalty included",
    "chips": "chips rented",
    "energy": "energy per output token",
    "carbon": "carbon per output token",
    "tpot": "mean TPOT",
}


def render(document: dict[str, Any], show_launch: bool, report: Path | None) -> None:
    """Print a plan document: ranked table, unpriced table, reasons, launch command."""
    out, q = console(), document["question"]
    lead(out, q["model"], f"  {q['workload']['name']}: {q['workload']['description']}")
    out.print(f"Promise: {q['slo']['description']}; objective: {q['objective']}\n")
    if document["plans"]:
        title = f"Ranked by {_RANKED[q['objective']]} among those that keep the promise"
        out.print(_plans(out, document["plans"], q, title))
    else:
        out.print("No stack with a price under these filters.")
    if document["unpriced"]:
        out.print()
        title = "Nobody publishes a price for these under the given filters: one replica at its best load"
        out.print(_plans(out, document["unpriced"][:_MOST_UNPRICED], q, title))
        if len(document["unpriced"]) > _MOST_UNPRICED:
            out.print(
                f"  and {len(document['unpriced']) - _MOST_UNPRICED} more chips without a price: --json, --report"
            )
    if document.get("compare"):
        out.print()
        out.print(_plans(out, [document["compare"]["today"]], q, "What you run today, under the same traffic"))
        for line in document["compare"]["changes"]:
            out.print(f"  {line}")
    if any(p["penalty"] for p in document["plans"]):
        out.print()
        out.print(_penalties(document["plans"], q))
    if "api" in document:
        out.print()
        out.print(_api(document["api"]) if document["api"] else "No API list price of this model is known.")
    _remarks(out, document, show_launch)
    if report:
        out.print(f"\nReport: {report}")


def _plans(out: Console, plans: list[dict[str, Any]], q: dict[str, Any], title: str) -> Sheet:
    percentile = f"p{q['slo']['percentile']:g}"
    return _wide(plans, percentile, title) if out.width >= _WIDE else _narrow(plans, percentile, title)


def _wide(plans: list[dict[str, Any]], percentile: str, title: str) -> Sheet:
    columns = ("#", "chips", "engine", "weights", "layout", "offer", "contract", "USD/h", "USD/Mtok out [90 %]",
               f"TTFT {percentile} ms", f"TPOT {percentile} ms", "P(keeps)", "used", "J/tok", "price age")  # fmt: skip
    made = table(title, *columns, right=("#", *columns[7:]), may_go=("price age", "J/tok", "used", "contract"))
    for p in plans:
        stack = p["stack"]
        offer = stack["offer"] or {}
        made.add_row(
            _rank(p),
            f"{p['n_chips']} x {stack['chip']}",
            stack["engine"],
            stack["layout"]["weight_precision"],
            _layout(p),
            offer.get("id", "-"),
            offer.get("contract", "-"),
            number(p["usd_per_hour"]),
            interval(p["usd_per_mtok_output"]),
            *_latency(p, percentile),
            _probability(p),
            _share(p["utilisation"]),
            value(p["joules_per_output_token"], digits=2),
            _age(offer),
        )
    return made


def _narrow(plans: list[dict[str, Any]], percentile: str, title: str) -> Sheet:
    """A plan on four short lines, for terminals that are not wide."""
    right = ("#", "USD/h", "USD/Mtok out [90 %]", "P(keeps)")
    made = table(title, "#", "stack", *right[1:], right=right)
    for p in plans:
        stack = p["stack"]
        offer = stack["offer"]
        ttft, tpot = _latency(p, percentile)
        lines = (
            f"{p['n_chips']} x {stack['chip']}",
            f"{stack['engine']} {stack['layout']['weight_precision']} {_layout(p)}",
            f"{offer['id']} {offer['contract']}" if offer else "no price",
            f"TTFT {ttft}, TPOT {tpot} ms, {_share(p['utilisation'])} used",
        )
        made.add_row(
            _rank(p), "\n".join(lines), number(p["usd_per_hour"]), interval(p["usd_per_mtok_output"]), _probability(p)
        )
    return made


def _rank(p: dict[str, Any]) -> str:
    return f"{p['rank']}{'~' if p['tied_with_first'] and p['rank'] > 1 else ''}"


def _layout(p: dict[str, Any]) -> str:
    return f"{p['replicas']} x ({p['stack']['layout']['description']})"


def _latency(p: dict[str, Any], percentile: str) -> tuple[str, str]:
    return value(p[f"ttft_{percentile}_s"], 1e3), value(p[f"tpot_{percentile}_s"], 1e3)


def _probability(p: dict[str, Any]) -> str:
    return f"{p['p_meets_slo']:.0%}" + ("" if p["meets_slo"] else " !")


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list | tuple) else str(value)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _age(offer: dict[str, Any]) -> str:
    days = offer.get("price_age_days")
    return "-" if days is None else f"{days} d"


def _penalties(plans: list[dict[str, Any]], q: dict[str, Any]) -> Sheet:
    """What the penalty clause is expected to cost each plan."""
    tiers = [f"P(< {t['below_percent']:g} %)" for t in plans[0]["penalty"]["tiers"]]
    right = ("#", "fee USD/month", *tiers, "penalty USD/month", "USD/h with penalty")
    made = table(f"Expected penalty under {q['penalty']}", *right, right=right)
    for p in plans:
        found = p["penalty"]
        made.add_row(_rank(p), number(found["fee_usd_per_month"]), *(f"{t['probability']:.1%}" for t in found["tiers"]),
                     _cents(found["expected_usd_per_month"]), number(p["usd_per_hour_with_penalty"]))  # fmt: skip
    return made


def _cents(usd: float) -> str:
    return "< 0.01" if 0.0 < usd < 0.01 else number(usd)


def _api(rows: list[dict[str, Any]]) -> Sheet:
    right = ("USD/Mtok in", "USD/Mtok out", "USD/Mtok out, all cost")
    made = table("The same model by API", "provider", "model", *right, "list read", right=right, may_go=("list read",))
    for r in rows:
        made.add_row(r["provider"], r["model"], number(r["usd_per_mtok_input"]), number(r["usd_per_mtok_output_list"]),
                     number(r["usd_per_mtok_output"]), _list_read(r))  # fmt: skip
    return made


def _list_read(row: dict[str, Any]) -> str:
    """When the list of token prices was fetched and how long ago; a star marks a stale one."""
    from stackwright.catalog import STALE_PRICE_DAYS

    days = row.get("list_age_days")
    if days is None:
        return "with the package"
    return f"{row['list_read']}, {days} d{' *' if days > STALE_PRICE_DAYS else ''}"


def _remarks(out: Console, document: dict[str, Any], show_launch: bool) -> None:
    plans, q = document["plans"] or document["unpriced"], document["question"]
    if plans:
        _first(out, plans, [*document["plans"], *document["unpriced"]], show_launch)
    if q["sector"]:
        remark(out, f"sector {q['sector']['name']} assumes what is not given (no legal advice):")
        for a in q["sector"]["assumes"]:
            cited = f" ({a['source']})" if a["source"] else ""
            remark(out, f"  {a['option']} {_text(a['value'])}: {a['why']}{cited}")
    for text in document["assumptions"]:
        remark(out, text)
    for line in left_out(document["left_out_offers"]):
        remark(out, line)
    counts = ", ".join(f"{n} {reason}" for reason, n in document["rejected_by_reason"].items())
    if counts:
        remark(out, f"left out: {counts}")
    remark(out, f"{document['evaluated']:,} operating points in {document['cpu_s']:.2f} CPU-s")


def left_out(found: dict[str, Any]) -> list[str]:
    """Offers left out by the constraints, by reason with the clouds it concerns, and the nearest of them."""
    if not found["count"]:
        return []
    clouds: dict[str, list[str]] = {}
    for row in found["by_reason"]:
        clouds.setdefault(row["reason"], []).append(f"{row['provider']} {row['offers']}")
    near = found["nearest"]
    cost = f"{number(near['usd_per_chip_hour'])} USD per chip-hour"
    return [
        f"{_offers(found['count'])} left out by the constraints: "
        + "; ".join(f"{reason} ({', '.join(names)})" for reason, names in clouds.items()),
        f"nearest of those: {near['offer']} at {cost} ({'; '.join(near['reasons'])})",
    ]


def _offers(n: int) -> str:
    return "1 offer" if n == 1 else f"{n} offers"


def _first(out: Console, plans: list[dict[str, Any]], shown: list[dict[str, Any]], show_launch: bool) -> None:
    first = plans[0]
    out.print()
    lead(out, "Why #1:", f" {first['why']}")
    for note in first["notes"]:
        out.print(f"  note: {note}")
    if first["other_contracts"]:
        others = ", ".join(f"{c['contract']} {number(c['usd_per_hour'])} USD/h" for c in first["other_contracts"])
        out.print(f"  the same offer under other contracts: {others}")
    if any(p["tied_with_first"] and p["rank"] > 1 for p in plans):
        out.print("  ~ overlaps with the interval of #1: a tie until measured")
    if any(not p["meets_slo"] for p in shown):
        out.print("  ! keeps the promise with less than 90 % probability")
    if show_launch:
        launch = first["launch"]
        out.print()
        lead(out, "Launch #1", f" ({first['stack']['engine']} {launch['engine_version']}):")
        out.print(launch["command"] or launch["note"], soft_wrap=True)
