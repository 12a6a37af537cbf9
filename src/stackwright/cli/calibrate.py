"""`stackwright calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stackwright.cli.options import POINTS, catalog_option, json_option
from stackwright.cli.output import Sheet, console, emit_json, fold_counter, number, remark, table


@click.command("calibrate", short_help="Fit the constants to measured operating points.")
@click.option(
    "--points", multiple=True, type=POINTS, metavar="FILE...", help="Tables of measured points, or KIND=FILE."
)
@click.argument("more", nargs=-1, type=POINTS, metavar="[FILE]...")
@click.option(
    "--silicon-sample",
    is_flag=False,
    flag_value="installed",
    metavar="[FILE]",
    help="Add the silicon_sample.csv of the installed aiconfigurator-core wheel, or that file.",
)
@click.option(
    "--power",
    multiple=True,
    type=POINTS,
    metavar="FILE",
    help="Tables whose measured watts alone are used, or splitwise-power=FILE.",
)
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.json", help="The record."
)
@click.option("--cv/--no-cv", default=True, help="Cross-validate (minutes), for errors and intervals.")
@catalog_option
@json_option
def command(
    points: tuple[str, ...],
    more: tuple[str, ...],
    silicon_sample: str | None,
    power: tuple[str, ...],
    out: Path,
    cv: bool,
    catalog_dir: Path | None,
    as_json: bool,
) -> None:
    """Fit the constants to measured operating points, print the cross-validated error, write the record.

    The record serves every command as --calibration FILE. The same rows give the same bytes. Without
    cross-validation it has no intervals of its own: those of the stated spread of the constants are printed then.

    \b
    Example:
      stackwright calibrate --points operating_points.csv.gz --silicon-sample --out calibration.json
    """  # fmt: skip
    from stackwright import api
    from stackwright.calibration.judge.crossval import DEFAULT

    if more and not points:
        raise click.UsageError("name the tables after --points")
    if out.suffix != ".json":
        raise click.UsageError(f"--out {out}: a calibration record is a .json file")

    document = api.calibrate(
        [*points, *more],
        out,
        silicon_sample=silicon_sample,
        power=power,
        hows=DEFAULT if cv else (),
        catalog=api.catalog_with(catalog_dir),
        progress=fold_counter(quiet=as_json),
    )
    emit_json(document) if as_json else render(document)


HOW_WORDS = {
    "random": "random groups: same model and chip measured",
    "pair": "unseen pair of model and chip",
    "model": "unseen model",
    "chip": "unseen chip",
}


def render(document: dict[str, Any]) -> None:
    """Print what was fitted, the error out of fold and the interval factors."""
    from stackwright.cli.validate import energy_remarks

    out = console()
    out.print(
        f"{document['fitted']} strict rows fitted of {document['n']} read ({document['points']} predicted out of fold, "
        f"{len(document['refused'])} refused); newest {document['date']}, data {document['data_hash']}"
    )
    for how, found in document["cv"].items():
        out.print(score_sheet(f"\nOut of fold, {HOW_WORDS[how]} ({found['cv_groups']} groups), strict rows", found))
    energy_remarks(out, document)
    if document["factors"]:
        made = table("\n90 % intervals: measured / predicted from .. to", "support", "metric", "low", "high", "groups",
                     right=("low", "high", "groups"))  # fmt: skip
        for metric, by in document["factors"].items():
            for support, f in by.items():
                made.add_row(support.replace("_", " "), metric, *_factor(f), str(f["n"]))
        out.print(made)
        remark(out, f"correlation of what TTFT and TPOT miss: {document['correlation']}")
    else:
        remark(out, "no cross-validation: intervals will come from the stated spread of the constants")
    if document["out"]:
        remark(out, f"written to {document['out']}; use it with --calibration")


def _factor(f: dict[str, float]) -> tuple[str, str]:
    import math

    return number(math.exp(f["low"]), 3), number(math.exp(f["high"]), 3)


def score_sheet(title: str, document: dict[str, Any], which: str = "strict") -> Sheet:
    """Scores by set, `all` first, as mean / median absolute per cent, number of rows and coverage."""
    names = ("TPOT", "TTFT", "tok/s")
    columns = [f"{name} {part}" for name in names for part in ("%", "n", "cover %")]
    made = table(title, "set", *columns, right=columns, may_go=[c for c in columns if c.endswith("cover %")])
    sets = document["strict_sets" if which == "strict" else "sets"]
    overall = document["strict"] if which == "strict" else document
    rows = [("all", overall)] + [(s["set"], s) for s in sets]
    for name, scores in rows:
        cells = []
        for metric in ("tpot", "ttft", "throughput"):
            s = scores[metric] if scores else None
            cells += ["-", "0", "-"] if s is None else [
                f"{s['mape_pct']:.1f} / {s['median_ape_pct']:.1f}", str(s["n"]), _percent(s["coverage90_pct"]),
            ]  # fmt: skip
        made.add_row(name, *cells)
    return made


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
