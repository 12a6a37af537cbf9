"""`stackwright plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackwright.cli.options import (
    MODEL,
    POSITIVE,
    SECONDS,
    Name,
    Names,
    catalog_option,
    constants_option,
    json_option,
    known_chips,
    known_clouds,
    known_engines,
    known_vendors,
    known_workloads,
)
from stackwright.cli.output import console, emit_json, interval, number, table, value, working
from stackwright.errors import UnsupportedError


@click.command("plan", short_help="Rank the stacks that serve a model under a promise at the lowest cost.")
@click.argument("model", type=MODEL)
@click.option(
    "--workload",
    "workload_name",
    type=Name(known_workloads),
    default="chat",
    show_default=True,
    help="Traffic profile, workload file or trace file.",
)
@click.option("--rate", type=POSITIVE, help="Requests per second of the whole deployment.")
@click.option("--concurrency", type=POSITIVE, help="Concurrent users of the whole deployment.")
@click.option("--ttft", type=SECONDS, help="Promised time to first token (0.5, 500ms).")
@click.option("--tpot", type=SECONDS, help="Promised time per output token after the first.")
@click.option(
    "--percentile",
    type=click.FloatRange(50, 99.9, min_open=True),
    default=95.0,
    show_default=True,
    help="Share of requests that keep the promise.",
)
@click.option("--chips", type=Names(known_chips), default=(), help="Only these chips.")
@click.option("--vendors", type=Names(known_vendors), default=(), help="Only chips of these makers.")
@click.option("--clouds", type=Names(known_clouds), default=(), help="Only these providers.")
@click.option("--engines", type=Names(known_engines), default=(), help="Only these engines.")
@click.option("--regions", type=Names(), default=(), help="Only these regions, as the provider names them.")
@click.option(
    "--contracts",
    type=Names(),
    default=("on_demand", "capacity_block"),
    show_default="on_demand,capacity_block",
    help="Contracts to consider, or `all`.",
)
@click.option("--precisions", type=Names(), default=(), help="Only these weight precisions.")
@click.option("--kv-precision", default="", help="KV-cache precision: bf16 or fp8.")
@click.option(
    "--objective",
    default="usd_per_mtok_output",
    show_default=True,
    help="usd_per_mtok_output, usd_per_mtok_total, chips, energy, carbon or tpot.",
)
@click.option(
    "--per", default="offer", show_default=True, help="List the best stack per offer, chip or vendor, or every stack."
)
@click.option("--max-usd-per-hour", type=POSITIVE, help="Budget of the deployment.")
@click.option("--max-chips", type=click.IntRange(1), help="Most chips of the deployment.")
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, help="Plans to list.")
@click.option(
    "--compare",
    "compare_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="STACK.yaml",
    help="The stack you run today: shows what changes.",
)
@click.option("--include-api", is_flag=True, help="Show what the same model costs per token from API providers.")
@click.option("--verify", is_flag=True, help="Simulate the top candidates (not there yet).")
@click.option("--models", help="Compare models (not there yet).")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Write a self-contained HTML report.",
)
@click.option("--launch/--no-launch", "show_launch", default=True, help="Print the launch command of the first plan.")
@catalog_option
@constants_option
@json_option
def command(model: str, as_json: bool, **options: Any) -> None:
    """Rank the stacks that serve MODEL (a catalogue id, or the path of a config.json) at the lowest cost.

    \b
    Examples:
      stackwright plan Qwen/Qwen3-32B --rate 20 --ttft 1 --tpot 50ms
      stackwright plan deepseek-ai/DeepSeek-R1 --workload rag --vendors amd,nvidia --per chip --report plan.html
    """  # fmt: skip
    if options["verify"]:
        raise UnsupportedError("--verify (simulation of the top candidates) is not there yet; run without it")
    if options["models"]:
        raise UnsupportedError("--models (choice of the model) is not there yet; plan one model at a time")
    document = _answer(model, options, quiet=as_json)
    if options["report"]:
        from stackwright.web.report import write_report

        write_report(document, options["report"])
    if as_json:
        emit_json(document)
    else:
        render(document, show_launch=options["show_launch"], report=options["report"])


def _answer(model: str, options: dict[str, Any], quiet: bool) -> dict[str, Any]:
    with working(f"planning {model}", quiet=quiet):
        from stackwright import api
        from stackwright.planner import CONTRACTS

        contracts = options["contracts"]
        answer = api.plan(
            model,
            workload=options["workload_name"],
            catalog=api.catalog_with(options["catalog_dir"]),
            constants=api.constants_from(options["constants_file"]),
            contracts=CONTRACTS if contracts == ("all",) else contracts,
            compare=options["compare_file"],
            **{k: options[k] for k in _SAME_NAME},
        )
        document = api.plan_document(answer)
        if options["include_api"]:
            document["api"] = api.api_offers(answer.question.model, answer.question.workload)
        return document


_SAME_NAME = (
    "rate", "concurrency", "ttft", "tpot", "percentile", "chips", "vendors", "clouds", "engines", "regions", "precisions",
    "kv_precision", "objective", "per", "top", "max_usd_per_hour", "max_chips",
)  # fmt: skip


def render(document: dict[str, Any], show_launch: bool, report: Path | None) -> None:
    """Print a plan document: ranked table, unpriced table, reasons, launch command."""
    out, q = console(), document["question"]
    percentile = f"p{q['slo']['percentile']:g}"
    out.print(f"[bold]{q['model']}[/]  {q['workload']['name']}: {q['workload']['description']}")
    out.print(f"Promise: {q['slo']['description']}; objective: {q['objective']}\n")
    if document["plans"]:
        out.print(_plans(document["plans"], percentile, "Ranked by cost among those that keep the promise"))
    else:
        out.print("No stack with a price under these filters.")
    if document["unpriced"]:
        out.print()
        out.print(
            _plans(document["unpriced"], percentile, "Nobody publishes a price for these under the given contracts")
        )
    if document.get("compare"):
        _compare(out, document)
    if document.get("api"):
        out.print()
        out.print(_api(document["api"]))
    _remarks(out, document, show_launch)
    if report:
        out.print(f"\nReport: {report}")


def _plans(plans: list[dict[str, Any]], percentile: str, title: str) -> Any:
    columns = ("#", "chips", "engine", "weights", "layout", "offer", "contract", "USD/h", "USD/Mtok out [90 %]",
               f"TTFT {percentile} ms", f"TPOT {percentile} ms", "P(keeps)", "used", "J/tok", "price age")  # fmt: skip
    right = (
        "#",
        "USD/h",
        "USD/Mtok out [90 %]",
        f"TTFT {percentile} ms",
        f"TPOT {percentile} ms",
        "P(keeps)",
        "load",
        "J/tok",
        "price age",
    )
    made = table(title, *columns, right=right)
    for p in plans:
        stack, offer = p["stack"], p["stack"]["offer"]
        age = f"{offer['price_age_days']} d" if offer and offer["price_age_days"] is not None else "-"
        tie = "~" if p["tied_with_first"] and p["rank"] > 1 else ""
        made.add_row(
            f"{p['rank']}{tie}",
            f"{p['n_chips']} x {stack['chip']}",
            stack["engine"],
            stack["layout"]["weight_precision"],
            f"{p['replicas']} x ({stack['layout']['description']})",
            offer["id"] if offer else "-",
            offer["contract"] if offer else "-",
            number(p["usd_per_hour"]),
            interval(p["usd_per_mtok_output"]),
            value(p[f"ttft_{percentile}_s"], 1e3),
            value(p[f"tpot_{percentile}_s"], 1e3),
            f"{p['p_meets_slo']:.0%}" + ("" if p["meets_slo"] else " !"),
            f"{p['utilisation']:.0%}",
            value(p["joules_per_output_token"], digits=2),
            age,
        )
    return made


def _compare(out: Any, document: dict[str, Any]) -> None:
    percentile = f"p{document['question']['slo']['percentile']:g}"
    out.print()
    out.print(_plans([document["compare"]["today"]], percentile, "What you run today, under the same traffic"))
    for line in document["compare"]["changes"]:
        out.print(f"  {line}")


def _api(rows: list[dict[str, Any]]) -> Any:
    made = table("The same model by API", "provider", "model", "USD/Mtok in", "USD/Mtok out", "USD/Mtok out, all cost", "price date",
                 right=("USD/Mtok in", "USD/Mtok out", "USD/Mtok out, all cost"))  # fmt: skip
    for r in rows:
        made.add_row(r["provider"], r["model"], number(r["usd_per_mtok_input"]), number(r["usd_per_mtok_output_list"]),
                     number(r["usd_per_mtok_output"]), r["date"] or "-")  # fmt: skip
    return made


def _remarks(out: Any, document: dict[str, Any], show_launch: bool) -> None:
    plans = document["plans"] or document["unpriced"]
    if plans:
        first = plans[0]
        out.print(f"\n[bold]Why #1:[/] {first['why']}")
        for note in first["notes"]:
            out.print(f"  note: {note}")
        if first["other_contracts"]:
            others = ", ".join(f"{c['contract']} {number(c['usd_per_hour'])} USD/h" for c in first["other_contracts"])
            out.print(f"  the same offer under other contracts: {others}")
        if any(p["tied_with_first"] and p["rank"] > 1 for p in plans):
            out.print("  ~ overlaps with the interval of #1: a tie until measured")
        if any(not p["meets_slo"] for p in plans):
            out.print("  ! keeps the promise with less than 90 % probability")
        if show_launch:
            launch = first["launch"]
            out.print(f"\n[bold]Launch #1[/] ({first['stack']['engine']} {launch['engine_version']}):")
            print(launch["command"] or launch["note"])
    for text in document["assumptions"]:
        out.print(f"[dim]- {text}[/]")
    counts = ", ".join(f"{n} {reason}" for reason, n in document["rejected_by_reason"].items())
    if counts:
        out.print(f"[dim]- left out: {counts}[/]")
    out.print(f"[dim]- {document['evaluated']:,} operating points in {document['cpu_s']:.2f} CPU-s[/]")
