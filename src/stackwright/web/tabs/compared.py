"""Plans as columns: today beside the recommendation, the first plans beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stackwright.web.markup import Html
from stackwright.web.parts import Column, Row, table, two_lines
from stackwright.web.words import names
from stackwright.web.words.numbers import (
    ABSENT,
    between,
    count,
    figure,
    finite,
    per_month,
    percent,
    probability,
    seconds,
    significant,
    usd,
    usd_per_mtok,
    usd_sum,
)

Document = dict[str, Any]
Show = Callable[[float | None], str]


def with_today(document: Document) -> Html:
    """Today's stack beside the recommended one, with the ratio of each figure."""
    today, best = document["compare"]["today"], document["plans"][0]
    columns = [
        Column("Measure"), Column("Today", number=True), Column("Recommended", number=True),
        Column("Change", number=True),
    ]  # fmt: skip
    rows = [Row((*cells, "")) for cells in _stacks((today, best))]
    for name, key, show in _measures(document):
        a, b = figure(today.get(key)), figure(best.get(key))
        change = f"× {significant(b.value / a.value, 2)}" if a.value and b.value is not None else ABSENT
        rows.append(Row((name, *_figures((today, best), key, show), change)))
    rows += [Row((*cells, "")) for cells in _rest((today, best))]
    return table(columns, rows, label="Today against the recommendation")


def side_by_side(plans: Sequence[Document], document: Document) -> Html:
    """The first plans with their figures, intervals under them."""
    columns = [Column("Measure"), *(Column(f"{p['rank']}. {names.chips(p)}", names.provider(p)) for p in plans)]
    rows = [Row(cells) for cells in _stacks(plans)[1:]]
    rows += [Row((name, *_figures(plans, key, show))) for name, key, show in _measures(document)]
    rows += [Row(cells) for cells in _rest(plans)]
    rows.append(Row(("Rent per month, USD", *(usd(per_month(finite(p.get("usd_per_hour")))) for p in plans))))
    rows.append(Row(("What limits it", *(str(p.get("why") or ABSENT) for p in plans))))
    return table(columns, rows, css="side", label="The first plans side by side")


def _stacks(plans: Sequence[Document]) -> list[tuple[object, ...]]:
    """What each plan is made of."""
    return [
        ("Chips", *(names.chips(p) for p in plans)),
        ("Engine, weights", *(f"{names.engine(p)}, {names.precision(p)}" for p in plans)),
        ("Layout", *(_layout(p) for p in plans)),
        *([("Drafting", *(names.drafting(p) or ABSENT for p in plans))] if any(map(names.drafting, plans)) else []),
        ("Cloud", *(names.place(p) for p in plans)),
    ]


def _measures(document: Document) -> list[tuple[str, str, Show]]:
    """Name, key and form of the figures to compare."""
    p95 = names.percentile(document)
    return [
        ("USD per hour", "usd_per_hour", usd),
        ("USD per million output tokens", "usd_per_mtok_output", usd_per_mtok),
        (f"{p95} TTFT", f"ttft_{p95}_s", seconds),
        (f"{p95} TPOT", f"tpot_{p95}_s", seconds),
        ("Joules per output token", "joules_per_output_token", lambda x: significant(x, 2)),
        ("kg CO₂e per million output tokens", "kgco2_per_mtok", lambda x: significant(x, 2)),
        ("Use of capacity", "utilisation", percent),
    ]


def _figures(plans: Sequence[Document], key: str, show: Show) -> list[Html]:
    found = [figure(p.get(key)) for p in plans]
    return [two_lines(show(f.value), between(f, show)) for f in found]


def _rest(plans: Sequence[Document]) -> list[tuple[object, ...]]:
    """Probability of the promise, and what breaking it is expected to cost where a clause says so."""
    rows: list[tuple[object, ...]] = [
        ("Probability of keeping the promise", *(probability(finite(p["p_meets_slo"])) for p in plans))
    ]
    expected = [finite((p.get("penalty") or {}).get("expected_usd_per_month")) for p in plans]
    if any(x is not None for x in expected):
        rows.append(("Expected penalty, USD per month", *(usd_sum(x) for x in expected)))
    return rows


def _layout(p: Document) -> str:
    return f"{count(p['replicas'])}\u00a0× {p['stack']['layout']['description']}"
