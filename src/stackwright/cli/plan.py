"""`stackwright plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackwright.cli.options import (
    COUNT,
    MODEL,
    POSITIVE,
    SECONDS,
    Name,
    Names,
    catalog_option,
    constants_option,
    data_dir_option,
    json_option,
    known_chips,
    known_clouds,
    known_contracts,
    known_engines,
    known_groupings,
    known_objectives,
    known_regions,
    known_vendors,
    known_workloads,
    own_option,
)
from stackwright.cli.output import emit_json, working
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
@click.option(
    "--regions", type=Names(known_regions), default=(), help="Only these regions, as the provider names them."
)
@click.option(
    "--contracts",
    type=Names(known_contracts),
    default=("on_demand", "capacity_block"),
    show_default="on_demand,capacity_block",
    help="Contracts to consider, or `all`.",
)
@click.option("--precisions", type=Names(), default=(), help="Only these weight precisions.")
@click.option("--kv-precision", default="", help="KV-cache precision: bf16 or fp8.")
@click.option(
    "--objective",
    type=Name(known_objectives),
    default="usd_per_mtok_output",
    show_default=True,
    help="usd_per_mtok_output, usd_per_mtok_total, chips, energy, carbon or tpot.",
)
@click.option(
    "--per",
    type=Name(known_groupings),
    default="offer",
    show_default=True,
    help="List the best stack per offer, chip or vendor, or every stack.",
)
@click.option("--max-usd-per-hour", type=POSITIVE, help="Budget of the deployment.")
@click.option("--max-chips", type=COUNT, help="Most chips of the deployment.")
@click.option("--top", type=COUNT, default=10, show_default=True, help="Plans to list.")
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
@own_option
@data_dir_option
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
        from stackwright.cli.plan_text import render

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
            contracts=CONTRACTS if "all" in contracts else contracts,
            compare=options["compare_file"],
            **{k: options[k] for k in _SAME_NAME},
        )
        document = api.plan_document(answer)
        if options["include_api"]:
            document["api"] = api.api_offers(answer.question.model, answer.question.workload)
        return document


_SAME_NAME = (
    "rate", "concurrency", "ttft", "tpot", "percentile", "chips", "vendors", "clouds", "engines", "regions", "precisions",
    "kv_precision", "objective", "per", "top", "own", "data_dir", "max_usd_per_hour", "max_chips",
)  # fmt: skip
