"""`stackwright validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackwright.cli.options import Names, catalog_option, constants_option, json_option
from stackwright.cli.output import console, emit_json, number, remark, table, working


@click.command("validate", short_help="Score predictions against measured operating points.")
@click.option(
    "--points",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Table of measured operating points (CSV, CSV.gz or JSON lines).",
)
@click.option(
    "--by",
    "group_by",
    type=Names(),
    default=("chip", "engine", "model"),
    show_default="chip,engine,model",
    help="Columns to group by.",
)
@click.option("--cv", help="Out-of-fold scores (not there yet: nothing is fitted).")
@catalog_option
@constants_option
@json_option
def command(
    points: Path,
    group_by: tuple[str, ...],
    cv: str | None,
    catalog_dir: Path | None,
    constants_file: Path | None,
    as_json: bool,
) -> None:
    """Score predictions against measured operating points: mean and median absolute error, bias, interval coverage.

    \b
    Example:
      stackwright validate --points operating_points.csv.gz --by chip,model
    """  # fmt: skip
    from stackwright import api

    if cv:
        raise click.UsageError(
            "--cv needs calibration, which is not there yet; the shipped constants are fitted to nothing"
        )
    with working(f"scoring {points.name}", quiet=as_json):
        document = api.validate(
            points,
            by=group_by,
            catalog=api.catalog_with(catalog_dir),
            constants=api.constants_from(constants_file),
        )
    emit_json(document) if as_json else render(document)


_MAY_GO = ("bias %  ", "bias % ", "bias %", "median %  ", "median % ", "median %")


def render(document: dict[str, Any]) -> None:
    """Print scores: overall, by group, refusals by reason."""
    out = console()
    columns = (
        "n",
        "TPOT mean %",
        "median %",
        "bias %",
        "TTFT mean %",
        "median % ",
        "bias % ",
        "tok/s mean %",
        "median %  ",
        "bias %  ",
    )
    by = list(document["groups"][0]["by"]) if document["groups"] else []
    made = table("Absolute error of predictions, per cent", *by, *columns, right=columns, may_go=_MAY_GO)
    rows = [(dict.fromkeys(by, "all"), document)] + [(g["by"], g) for g in document["groups"]]
    for names, scores in rows:
        cells = [str(scores["n" if "by" in scores else "predicted"])]
        for metric in ("tpot", "ttft", "throughput"):
            s = scores[metric]
            cells += ["-"] * 3 if s is None else [number(s[k], 2) for k in ("mape_pct", "median_ape_pct", "bias_pct")]
        made.add_row(*names.values(), *cells)
    out.print(made)
    for metric in ("tpot", "ttft", "throughput"):
        if document[metric]:
            score = document[metric]
            remark(out, f"{metric}: 90 % intervals cover {score['coverage90_pct']:.0f} % of {score['n']} rows")
    if document["refused"]:
        remark(out, f"{len(document['refused'])} rows refused: {_reasons(document['refused'])}")
    remark(out, f"constants: {document['constants']}")


def _reasons(refused: list[dict[str, Any]]) -> str:
    from collections import Counter

    counts = Counter(r["reason"].split(";")[0].split(":")[0] for r in refused)
    return ", ".join(f"{n} {reason}" for reason, n in counts.most_common(8))
