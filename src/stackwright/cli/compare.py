"""`stackwright compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackwright.cli.choice import known_qualities
from stackwright.cli.options import (
    POSITIVE,
    SECONDS,
    Name,
    catalog_option,
    constants_option,
    json_option,
    known_workloads,
)
from stackwright.cli.output import counting, emit_json


def known_questions() -> list[str]:
    """Names of the shipped question files."""
    from stackwright.api.comparison import shipped_questions

    return shipped_questions()


@click.command("compare", short_help="Compare ecosystems: makers, clouds and APIs for one workload.")
@click.argument("question", type=Name(known_questions), default="ecosystems")
@click.option("--workload", type=Name(known_workloads), help="Traffic instead of the file's.")
@click.option("--rate", type=POSITIVE, help="Requests per second instead of the file's.")
@click.option("--concurrency", type=POSITIVE, help="Concurrent users instead of the file's load.")
@click.option("--ttft", type=SECONDS, help="Promised time to first token instead of the file's.")
@click.option("--tpot", type=SECONDS, help="Promised time per output token instead of the file's.")
@click.option("--quality", type=Name(known_qualities), metavar="NAME|FILE", help="Scores instead of the file's.")
@click.option("--min-quality", type=POSITIVE, help="Quality floor instead of the file's.")
@click.option("--porting-usd", type=POSITIVE, help="What a move costs you, instead of the assumption.")
@click.option("--show", is_flag=True, help="Print the question file and stop: a start for your own.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.html",
    help="Write a self-contained HTML report.",
)
@catalog_option
@constants_option
@json_option
def command(question: str, show: bool, as_json: bool, **options: Any) -> None:
    """Compare ecosystems on one workload: best stack, cost with its interval, what it locks, where it is too close to
    say. QUESTION is a YAML file, or the name of a shipped one (ecosystems).

    \b
    Examples:
      stackwright compare
      stackwright compare ecosystems --workload chat --rate 50 --ttft 1 --report ecosystems.html
      stackwright compare --show > mine.yaml
    """  # fmt: skip
    from stackwright import api
    from stackwright.api.comparison import question_file

    if show:
        click.echo(question_file(question).read_text(encoding="utf-8"), nl=False)
        return
    report, catalog_dir, constants_file = (options.pop(k) for k in ("report", "catalog_dir", "constants_file"))
    from stackwright.api.comparison import read_question

    count = len(read_question(question, **options).ecosystems)
    with counting("comparing", count, quiet=as_json) as step:
        asked, answer = api.compare(
            question,
            catalog=api.catalog_with(catalog_dir),
            constants=api.constants_from(constants_file),
            progress=step,
            **options,
        )
        document = api.comparison_document(asked, answer)
    if report:
        from stackwright.web.choice_report import write_comparison_report

        write_comparison_report(document, report)
    if as_json:
        emit_json(document)
    else:
        from stackwright.cli.compare_text import render

        render(document, report)
