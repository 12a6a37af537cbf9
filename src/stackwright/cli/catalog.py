"""`stackwright catalog`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from stackwright.cli.options import Name, catalog_option, json_option
from stackwright.cli.output import console, emit_json, number, table

KINDS = ("chips", "systems", "engines", "models", "offers", "grids")


@click.group(
    "catalog",
    short_help="List, show and check chips, systems, engines, models and offers.",
    invoke_without_command=True,
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Facts with their sources: chips, systems, engines, models, offers and electricity."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _ids() -> list[str]:
    from stackwright.catalog import load_catalog

    facts = load_catalog()
    return [i for kind in KINDS for i in getattr(facts, kind)]


@command.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@catalog_option
@json_option
def list_records(kind: str | None, catalog_dir: Path | None, as_json: bool) -> None:
    """List the records of KIND (chips, systems, engines, models, offers, grids), or how many there are of each."""
    from stackwright.catalog import load_catalog

    facts = load_catalog(catalog_dir)
    if kind is None:
        counts = {k: len(getattr(facts, k)) for k in KINDS}
        if as_json:
            emit_json(counts)
        else:
            click.echo("\n".join(f"{n:5d}  {k}" for k, n in counts.items()))
        return
    records = getattr(facts, kind)
    if as_json:
        emit_json([r.model_dump(mode="json") for r in records.values()])
        return
    console().print(_TABLES[kind](records.values()))


@command.command("show")
@click.argument("record_id", type=Name(_ids))
@catalog_option
@json_option
def show(record_id: str, catalog_dir: Path | None, as_json: bool) -> None:
    """Show one record, with the source, date and confidence of each group of figures."""
    from stackwright.catalog import load_catalog
    from stackwright.errors import UnknownIdError

    facts = load_catalog(catalog_dir)
    for find in (facts.chip, facts.system, facts.engine, facts.model):
        try:
            return _show(find(record_id), as_json)
        except UnknownIdError:
            continue
    for records in (facts.offers, facts.grids):
        if record_id in records:
            return _show(records[record_id], as_json)
    raise UnknownIdError("catalogue id", record_id, [i for kind in KINDS for i in getattr(facts, kind)])


def _show(record: Any, as_json: bool) -> None:
    document = record.model_dump(mode="json", exclude_defaults=True)
    if as_json:
        emit_json(document)
        return
    import yaml

    click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110).rstrip())


@command.command("check")
@catalog_option
@json_option
@click.pass_context
def check(ctx: click.Context, catalog_dir: Path | None, as_json: bool) -> None:
    """Look for known defects: sentinel prices, GB for GiB, sparse rates, one-way links, missing sources, stale prices.

    Exit status 2 when an error is found; warnings alone leave it at 0.
    """
    from stackwright.catalog import load_catalog
    from stackwright.catalog.check import check_catalog

    findings = check_catalog(load_catalog(catalog_dir))
    if as_json:
        emit_json([dataclasses.asdict(f) for f in findings])
    else:
        for f in findings:
            click.echo(f"{f.level}: {f.record}: {f.field}: {f.message}")
        errors = sum(f.level == "error" for f in findings)
        click.echo(f"{errors} errors, {len(findings) - errors} warnings")
    ctx.exit(2 if any(f.level == "error" for f in findings) else 0)


def _chips(records: Any) -> Any:
    right = ("BF16 TFLOP/s", "FP8", "FP4", "memory GB", "TB/s", "link GB/s", "domain", "TDP W")
    made = table("Chips (dense rates; link one way per chip)", "id", "vendor", "family", *right, "status", right=right,
                 may_go=("domain", "FP4", "family", "TDP W", "status", "link GB/s"))  # fmt: skip
    for c in records:
        rates = (c.compute.bf16, c.compute.fp8, c.compute.fp4) if c.compute else (None, None, None)
        memory = (c.memory.capacity_bytes / 1e9, c.memory.bandwidth_bytes_per_s / 1e12) if c.memory else (None, None)
        made.add_row(
            c.id, c.vendor, c.family, *(number(None if f is None else f / 1e12, 4) for f in rates),
            *(number(m) for m in memory), number(c.link.scale_up_bytes_per_s / 1e9),
            str(c.link.scale_up_domain), number(c.power.tdp_w), c.status,
        )  # fmt: skip
    return made


def _systems(records: Any) -> Any:
    made = table(
        "Systems", "id", "chips", "power kW", "price USD", "basis", right=("power kW", "price USD"), may_go=("basis",)
    )
    for s in records:
        kw = None if s.power_w is None else s.power_w / 1e3
        made.add_row(s.id, f"{s.chips} x {s.chip}", number(kw), number(s.price_usd), s.power_basis)
    return made


def _engines(records: Any) -> Any:
    made = table("Engines", "id", "version", "date", "scheduling", "runs on", may_go=("date", "scheduling"))
    for e in records:
        families = sorted({f for s in e.supports for f in s.families})
        made.add_row(e.id, e.version, str(e.date or "-"), e.scheduler.policy, ", ".join(families))
    return made


def _models(records: Any) -> Any:
    made = table("Models", "id", "type", "parameters B", "active B", "checkpoints", right=("parameters B", "active B"),
                 may_go=("type",))  # fmt: skip
    from stackwright.llm import parse_config

    for m in records:
        model = parse_config(m.config, m.id)
        precisions = ", ".join(dict.fromkeys(c.precision for c in m.checkpoints))
        made.add_row(
            m.id,
            m.config.get("model_type", ""),
            number(model.parameters / 1e9, 4),
            number(model.active_parameters / 1e9, 3),
            precisions,
        )
    return made


def _offers(records: Any) -> Any:
    right = ("chips", "USD/chip-hour")
    columns = ("id", "chip", "chips", "contract", "USD/chip-hour", "regions", "read on", "confidence")
    made = table(
        "Offers (newest price of each contract)", *columns, right=right, may_go=("confidence", "regions", "read on")
    )
    from stackwright.catalog.store import prices_in_force

    for o in records:
        for p in prices_in_force(o.prices):
            made.add_row(
                o.id,
                o.chip,
                str(o.chips),
                p.contract,
                number(p.usd_per_hour / o.chips),
                ", ".join(p.regions)[:40],
                str(p.date or "-"),
                p.confidence,
            )
    return made


def _grids(records: Any) -> Any:
    right = ("PUE", "g CO2e/kWh", "L/kWh")
    made = table("Electricity", "id", *right, "date", "confidence", right=right, may_go=("date", "confidence"))
    for g in records:
        made.add_row(
            g.id, number(g.pue), number(g.carbon_g_per_kwh), number(g.water_l_per_kwh), str(g.date or "-"), g.confidence
        )
    return made


_TABLES = {
    "chips": _chips, "systems": _systems, "engines": _engines, "models": _models, "offers": _offers, "grids": _grids,
}  # fmt: skip
