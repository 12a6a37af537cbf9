"""`stackwright plan --models`: several models compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from stackwright.cli.options import POSITIVE, Name, Names, known_models
from stackwright.cli.output import counting, emit_json
from stackwright.cli.plan_options import asked

F = TypeVar("F", bound=Callable[..., Any])

CHOICE = ("models", "quality", "min_quality", "api_providers", "porting_usd")
_OF_ONE_MODEL = {"compare": "--compare", "own": "--own", "verify": "--verify"}


def known_qualities() -> list[str]:
    """Names of the shipped benchmark scores."""
    from stackwright.catalog.quality import shipped_qualities

    return shipped_qualities()


def known_api_providers() -> list[str]:
    """Sellers of the API price lists."""
    from stackwright.catalog.tokens.prices import price_list

    return [p.id for p in price_list().snapshot.providers]


def choice_options(command: F) -> F:
    """The options that compare models."""
    options = [
        click.option("--models", type=Names(known_models), default=(), help="Compare these models instead of one MODEL: catalogue ids, config.json files, or models sold by API (claude-..., gpt-..., gemini-...)."),
        click.option("--quality", type=Name(known_qualities), metavar="NAME|FILE", help="With --models: scores of one benchmark, a name (gpqa-diamond, mmlu-pro, swe-bench-verified) or a YAML or CSV file of your own."),
        click.option("--min-quality", type=click.FloatRange(-1e12, 1e12), help="With --quality: leave out models below this score, and those without one."),
        click.option("--api-providers", type=Names(known_api_providers), default=(), help="With --models: only these sellers by API, or `none`."),
        click.option("--porting-usd", type=POSITIVE, help="With --models: what moving to another maker, engine or model costs you, instead of the assumption."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def compare_models(options: dict[str, Any], chosen: dict[str, Any], as_json: bool) -> None:
    """Answer `plan --models`."""
    stray = next((flag for name, flag in _OF_ONE_MODEL.items() if options[name]), None)
    if stray:
        raise click.UsageError(f"{stray} belongs to one MODEL; leave it out with --models")
    from stackwright import api

    question = {k: v for k, v in asked(options).items() if k not in _OF_ONE_MODEL}
    with counting("comparing models", len(chosen["models"]), quiet=as_json) as step:
        answer = api.choose(
            chosen["models"],
            quality=chosen["quality"],
            min_quality=chosen["min_quality"],
            api_providers=chosen["api_providers"],
            catalog=api.catalog_with(options["catalog_dir"]),
            constants=api.constants_from(options["constants_file"]),
            progress=step,
            **question,
        )
        document = api.choice_document(answer, chosen["porting_usd"])
    if options["report"]:
        from stackwright.web.report import write_report

        write_report(document, options["report"])
    if as_json:
        emit_json(document)
    else:
        from stackwright.cli.choice_text import render

        render(document, options["top"], options["report"])
