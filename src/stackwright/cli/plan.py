"""`stackwright plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from stackwright.cli.options import MODEL, catalog_option, constants_option, data_dir_option, json_option, own_option
from stackwright.cli.output import emit_json, working
from stackwright.cli.plan_options import question_options
from stackwright.errors import UnsupportedError


@click.command("plan", short_help="Rank the stacks that serve a model under a promise at the lowest cost.")
@click.argument("model", type=MODEL)
@question_options
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
      stackwright plan Qwen/Qwen3-32B --rate 5 --sector medical --penalty "10%<99,25%<95"
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

        question = {k: v for k, v in options.items() if k not in _NOT_ASKED and _given(k)}
        if "all" in question.get("contracts", ()):
            question["contracts"] = CONTRACTS
        answer = api.plan(
            model,
            catalog=api.catalog_with(options["catalog_dir"]),
            constants=api.constants_from(options["constants_file"]),
            **question,
        )
        document = api.plan_document(answer)
        if options["include_api"]:
            document["api"] = api.api_offers(answer.question.model, answer.question.workload)
        return document


def _given(name: str) -> bool:
    """True for an option on the command line: what is left out has the default of `api.plan`, or of a sector."""
    return click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT


_NOT_ASKED = frozenset({"include_api", "verify", "models", "report", "show_launch", "catalog_dir", "constants_file"})
