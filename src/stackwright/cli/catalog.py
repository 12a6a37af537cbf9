"""`stackwright catalog`."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import click

from stackwright.cli.options import Name, Names, catalog_option, json_option
from stackwright.cli.output import console, emit_json, number, remark, table, transfer

KINDS = ("chips", "systems", "engines", "models", "offers", "grids", "providers", "countries", "ownership")


@click.group(
    "catalog",
    short_help="List, show, check and refresh chips, systems, engines, models, offers and providers.",
    invoke_without_command=True,
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Facts with their sources: chips, systems, engines, models, offers, electricity, providers and places."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _ids() -> list[str]:
    from stackwright.catalog import load_catalog

    facts = load_catalog()
    return [i for kind in KINDS for i in getattr(facts, kind)]


def _sources() -> list[str]:
    from stackwright.catalog.refresh.run import SOURCES

    return [*SOURCES, "all"]


@command.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@catalog_option
@json_option
def list_records(kind: str | None, catalog_dir: Path | None, as_json: bool) -> None:
    """List the records of KIND (chips, systems, engines, models, offers, grids, providers ...), or the number of each."""
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
    out = console()
    out.print(_TABLES[kind](records.values()))
    if kind == "offers" and (text := _stale(records.values())):
        remark(out, text)


@command.command("show")
@click.argument("record_id", type=Name(_ids))
@catalog_option
@json_option
def show(record_id: str, catalog_dir: Path | None, as_json: bool) -> None:
    """Show one record, with the source, date and confidence of each group of figures."""
    from stackwright.catalog import load_catalog
    from stackwright.errors import UnknownIdError

    facts = load_catalog(catalog_dir)
    for find in (facts.chip, facts.system, facts.engine, facts.model, facts.provider):
        try:
            return _show(find(record_id), as_json)
        except UnknownIdError:
            continue
    for records in (facts.offers, facts.grids, facts.countries, facts.ownership):
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
    from stackwright.catalog.checks.rules import check_catalog

    findings = check_catalog(load_catalog(catalog_dir))
    if as_json:
        emit_json([dataclasses.asdict(f) for f in findings])
    else:
        for f in findings:
            click.echo(f"{f.level}: {f.record}: {f.field}: {f.message}")
        errors = sum(f.level == "error" for f in findings)
        click.echo(f"{errors} errors, {len(findings) - errors} warnings")
    ctx.exit(2 if any(f.level == "error" for f in findings) else 0)


@command.command("refresh")
@click.argument("sources", nargs=-1, type=Name(_sources), metavar="[azure|aws|gcp|genai|gpuhunt|all]...")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where prices are kept (default: STACKWRIGHT_CATALOG_DIR, else ~/.local/share/stackwright/catalog).",
)
@click.option(
    "--regions", type=Names(), help="Only these regions (aws: default us-east-1; a region is hundreds of MB)."
)
@click.option("--dry-run", is_flag=True, help="Read and check, write nothing.")
@click.option("--offline", is_flag=True, help="Tell what is held and how old it is; no network.")
@json_option
@click.pass_context
def refresh(
    ctx: click.Context,
    sources: tuple[str, ...],
    data_dir: Path | None,
    regions: tuple[str, ...] | None,
    dry_run: bool,
    offline: bool,
    as_json: bool,
) -> None:
    """Read public price lists now and keep them in the user's data directory; no other command fetches prices.

    Sources: azure, aws, gcp (needs GOOGLE_API_KEY), genai (token prices), gpuhunt (needs the extra), all.
    Exit status 2 when a source failed; its earlier prices stay.
    """
    from stackwright.api import refresh as refreshed

    with transfer(quiet=as_json) as progress:
        document = refreshed(
            sources, data_dir=data_dir, regions=regions, dry_run=dry_run, offline=offline, progress=progress
        )
    if as_json:
        emit_json(document)
    else:
        _refreshed(document)
    ctx.exit(2 if any(s["status"] in ("failed", "broken") for s in document["sources"]) else 0)


def _refreshed(document: Any) -> None:
    """What was read, what was left out and why; failures go to standard error, one line each."""
    for s in document["sources"]:
        if s["status"] in ("failed", "broken"):
            click.echo(f"error: {s['source']}: {s['message']}", err=True)
            continue
        if s["status"] == "passed over":
            click.echo(f"{s['source']}: passed over: {s['message']}")
            continue
        age = f", {s['age_days']} days old" if "age_days" in s else ""
        late = f" ({s['message']})" if s["message"] else ""
        what = f"{s['rows_kept']} prices of {s['offers']} offers" if "offers" in s else f"{s['rows_kept']} models"
        click.echo(f"{s['source']}: {what}, read {s['retrieved']}{age}{late}")
        for reason, n in s["left_out"].items():
            first = next((f", such as {r['what']}" for r in s.get("rows_left_out", ()) if r["kind"] == reason), "")
            click.echo(f"  left out: {n} x {reason}{first}")
        for text in s.get("warnings", ()):
            click.echo(f"  look at: {text}")
    if not document["sources"]:
        click.echo("nothing is held; run `stackwright catalog refresh azure genai`")
    if any(s["status"] in ("refreshed", "held") for s in document["sources"]):
        click.echo(document["directory"])
    elif document.get("dry_run"):
        click.echo("nothing was written (dry run)")


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
    columns = ("id", "chip", "chips", "contract", "USD/chip-hour", "regions", "read on", "age", "confidence")
    made = table(
        "Offers (newest price of each contract)", *columns, right=right, may_go=("confidence", "regions", "read on")
    )
    today = dt.date.today()
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
                _age(p, today),
                p.confidence,
            )
    return made


def _age(price: Any, today: dt.date) -> str:
    """Days since a price was read; a star marks a stale one."""
    days = price.age_days(today)
    return "undated" if days is None else f"{days} d{' *' if price.stale(today) else ''}"


def _stale(records: Any) -> str:
    """How many prices in force are stale, and what to do; nothing where none is."""
    from stackwright.catalog import STALE_PRICE_DAYS
    from stackwright.catalog.store import prices_in_force

    prices = [p for o in records for p in prices_in_force(o.prices)]
    old = sum(p.stale(dt.date.today()) for p in prices)
    more = "`stackwright catalog refresh` reads what the vendors publish"
    return f"* {old} of {len(prices)} prices were read more than {STALE_PRICE_DAYS} days ago; {more}" if old else ""


def _grids(records: Any) -> Any:
    right = ("PUE", "g CO2e/kWh", "L/kWh")
    made = table("Electricity", "id", *right, "date", "confidence", right=right, may_go=("date", "confidence"))
    for g in records:
        made.add_row(
            g.id, number(g.pue), number(g.carbon_g_per_kwh), number(g.water_l_per_kwh), str(g.date or "-"), g.confidence
        )
    return made


def _providers(records: Any) -> Any:
    made = table("Providers (certifications: ? recalled, not read)", "id", "home", "countries", "certifications")
    for p in records:
        held = [f"{c.name}{'?' if c.confidence == 'assumption' else ''}" for c in p.certifications if c.held]
        made.add_row(p.id, p.jurisdiction, ", ".join(sorted(set(p.regions.values()))) or "-", ", ".join(held) or "-")
    return made


def _countries(records: Any) -> Any:
    made = table("Countries and groups of countries", "id", "name", "countries")
    for p in records:
        made.add_row(p.id, p.name, ", ".join(p.countries))
    return made


def _ownership(records: Any) -> Any:
    right = ("value", "low", "high")
    made = table("What owning costs beside the price", "id", *right, "unit", "confidence", right=right)
    for f in records:
        ends = [number(end.get("value")) for end in (f.low, f.high)]
        made.add_row(f.id, number(f.value), *ends, f.unit, f.confidence)
    return made


_TABLES = {
    "chips": _chips, "systems": _systems, "engines": _engines, "models": _models, "offers": _offers, "grids": _grids,
    "providers": _providers, "countries": _countries, "ownership": _ownership,
}  # fmt: skip
