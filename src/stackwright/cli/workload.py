"""`stackwright workload`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from stackwright.cli.options import Name, json_option, known_workloads
from stackwright.cli.output import console, emit_json, number, table


@click.group("workload", short_help="List and show traffic profiles and traces.", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Traffic: shipped profiles, workload files, public traces."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command("list")
@json_option
def list_workloads(as_json: bool) -> None:
    """List the shipped profiles and the public traces that can be named."""
    from stackwright.api.documents import workload_document
    from stackwright.workload import PUBLISHED, profile

    profiles = [workload_document(profile(n)) for n in known_workloads()]
    if as_json:
        emit_json({"profiles": profiles, "traces": list(PUBLISHED)})
        return
    right = ("input mean", "output mean", "prefix hits", "arrival cv")
    made = table("Profiles", "name", *right, "source", right=right, may_go=("source",))
    for w in profiles:
        made.add_row(
            w["name"], number(w["input_tokens_mean"]), number(w["output_tokens_mean"]), f"{w['prefix_hit_rate']:.0%}",
            number(w["arrival_cv"]), w["source"],
        )  # fmt: skip
    console().print(made)
    click.echo(f"\nTraces: {', '.join(PUBLISHED)}")


@command.command("show")
@click.argument("name", type=Name(known_workloads))
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one workload: a profile, a workload file, a trace file or a public trace found on this machine."""
    from stackwright.api.documents import workload_document
    from stackwright.api.given import traffic_named

    document = workload_document(traffic_named(name))
    if as_json:
        emit_json(document)
        return
    import yaml

    click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110).rstrip())


@command.command("fetch")
@click.argument("trace")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where to look first.")
def fetch(trace: str, data_dir: Path | None) -> None:
    """Download a public trace into the user cache, checking its checksum; does nothing when it is there."""
    from rich.console import Console
    from rich.progress import Progress

    from stackwright.workload import find_trace

    with Progress(transient=True, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(trace, total=None)

        def progress(done: int, total: Any) -> None:
            bar.update(task, completed=done, total=total)

        path = find_trace(trace, data_dir, fetch=True, progress=progress)
    click.echo(str(path))
