"""Options of `plan`, by what they narrow: the traffic and promise, the stack, the market, the limits, the
guarantee, the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from stackwright.cli.options import (
    COUNT,
    LORA_OPTIONS,
    MONEY,
    POSITIVE,
    SECONDS,
    Name,
    Names,
    known_certifications,
    known_chips,
    known_clouds,
    known_contracts,
    known_engines,
    known_groupings,
    known_hardware,
    known_objectives,
    known_places,
    known_regions,
    known_sectors,
    known_vendors,
    known_ways,
    known_workloads,
)

F = TypeVar("F", bound=Callable[..., Any])

_TRAFFIC = (
    click.option("--sector", type=Name(known_sectors), default="", help="Fill in what is not given from a profile: medical, finance or manufacturing."),
    click.option("--workload", type=Name(known_workloads), default="chat", show_default=True, help="Traffic profile, workload file or trace file."),
    click.option("--rate", type=POSITIVE, help="Requests per second of the whole deployment."),
    click.option("--concurrency", type=POSITIVE, help="Concurrent users of the whole deployment."),
    click.option("--ttft", type=SECONDS, help="Promised time to first token (0.5, 500ms)."),
    click.option("--tpot", type=SECONDS, help="Promised time per output token after the first."),
    click.option("--percentile", type=click.FloatRange(50, 99.9, min_open=True), default=95.0, show_default=True, help="Share of requests that keep the promise."),
)  # fmt: skip
_ALLOWED = (
    click.option("--chips", type=Names(known_chips), default=(), help="Only these chips."),
    click.option("--vendors", type=Names(known_vendors), default=(), help="Only chips of these makers."),
    click.option("--engines", type=Names(known_engines), default=(), help="Only these engines."),
    click.option("--precisions", type=Names(), default=(), help="Only these weight precisions."),
    click.option("--kv-precision", default="", help="KV-cache precision: bf16 or fp8."),
    click.option("--ways", type=Names(known_ways), default=(), help="Only these ways of serving: aggregated, speculative, pipelined, context-parallel, disaggregated (default: all that engines document)."),
    click.option("--mixed-pools", is_flag=True, help="Also prefill and decode workers on different chips of one provider."),
)  # fmt: skip
_MARKET = (
    click.option("--clouds", type=Names(known_clouds), default=(), help="Only these providers."),
    click.option("--regions", type=Names(known_regions), default=(), help="Only these regions, as the provider names them."),
    click.option("--contracts", type=Names(known_contracts), default=("on_demand", "capacity_block"), show_default="on_demand,capacity_block", help="Contracts to consider, or `all`."),
    click.option("--spot/--no-spot", default=None, help="Add spot capacity to the contracts, or remove it."),
    click.option("--residency", type=Name(known_places), default="", metavar="PLACE", help="Country or group where the data must stay (eu, de); what is unknown is left out."),
    click.option("--certified", type=Names(known_certifications), default=(), help="What the provider must be certified for (soc2,hipaa); what is unknown is left out."),
    click.option("--have", type=Names(known_hardware), default=(), metavar="CHIP[xN],..", help="Chips or machines that stand there already: cost their electricity only. --clouds at-hand: nothing else."),
    click.option("--usd-per-kwh", type=POSITIVE, help="Price of electricity for --have."),
)  # fmt: skip
_LIMITS = (
    click.option("--max-usd-per-hour", type=MONEY, help="Budget of the deployment, also as 20/day or 500/month."),
    click.option("--max-chips", type=COUNT, help="Most chips of the deployment."),
    click.option("--max-kw", type=POSITIVE, help="Most power at the meter, in kilowatts."),
)
_GUARANTEE = (
    click.option("--penalty", default="", metavar="CLAUSE", help="What a missed promise costs: 10%<99,25%<95 credits 10 % of the month's fee when fewer than 99 % of requests keep the limits; or 500usd<99."),
    click.option("--fee-usd-per-month", type=POSITIVE, help="The fee that --penalty is a share of (default: the cost of the deployment)."),
)  # fmt: skip
_ANSWER = (
    click.option("--objective", type=Name(known_objectives), default="usd_per_mtok_output", show_default=True, help="usd_per_mtok_output, usd_per_mtok_total, expected_cost (with --penalty), chips, energy, carbon or tpot."),
    click.option("--per", type=Name(known_groupings), default="offer", show_default=True, help="List the best stack per offer, chip or vendor, or every stack."),
    click.option("--top", type=COUNT, default=10, show_default=True, help="Plans to list."),
    click.option("--compare", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="STACK.yaml", help="The stack you run today: shows what changes."),
)  # fmt: skip


def question_options(command: F) -> F:
    """The options that ask a question; their names are the keywords of `api.plan`."""
    for option in reversed((*_TRAFFIC, *LORA_OPTIONS, *_ALLOWED, *_MARKET, *_LIMITS, *_GUARANTEE, *_ANSWER)):
        command = option(command)
    return command


def asked(options: dict[str, Any]) -> dict[str, Any]:
    """The options of the command line that ask a question, as keywords of `api.plan`.

    What was not given is left out: it has the default of `api.plan`, or of a sector.
    """
    from stackwright.planner import CONTRACTS

    context = click.get_current_context()
    given = {k: v for k, v in options.items() if context.get_parameter_source(k) is not ParameterSource.DEFAULT}
    question = {k: v for k, v in given.items() if k not in _NOT_ASKED}
    if "all" in question.get("contracts", ()):
        question["contracts"] = CONTRACTS
    return question


_NOT_ASKED = frozenset({"include_api", "verify", "report", "show_launch", "catalog_dir", "constants_file"})
