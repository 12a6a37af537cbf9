"""What a choice locks: counts of what exists elsewhere, what it is bound to, and what moving takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stackwright.web.markup import Html, tag
from stackwright.web.parts import Column, Row, table
from stackwright.web.tab import Section, section
from stackwright.web.words.numbers import ABSENT, count, finite, significant

Document = dict[str, Any]
_COUNTED = (
    ("providers_of_the_chip", "Chip", "other providers"),
    ("chips_of_other_makers_in_its_class", "Class", "chips of other makers"),
    ("other_engines_on_the_chip", "Engines", "others on the chip"),
    ("other_makers_the_engine_runs_on", "Engine", "other makers it runs on"),
    ("other_makers_that_load_the_weights", "Weights", "other makers that load them"),
    ("api_sellers_of_the_model", "API sellers", "of the model"),
)


def lock_in_section(identifier: str, entries: Iterable[tuple[object, Document | None]]) -> Section | None:
    """One row per choice, named as given; None where no document says what it locks."""
    known = [(name, x) for name, x in entries if x]
    if not known:
        return None
    columns = [
        Column("Choice"),
        Column("Model"),
        *(Column(head, unit, number=True) for _, head, unit in _COUNTED),
        Column("Bound", "months", number=True),
        Column("Bound to"),
        Column("A move costs", "thousand USD"),
    ]
    rows = [
        Row(
            (
                name,
                "open weights" if x.get("weights_open") else "closed",
                *(_counted(x.get(key)) for key, _, _ in _COUNTED),
                count(x.get("commitment_months")),
                "; ".join(map(str, x.get("bound") or ())) or "nothing that exists once only",
                _moves(x),
            )
        )
        for name, x in known
    ]
    basis = {str(m["basis"]) for _, x in known for m in x.get("moves", ())}
    lead = "Counted in the catalogue; a dash: it does not apply, or nobody looked. What a move costs: "
    return section(
        identifier, "Lock-in", "What it locks", table(columns, rows, css="locks", label="What it locks"),
        lead=lead + ("; ".join(sorted(basis)) or "not given") + ".",
    )  # fmt: skip


def _counted(x: Document | None) -> Html | str:
    if not x:
        return ABSENT
    names = ", ".join(map(str, x.get("names") or ()))
    return tag("span", count(x.get("count")), title=names or None)


def _moves(x: Document) -> Html:
    lines = [tag("li", f"to {m['to']}: ", tag("b", _thousands(m["usd"]))) for m in x.get("moves", ())]
    return tag("ul", *lines, class_="plain") if lines else Html(ABSENT)


def _thousands(usd: Document) -> str:
    low, high = (significant((finite(usd.get(k)) or 0.0) / 1e3, 2) for k in ("low", "high"))
    return low if low == high else f"{low}\u00a0–\u00a0{high}"
