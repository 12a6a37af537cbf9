"""The choice of model: quality against cost, every way to have every model, what each locks, how to start it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from stackwright.web import parts
from stackwright.web.draw.scatter import Dot, quality_chart
from stackwright.web.draw.tracks import CostRow, cost_rows
from stackwright.web.markup import join, tag
from stackwright.web.tab import Section, Tab, section, tab
from stackwright.web.tabs.lock_in import lock_in_section
from stackwright.web.tabs.options import chart_tip, cost_words, how, kind, option_table, slot
from stackwright.web.words import names
from stackwright.web.words.numbers import figure, finite

Document = dict[str, Any]
_SELLERS = 3


def models_tab(document: Document) -> Tab | None:
    """The choice of model; None in a document without one."""
    if not document.get("choice"):
        return None
    return tab(
        "models", "Models", "The choice of model",
        [
            _quality(document),
            _cheapest(document),
            _every(document),
            lock_in_section("model-locks", _named(best_of_each(document["choice"]))),
            launches(best_of_each(document["choice"])),
            left_out(document.get("refused", ())),
        ],
    )  # fmt: skip


def best_of_each(options: Sequence[Document]) -> list[Document]:
    """Of each model the best rented way and the best by API, in the order of the document."""
    seen: set[tuple[str, str]] = set()
    found = []
    for o in options:
        key = (str(o["model"]), str(o["kind"]))
        if key not in seen:
            seen.add(key)
            found.append(o)
    return found


def left_out(refused: Sequence[Document]) -> Section | None:
    """What was left out, and why; sellers with one reason in one line."""
    groups: dict[tuple[str, str], list[str]] = {}
    for r in refused:
        groups.setdefault((str(r["model"]), str(r["reason"])), []).append(str(r.get("how") or ""))
    lines = [
        join(tag("b", names.model_name(model)), f", {'; '.join(ways)}: " if any(ways) else ": ", reason)
        for (model, reason), ways in groups.items()
    ]
    return section("models-left-out", "Left out", "What was left out, and why", parts.bullets(lines)) if lines else None


def launches(options: Sequence[Document]) -> Section | None:
    """The commands of the rented stacks, each behind a fold."""
    folds = []
    for o in options:
        command = ((o.get("plan") or {}).get("launch") or {}).get("command")
        if command:
            folds.append(
                parts.fold(f"{names.model_name(str(o['model']))} on {how(o)}", parts.code_block(command.strip()))
            )
    lead = "Each starts one replica with every limit the prediction assumed."
    return section("start", "Launch", "How to start them", *folds, lead=lead) if folds else None


def _quality(document: Document) -> Section | None:
    """The scatter chart, where there are scores."""
    asked = document["question"].get("quality")
    scored = [o for o in document["choice"] if finite((o.get("quality") or {}).get("score")) is not None]
    drawn = [o for o in scored if (figure(o.get("usd_per_mtok_output")).value or 0.0) > 0.0]
    if not asked or not drawn:
        return None
    dots = [
        Dot(
            model=names.model_name(str(o["model"])),
            how=_short(o),
            cost=figure(o["usd_per_mtok_output"]),
            score=float(o["quality"]["score"]),
            by_api=o["kind"] != "self_hosted",
            keeps=o["meets_slo"],
            first=bool(o.get("on_front")),
            tip=f"{chart_tip(o)}\n{asked['benchmark']} {o['quality']['score']:g}",
        )
        for o in drawn
    ]
    benchmark = f"{asked['benchmark']} ({asked['unit']})" if asked.get("unit") else str(asked["benchmark"])
    unscored = sorted({names.model_name(str(o["model"])) for o in document["choice"]} - {d.model for d in dots})
    without = f" Without a score, so not drawn: {', '.join(unscored)}." if unscored else ""
    caption = (
        "A ring marks what nothing beats in cost and score and, where both are known, in latency. Whether an API keeps "
        f"the promise is not known, so it beats no stack that does.{without}"
    )
    return section(
        "quality", "Quality and cost", "Quality against cost",
        quality_chart(dots, benchmark), tag("p", caption, class_="caption"),
        lead="Each mark is one way to have one model for this traffic: up is better, left is cheaper.",
    )  # fmt: skip


def _cheapest(document: Document) -> Section:
    """Cost of the best ways of each model on one axis."""
    rows = [
        CostRow(
            join(names.model_name(str(o["model"])), " ", tag("span", kind(o), ", ", _short(o), class_="muted")),
            figure(o["usd_per_mtok_output"]),
            slot(o),
            o["meets_slo"] is not False,
            f"{names.model_name(str(o['model']))}, {how(o)}: {cost_words(o)} USD per million output tokens",
        )
        for o in best_of_each(document["choice"])
    ]
    lead = "Input and output charged to output tokens; the stack at the planned load, the API by use."
    return section("model-costs", "Cost", "The cheapest ways of each model", cost_rows(rows), lead=lead)


def _every(document: Document) -> Section:
    """All ways in order; further sellers of a model behind a fold."""
    shown, more = _cut(document["choice"])
    table = option_table(shown, document, "Every way to have each model")
    folded = (
        parts.fold(f"{len(more)} more sellers by API", option_table(more, document, "More sellers by API"))
        if more
        else None
    )
    lead = (
        "First what keeps the promise, then what has no published latency, then what misses it; each by cost. "
        "“Front”: nothing compared is better."
    )
    return section("choice", "Every way", "Every way to have each model", table, folded, lead=lead)


def _cut(options: Sequence[Document]) -> tuple[list[Document], list[Document]]:
    sellers: Counter[str] = Counter()
    shown: list[Document] = []
    more: list[Document] = []
    for o in options:
        if o["kind"] != "self_hosted":
            sellers[str(o["model"])] += 1
        hidden = o["kind"] != "self_hosted" and sellers[str(o["model"])] > _SELLERS and not o.get("on_front")
        (more if hidden else shown).append(o)
    return shown, more


def _named(options: Sequence[Document]) -> list[tuple[object, Document | None]]:
    return [(parts.two_lines(names.model_name(str(o["model"])), how(o)), o.get("lock_in")) for o in options]


def _short(o: Document) -> str:
    p = o.get("plan")
    return f"{names.chips(p)} at {names.provider(p)}" if p else str(o["how"])
