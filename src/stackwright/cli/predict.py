"""`stackwright predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from stackwright.cli.options import MODEL, catalog_option, constants_option, json_option, point_options
from stackwright.cli.output import console, emit_json, interval, lead, number, remark, table, working
from stackwright.errors import UnsupportedError


@click.command("predict", short_help="Predict one operating point, or a table of them.")
@click.argument("model", type=MODEL, required=False)
@point_options
@click.option(
    "--points",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Table of operating points (CSV, CSV.gz or JSON lines).",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write the table with predicted_* columns.",
)
@catalog_option
@constants_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, /, model: str | None, as_json: bool, points: Path | None, out: Path | None, **options: Any
) -> None:
    """Predict TTFT, TPOT and throughput of one operating point of MODEL, with 90 % intervals.

    \b
    Examples:
      stackwright predict deepseek-ai/DeepSeek-R1 --chip h200-sxm --n-chips 8 --engine sglang \\
        --isl 1024 --osl 1024 --concurrency 64
      stackwright predict --points measured.csv --out predicted.csv
    """  # fmt: skip
    from stackwright import api

    if points is not None:
        if model is not None:
            raise click.UsageError("give MODEL or --points, not both")
        if out is None:
            raise click.UsageError("--points needs --out FILE for the table with predicted_* columns")
        stray = [p for p in ctx.params if p not in _OF_TABLES and _given(ctx, p)]
        if stray:
            flag = "workload" if stray[0] == "workload_name" else stray[0].replace("_", "-")
            raise click.UsageError(f"--{flag} and --points contradict: the table says it row by row")
        _points(points, out, options, as_json)
        return
    if out is not None:
        raise click.UsageError("--out belongs to --points")
    if model is None:
        raise click.UsageError("give a MODEL, or --points FILE")
    document = api.predict_document(predicted(model, options))
    emit_json(document) if as_json else render(document)


_OF_TABLES = ("model", "points", "out", "catalog_dir", "constants_file", "as_json")


def _given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)


def predicted(model: str, options: dict[str, Any]) -> Any:
    """The prediction that the point options describe."""
    from stackwright import api

    if not options["chip"] and options["decode_chip"]:
        options = {**options, "chip": options["decode_chip"]}
    for needed in ("chip", "engine"):
        if not options[needed]:
            raise click.UsageError(f"--{needed} is missing")
    known = api.catalog_with(options["catalog_dir"]).engine(options["engine"])
    if options["engine_version"] not in (None, known.version):
        raise UnsupportedError(
            f"--engine-version: {known.id} is known at {known.version}; versions are not told apart yet"
        )
    names = ("chip", "engine", "n_chips", "tp", "pp", "ep", "attention_dp", "cp", "prefill", "decode", "prefill_chip", "decode_chip",
             "weight_precision", "kv_precision", "prefix_working_set_tokens", "kv_offload_gb",
             "speculative", "draft_tokens", "acceptance_length", "draft_cost", "lora_adapters", "lora_rank", "lora_targets",
             "isl", "osl", "length_dist", "prefix_hit_rate", "rate", "concurrency", "rounds", "own", "data_dir")  # fmt: skip
    return api.predict(
        model,
        workload=options["workload_name"],
        catalog=api.catalog_with(options["catalog_dir"]),
        constants=api.constants_from(options["constants_file"]),
        **{n: options[n] for n in names},
    )


def render(document: dict[str, Any]) -> None:
    """Print the figures of a prediction."""
    out, layout = console(), document["layout"]
    deployed = document.get("pools", layout)
    lead(
        out,
        document["model"],
        f"  {deployed['n_chips']} x {_chips(document)}, {document['engine']}, {layout['weight_precision']} weights, "
        f"{layout['kv_precision']} cache, {deployed['description']}",
    )
    if document["speculation"] is not None:
        out.print(_drafting(document["speculation"]))
    out.print(f"{document['workload']['description']}\n")
    made = table("Two-sided 90 % intervals", "figure", "value [low - high]", right=("value [low - high]",))
    for label, key, scale in _ROWS:
        if document.get(key) is not None:
            made.add_row(label, interval(document[key], scale))
    out.print(made)
    out.print(
        f"\n{number(document['running_sequences_per_rank'])} sequences run per attention rank; "
        f"{number(document['fitting_sequences_per_rank'])} fit the cache"
    )
    for note in document["notes"]:
        remark(out, note)


def _chips(document: dict[str, Any]) -> str:
    first = document.get("pools", {}).get("prefill", {}).get("chip", document["chip"])
    return str(document["chip"]) if first == document["chip"] else f"{first} and {document['chip']}"


def _drafting(s: dict[str, Any]) -> str:
    accepted = number(s["acceptance_length"])
    return f"speculative decoding: {s['method']}, {s['draft_tokens']} draft tokens, {accepted} accepted per step"


_ROWS = (
    ("TTFT mean, ms", "ttft_mean_s", 1e3),
    ("TTFT p50, ms", "ttft_p50_s", 1e3),
    ("TTFT p95, ms", "ttft_p95_s", 1e3),
    ("TTFT p99, ms", "ttft_p99_s", 1e3),
    ("TPOT mean, ms", "tpot_mean_s", 1e3),
    ("TPOT p95, ms", "tpot_p95_s", 1e3),
    ("TPOT p99, ms", "tpot_p99_s", 1e3),
    ("E2E mean, s", "e2e_mean_s", 1.0),
    ("E2E p95, s", "e2e_p95_s", 1.0),
    ("requests/s per replica", "requests_per_s", 1.0),
    ("output tokens/s per chip", "output_tokens_per_s_per_chip", 1.0),
    ("total tokens/s per chip", "total_tokens_per_s_per_chip", 1.0),
    ("chip power, W", "chip_watts", 1.0),
    ("chip J per output token", "chip_joules_per_output_token", 1.0),
)


def _points(points: Path, out: Path, options: dict[str, Any], as_json: bool) -> None:
    from stackwright import api

    with working(f"predicting {points.name}", quiet=as_json):
        summary = api.predict_table(
            points,
            out,
            catalog=api.catalog_with(options["catalog_dir"]),
            constants=api.constants_from(options["constants_file"]),
        )
    if as_json:
        emit_json(summary)
        return
    from stackwright.cli.validate import render as render_scores

    console().print(f"{summary['predicted']} of {summary['n']} rows predicted, written to {out}")
    render_scores(summary)
