"""`stackwright validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackwright.cli.options import POINTS, Names, catalog_option, constants_option, json_option
from stackwright.cli.output import console, emit_json, fold_counter, number, remark, table, working


@click.command("validate", short_help="Score predictions against measured operating points.")
@click.option(
    "--points",
    required=True,
    multiple=True,
    type=POINTS,
    metavar="FILE...",
    help="Tables of measured operating points (CSV, CSV.gz, JSON lines, Parquet), or KIND=FILE (silicon-sample, inferencex).",
)
@click.argument("more", nargs=-1, type=POINTS, metavar="[FILE]...")
@click.option(
    "--by",
    "group_by",
    type=Names(),
    default=("chip", "engine", "model"),
    show_default="chip,engine,model",
    help="Columns to group by.",
)
@click.option(
    "--cv",
    type=click.Choice(["pair", "model", "chip", "random"]),
    help="Refit on these tables without each group in turn, and score out of fold.",
)
@click.option(
    "--gate/--no-gate", default=None, help="Refuse rows that cannot judge (docs/gate.md); the default with --cv."
)
@catalog_option
@constants_option
@json_option
def command(
    points: tuple[str, ...],
    more: tuple[str, ...],
    group_by: tuple[str, ...],
    cv: Any,
    gate: bool | None,
    catalog_dir: Path | None,
    constants_file: Path | None,
    as_json: bool,
) -> None:
    """Score predictions against measured operating points: mean and median absolute error, bias, interval coverage.

    Rows that the record was fitted on are scored apart and never count in the headline.

    \b
    Examples:
      stackwright validate --points operating_points.csv.gz --by chip,model
      stackwright validate --points operating_points.csv.gz --cv pair
    """  # fmt: skip
    from stackwright import api

    if cv and constants_file is not None and constants_file.suffix == ".json":
        raise click.UsageError("--cv fits on the tables given: it takes no --calibration record")

    with working(f"scoring {', '.join(Path(p).name for p in points)}", quiet=as_json or bool(cv)):
        document = api.validate(
            [*points, *more],
            by=group_by,
            catalog=api.catalog_with(catalog_dir),
            constants=api.constants_from(constants_file),
            cv=cv,
            gate=gate,
            progress=fold_counter(quiet=as_json),
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
    held_out = document.get("held_out", {}).get("n", document["predicted"])
    rows = [(dict.fromkeys(by, "all"), {**document, "n": held_out})]
    rows += [(g["by"], {**g, "n": g["n"] - g.get("in_sample", 0)}) for g in document["groups"]]
    for names, scores in rows:
        if scores["n"] == 0 and document["predicted"]:
            continue
        cells = [str(scores["n"])]
        for metric in ("tpot", "ttft", "throughput"):
            s = scores[metric]
            cells += ["-"] * 3 if s is None else [number(s[k], 2) for k in ("mape_pct", "median_ape_pct", "bias_pct")]
        made.add_row(*names.values(), *cells)
    out.print(made)
    if "cv" in document:
        from stackwright.cli.calibrate import HOW_WORDS, score_sheet

        words = HOW_WORDS[document["cv"]]
        out.print(score_sheet(f"\nOut of fold, {words} ({document['cv_groups']} groups), all rows", document, "all"))
        if document["strict"] and document["strict"]["n"] != document["predicted"]:
            out.print(score_sheet(f"\nThe same, strict rows ({document['strict']['n']})", document))
    for metric in ("tpot", "ttft", "throughput"):
        score = document[metric]
        if score:
            remark(out, f"{metric}: 90 % intervals cover {score['coverage90_pct']:.0f} % of {score['n']} rows")
    energy_remarks(out, document)
    _in_sample(out, document)
    if document["refused"]:
        remark(out, f"{len(document['refused'])} rows refused: {_reasons(document['refused'])}")
    remark(out, f"constants: {document['constants']}")


def energy_remarks(out: Any, document: dict[str, Any]) -> None:
    """Print the errors of chip watts and joules per token, where they were measured."""
    for metric, words in (("watts", "chip watts"), ("joules_per_output_token", "chip J per output token")):
        s = document.get(metric)
        if s:
            remark(
                out,
                f"{words}: error {_errors(s)} of {s['n']} rows; 90 % intervals cover {s['coverage90_pct']:.0f} %",
            )
    energy = document.get("energy")
    for part in [{"chip": "all", **energy}, *energy["chips"]] if energy else []:
        told = [
            f"{words} {_errors(part['out_of_fold'][metric])} (uncalibrated {_errors(part['uncalibrated'][metric])})"
            for metric, words in (("watts", "chip watts"), ("joules_per_output_token", "J per output token"))
            if part["out_of_fold"][metric]
        ]
        remark(out, f"energy out of fold, {part['chip']}, {part['n']} points: {', '.join(told)}")


def _errors(s: dict[str, Any]) -> str:
    return f"{s['mape_pct']:.1f} / {s['median_ape_pct']:.1f} %"


def _in_sample(out: Any, document: dict[str, Any]) -> None:
    fitted = document.get("in_sample")
    if not fitted or not fitted["n"]:
        return
    errors = ", ".join(
        f"{metric} {number(s['mape_pct'], 2)} / {number(s['median_ape_pct'], 2)} %"
        for metric in ("tpot", "ttft", "throughput")
        if (s := fitted[metric])
    )
    remark(out, f"{fitted['n']} rows are in sample, the record was fitted on them: not counted above ({errors})")


def _reasons(refused: list[dict[str, Any]]) -> str:
    from collections import Counter

    counts = Counter(r["reason"].split(";")[0].split(":")[0] for r in refused)
    return ", ".join(f"{n} {reason}" for reason, n in counts.most_common(8))
