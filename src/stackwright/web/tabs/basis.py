"""What the answer rests on: assumptions, notes, sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from stackwright.web import parts
from stackwright.web.markup import join, tag
from stackwright.web.tab import Section, Tab, section, tab
from stackwright.web.tabs.ecosystems import standings
from stackwright.web.words import names
from stackwright.web.words.numbers import ABSENT

Document = dict[str, Any]


def basis_tab(document: Document) -> Tab | None:
    """What the answer rests on."""
    return tab(
        "basis", "Basis", "What the answer rests on", [assumptions(document), sector(document), sources(document)]
    )


def sector(document: Document) -> Section | None:
    """What a sector profile filled in, and why."""
    profile = document["question"].get("sector")
    if not profile:
        return None
    columns = [parts.Column(n) for n in ("Option", "Value", "Why", "Law or standard")]
    rows = [
        parts.Row((a["option"], _value(a["value"]), a["why"], a.get("source") or ABSENT))
        for a in profile.get("assumes", ())
    ]
    return section(
        "sector", "Sector", f"What the profile “{profile['name']}” assumes",
        parts.table(columns, rows, css="narrow", label="Assumptions of the sector profile"),
        lead=profile.get("description"),
    )  # fmt: skip


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def assumptions(document: Document) -> Section | None:
    """What holds for every plan, then why and what to know plan by plan."""
    shared = [f"{line[:1].upper()}{line[1:]}." for line in document.get("assumptions", [])]
    source = document["question"]["workload"].get("source")
    workload = document["question"]["workload"]
    shared.append(f"Traffic: {workload['description']}{f' ({source})' if source else ''}.")
    rows = [
        parts.Row((p["rank"], names.chips(p), names.provider(p), p.get("why", ""), "; ".join(p.get("notes", []))))
        for p in document.get("plans", [])
    ]
    columns = [
        parts.Column("#", number=True), parts.Column("Chips"), parts.Column("Cloud"),
        parts.Column("What limits it"), parts.Column("Notes"),
    ]  # fmt: skip
    folded = parts.fold("Plan by plan: what limits it, what to know", parts.table(columns, rows)) if rows else None
    return section("assumptions", "Assumptions", "Assumptions and notes", parts.bullets(shared), folded)


def sources(document: Document) -> Section | None:
    """Every source once, by what it is the source of, with the plans or models that rest on it."""
    used: dict[str, dict[str, list[str]]] = {}
    for label, entry in _used(document):
        kind, separator, words = entry.partition(": ")
        kind, words = (kind, words) if separator else ("other", entry)
        labels = used.setdefault(kind, {}).setdefault(words, [])
        if label not in labels:
            labels.append(label)
    if not used:
        return None
    content: list[object] = []
    for kind, entries in used.items():
        shown = [join(words, " ", tag("span", _by(labels), class_="muted")) for words, labels in entries.items()]
        content += [tag("h4", kind[:1].upper() + kind[1:]), parts.bullets(shown)]
    return section("sources", "Sources", "Sources", tag("div", *content, class_="sources"))


def _used(document: Document) -> Iterator[tuple[str, str]]:
    """What rests on a source, and the source."""
    for p in [*(document.get("plans") or ()), *(document.get("unpriced") or ())]:
        label = f"{p['rank']}" if p["stack"].get("offer") else str(p["stack"]["chip"])
        for entry in p.get("sources", ()):
            yield label, str(entry)
    ways = [*(document.get("choice") or ())]
    ways += [r["best"] for r in standings(document) if r.get("best")]
    for o in ways:
        model, api, score = names.model_name(str(o["model"])), o.get("api"), o.get("quality")
        for entry in (o.get("plan") or {}).get("sources", ()):
            yield model, str(entry)
        if api:
            yield model, f"API price: {api.get('source')} ({api.get('date')}, {api.get('confidence')})"
        if score and score.get("source"):
            details = ", ".join(str(score[k]) for k in ("setting", "date", "confidence") if score.get(k))
            yield model, f"quality: {score['source']} ({details})"


def _by(labels: Sequence[str]) -> str:
    if all(label.isdigit() for label in labels):
        return f"({'plans' if len(labels) > 1 else 'plan'} {', '.join(labels)})"
    return f"({', '.join(labels)})"
