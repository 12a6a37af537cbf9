"""`stackwright plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackwright.cli.choice import CHOICE, choice_options, compare_models
from stackwright.cli.options import MODEL, catalog_option, constants_option, data_dir_option, json_option, own_option
from stackwright.cli.output import emit_json, working
from stackwright.cli.plan_options import asked, question_options
from stackwright.errors import UnsupportedError


@click.command("plan", short_help="Rank the stacks that serve a model under a promise at the lowest cost.")
@click.argument("model", type=MODEL, required=False)
@question_options
@choice_options
@click.option("--include-api", is_flag=True, help="Show what the same model costs per token from API providers.")
@click.option("--verify", is_flag=True, help="Simulate the top candidates (not there yet).")
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
def command(model: str | None, as_json: bool, **options: Any) -> None:
    """Rank the stacks that serve MODEL (a catalogue id, or the path of a config.json) at the lowest cost; or, with
    --models and no MODEL, compare several models, run on rented chips and bought by API.

    \b
    Examples:
      stackwright plan Qwen/Qwen3-32B --rate 20 --ttft 1 --tpot 50ms
      stackwright plan deepseek-ai/DeepSeek-R1 --workload rag --vendors amd,nvidia --per chip --report plan.html
      stackwright plan Qwen/Qwen3-32B --rate 5 --sector medical --penalty "10%<99,25%<95"
      stackwright plan --models gpt-oss-120b,deepseek-v3,claude-sonnet-4-5 --quality gpqa-diamond --rate 5
    """  # fmt: skip
    if options["verify"]:
        raise UnsupportedError("--verify (simulation of the top candidates) is not there yet; run without it")
    chosen = {name: options.pop(name) for name in CHOICE}
    if chosen["models"]:
        if model is not None:
            raise click.UsageError(f"give one MODEL or --models, not both (MODEL is {model!r})")
        return compare_models(options, chosen, as_json)
    if model is None:
        raise click.UsageError("Missing argument 'MODEL' (or compare several: --models a,b,c)")
    stray = next((f"--{name.replace('_', '-')}" for name in CHOICE if chosen[name]), None)
    if stray:
        raise click.UsageError(f"{stray} belongs to --models a,b,c")
    document = _answer(model, options, quiet=as_json)
    if options["report"]:
        from stackwright.web.report import write_report

        write_report(document, options["report"])
    if as_json:
        emit_json(document)
    else:
        from stackwright.cli.plan_text import render

        render(document, show_launch=options["show_launch"], report=options["report"])
    return None


def _answer(model: str, options: dict[str, Any], quiet: bool) -> dict[str, Any]:
    with working(f"planning {model}", quiet=quiet):
        from stackwright import api

        question = asked(options)
        answer = api.plan(
            model,
            catalog=api.catalog_with(options["catalog_dir"]),
            constants=api.constants_from(options["constants_file"]),
            **question,
        )
        document = api.plan_document(answer)
        if options["include_api"]:
            q = answer.question
            document["api"] = api.api_offers(q.model, q.workload, q.market)
        return document
