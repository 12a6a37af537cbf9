"""`stackwright explain`."""

from __future__ import annotations

from typing import Any

import click

from stackwright.cli.options import MODEL, catalog_option, constants_option, json_option, point_options
from stackwright.cli.output import console, emit_json, interval, number, table


@click.command("explain", short_help="Show where the time of an operating point goes.")
@click.argument("model", type=MODEL)
@point_options
@catalog_option
@constants_option
@json_option
def command(model: str, as_json: bool, **options: Any) -> None:
    """Show, part by part, where the time of one operating point of MODEL goes, and what bounds each part.

    \b
    Example:
      stackwright explain deepseek-ai/DeepSeek-R1 --chip h200-sxm --n-chips 8 --engine sglang \\
        --isl 1024 --osl 1024 --concurrency 64
    """
    from stackwright import api
    from stackwright.cli.predict import predicted, render

    facts = api.catalog_with(options["catalog_dir"])
    document = api.explain_document(predicted(model, options), facts)
    if as_json:
        emit_json(document)
        return
    out = console()
    render(document)
    for key, title in (("decode_step", "One decode step"), ("prompt_step", "One prompt alone")):
        step = document[key]
        made = table(
            f"\n{title}: {number(step['seconds'] * 1e3)} ms",
            "part", "ms", "share", "bound by", "memory ms", "compute ms",
            "GB read", "GFLOP", right=("ms", "share", "memory ms", "compute ms", "GB read", "GFLOP"),
            may_go=("GFLOP", "GB read"),
        )  # fmt: skip
        for part in step["parts"]:
            made.add_row(
                part["name"],
                number(part["seconds"] * 1e3),
                f"{part['seconds'] / step['seconds']:.1%}",
                part["bound"],
                number(part["memory_s"] * 1e3),
                number(part["compute_s"] * 1e3),
                number(part["bytes"] / 1e9),
                number(part["flops"] / 1e9),
            )
        out.print(made)
    budget = table("\nMean TTFT", "cause", "ms", right=("ms",))
    for cause, seconds in document["ttft_budget_s"].items():
        budget.add_row(cause, number(seconds * 1e3))
    out.print(budget)
    memory = table("\nMemory of the fullest chip", "use", "GB", right=("GB",))
    for use, n_bytes in document["memory"].items():
        memory.add_row(use.removesuffix("_bytes").replace("_", " "), number(n_bytes / 1e9))
    out.print(memory)
    cost = document["cost"]
    if cost is None:
        out.print("\n[dim]- nobody publishes a price for this chip: no dollars[/]")
        return
    offer = cost["offer"]
    age = "" if offer["price_age_days"] is None else f"{offer['price_age_days']} days old, "
    where = f"{offer['id']} {offer['contract']}, price {age}{offer['price_confidence']}"
    head = f"\nThe dollar: {interval(cost['usd_per_mtok_output'])} USD/Mtok out, by engine time; {where}"
    dollars = table(head, "phase", "part", "USD/Mtok out", right=("USD/Mtok out",))
    for part in cost["parts"]:
        dollars.add_row(part["phase"], part["name"], number(part["usd_per_mtok_output"]))
    out.print(dollars)
