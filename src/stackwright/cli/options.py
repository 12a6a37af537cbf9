"""Options shared by commands: their types, completion, and how they read."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from stackwright.errors import InputError
from stackwright.units import parse_seconds, parse_usd_per_hour

F = TypeVar("F", bound=Callable[..., Any])


class Positive(click.ParamType[float]):
    """A number above zero, and not beyond what any load or budget could be."""

    name = "number"
    largest = 1e12

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{str(value)!r} is not a number", param, ctx)
        if not 0 < number <= self.largest:
            self.fail(f"{value} is not a number above 0 and at most {self.largest:g}", param, ctx)
        return number


class Money(Positive):
    """USD per hour above zero: a number, or an amount with its period (20/day, 500/month)."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            usd = parse_usd_per_hour(str(value))
        except InputError as error:
            self.fail(str(error), param, ctx)
        return super().convert(usd, param, ctx)


class Seconds(click.ParamType[float]):
    """A time above zero: seconds, or with a unit (300ms)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = value if isinstance(value, float) else parse_seconds(str(value))
        except InputError as error:
            self.fail(str(error), param, ctx)
        if not math.isfinite(seconds) or seconds <= 0:
            self.fail(f"{value} is not a time above 0", param, ctx)
        return float(seconds)


class Names(click.ParamType[tuple[str, ...]]):
    """A comma-separated list; completes the last name from `known`."""

    name = "a,b"

    def __init__(self, known: Callable[[], list[str]] | None = None) -> None:
        self.known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(v.strip() for v in str(value).split(",") if v.strip())
        if not names:
            self.fail("the list is empty", param, ctx)
        return names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        if self.known is None:
            return []
        head, _, last = incomplete.rpartition(",")
        prefix = f"{head}," if head else ""
        return [CompletionItem(prefix + k) for k in self.known() if k.lower().startswith(last.lower())]


class PointsFile(click.ParamType[str]):
    """A table of measured points: a file, or KIND=FILE of an importer."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from stackwright.api.validation import kind_and_path

        kind, path = kind_and_path(value)
        if path.is_dir():
            self.fail(f"{str(path)!r} is a directory", param, ctx)
        if not path.exists():
            self.fail(f"file {str(path)!r} does not exist", param, ctx)
        return str(path) if kind == "table" else f"{kind}={path}"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


class Name(click.ParamType[str]):
    """One name, completed from `known`."""

    name = "id"

    def __init__(self, known: Callable[[], list[str]]) -> None:
        self.known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(k) for k in self.known() if incomplete.lower() in k.lower()]


def known_chips() -> list[str]:
    """Chip ids of the catalogue."""
    from stackwright.catalog import load_catalog

    return sorted(load_catalog().chips)


def known_vendors() -> list[str]:
    """Vendors of the catalogue's chips."""
    from stackwright.catalog import load_catalog

    return sorted({c.vendor.lower() for c in load_catalog().chips.values()})


def known_clouds() -> list[str]:
    """Providers of the catalogue's offers, and what stands there already."""
    from stackwright.catalog import load_catalog
    from stackwright.planner import AT_HAND

    return [*sorted({o.provider for o in load_catalog().offers.values()}), AT_HAND]


def known_hardware() -> list[str]:
    """Chip and system ids of the catalogue."""
    from stackwright.catalog import load_catalog

    return sorted([*load_catalog().chips, *load_catalog().systems])


def known_places() -> list[str]:
    """Countries and groups of them where data can be kept."""
    from stackwright.catalog import load_catalog

    return sorted(load_catalog().countries)


def known_certifications() -> list[str]:
    """Certifications that the catalogue knows of some provider."""
    from stackwright.catalog import load_catalog

    return sorted({c.name for p in load_catalog().providers.values() for c in p.certifications})


def known_sectors() -> list[str]:
    """Names of the sector profiles."""
    from stackwright.workload import sector_names

    return list(sector_names())


def known_engines() -> list[str]:
    """Engine ids of the catalogue."""
    from stackwright.catalog import load_catalog

    return sorted(load_catalog().engines)


def known_contracts() -> list[str]:
    """Kinds of contract that a price can have, and `all`."""
    from stackwright.planner import CONTRACTS

    return ["all", *CONTRACTS]


def known_objectives() -> list[str]:
    """What a plan can minimise."""
    from stackwright.planner import OBJECTIVES

    return list(OBJECTIVES)


def known_groupings() -> list[str]:
    """What a plan can list the best of."""
    from stackwright.planner import GROUPINGS

    return list(GROUPINGS)


def known_ways() -> list[str]:
    """Ways of serving."""
    from stackwright.planner.question import WAYS

    return list(WAYS)


def known_regions() -> list[str]:
    """Regions that prices or electricity records name."""
    from stackwright.catalog import load_catalog

    return sorted({r for regions in load_catalog().places.values() for r in regions})


def known_models() -> list[str]:
    """Model ids of the catalogue."""
    from stackwright.catalog import load_catalog

    return sorted(load_catalog().models)


def known_speculation() -> list[str]:
    """Methods of speculative decoding, and `none`."""
    from stackwright.performance import METHODS

    return ["none", *METHODS]


def known_workloads() -> list[str]:
    """Names of the traffic profiles."""
    from stackwright.workload import profile_names

    return list(profile_names())


MODEL = Name(known_models)
POSITIVE = Positive()
POINTS = PointsFile()
MONEY = Money()
COUNT = click.IntRange(1, 1_000_000)
SECONDS = Seconds()

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output, nothing else."
)
catalog_option = click.option(
    "--catalog", "catalog_dir", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="YAML files that add to or override the catalogue.",
)  # fmt: skip
constants_option = click.option(
    "--calibration", "constants_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Record of constants instead of the shipped one.",
)  # fmt: skip


own_option = click.option(
    "--own", type=POINTS, multiple=True, metavar="FILE",
    help="Own measurements of the model (1 to 50 of an engine and chip), or KIND=FILE; repeatable.",
)  # fmt: skip
data_dir_option = click.option(
    "--data-dir", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="Where to look for named traces first.",
)  # fmt: skip


LORA_OPTIONS = (
    click.option("--lora-adapters", type=COUNT, metavar="N", help="LoRA adapters served beside the model, all resident."),
    click.option("--lora-rank", type=COUNT, help="Their rank."),
    click.option("--lora-targets", type=click.Choice(["attention", "all"]), help="Projections they adapt (default: attention)."),
)  # fmt: skip


def point_options(command: F) -> F:
    """The options that name one operating point."""
    options = [
        click.option("--chip", type=Name(known_chips), help="Chip id."),
        click.option("--n-chips", type=COUNT, help="Chips of the replica."),
        click.option("--engine", type=Name(known_engines), help="Serving engine."),
        click.option("--tp", type=COUNT, help="Tensor parallel ranks (default: the remaining chips)."),
        click.option("--pp", type=COUNT, default=1, show_default=True, help="Pipeline stages."),
        click.option("--ep", type=COUNT, default=1, show_default=True, help="Expert parallel ranks."),
        click.option("--attention-dp", type=COUNT, default=1, show_default=True, help="Attention data parallel ranks."),
        click.option("--cp", type=COUNT, default=1, show_default=True, help="Context parallel ranks (long prompts)."),
        click.option("--weight-precision", help="bf16, fp8, nvfp4, mxfp4, int8, int4 (default: as published)."),
        click.option("--kv-precision", help="bf16 or fp8 (default: fp8 with quantised weights where the engine has it)."),
        click.option("--speculative", type=Name(known_speculation), metavar="METHOD", help="Speculative decoding: mtp, eagle, ngram, draft-model."),
        click.option("--draft-tokens", type=COUNT, help="Tokens drafted per step."),
        click.option("--acceptance-length", type=POSITIVE, help="Mean tokens emitted per step, as engines report it (default: a constant)."),
        click.option("--draft-cost", type=click.FloatRange(0, 1e3), help="Time of one draft pass as a share of a plain decode step."),
        *LORA_OPTIONS,
        click.option("--workload", "workload_name", type=Name(known_workloads), help="Profile, workload file or trace."),
        click.option("--isl", type=POSITIVE, help="Input tokens."),
        click.option("--osl", type=POSITIVE, help="Output tokens."),
        click.option("--length-dist", default="fixed", show_default=True, help="fixed, uniform(0.8,1.0) of nominal, lognormal(cv)."),
        click.option("--prefix-hit-rate", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="Share of input tokens found in the prefix cache."),
        click.option("--rate", type=POSITIVE, help="Requests per second (open loop)."),
        click.option("--concurrency", type=POSITIVE, help="Concurrent users (closed loop)."),
        click.option("--engine-version", help="Version of the engine (only the catalogue's is known)."),
        own_option,
        click.option("--prefill", metavar="NxLAYOUT", help="Prefill pool of a disaggregated deployment: 4xtp4."),
        click.option("--decode", metavar="NxLAYOUT", help="Decode pool beside it: 2xtp1dp8ep8."),
        click.option("--prefill-chip", type=Name(known_chips), help="Chip of the prefill pool (default: --chip)."),
        click.option("--decode-chip", type=Name(known_chips), help="Chip of the decode pool (default: --chip)."),
        click.option("--prefix-working-set-tokens", type=POSITIVE, help="Distinct prefix tokens that requests share: limits the hits to what fits."),
        click.option("--kv-offload-gb", type=POSITIVE, help="Host memory per chip that keeps prefixes beside the chip's own, GB."),
        data_dir_option,
        click.option("--rounds", type=POSITIVE, help="Requests per user of a benchmark; default: long-running."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command
