"""Ecosystem against ecosystem: what each costs, which order can be told, like for like, what each locks."""

from __future__ import annotations

from typing import Any

from stackwright.web import parts
from stackwright.web.draw.tracks import CostRow, cost_rows
from stackwright.web.markup import Html, join, tag
from stackwright.web.tab import Section, Tab, section, tab
from stackwright.web.tabs.lock_in import lock_in_section
from stackwright.web.tabs.options import SURE, cost_words, how, kind, option_table, slot
from stackwright.web.words import names
from stackwright.web.words.numbers import ABSENT, figure, probability

Document = dict[str, Any]


def ecosystems_tab(document: Document) -> Tab | None:
    """The comparison of ecosystems; None in a document without one."""
    rows = standings(document)
    if not rows:
        return None
    return tab(
        "ecosystems", "Ecosystems", "Ecosystem against ecosystem",
        [
            _costs(rows),
            _best(rows, document),
            _order(document),
            _like_for_like(rows),
            lock_in_section("ecosystem-locks", [(r["ecosystem"], r["best"].get("lock_in")) for r in rows if r["best"]]),
            _options(rows, document),
            _left_out(rows),
        ],
    )  # fmt: skip


def standings(document: Document) -> list[Document]:
    """The rows of a comparison; none in a plan document, whose `compare` is the stack of today."""
    rows = document.get("compare")
    return rows if isinstance(rows, list) else []


def _costs(rows: list[Document]) -> Section | None:
    """Cost of the best of each with its interval."""
    answered = [r for r in rows if r["best"]]
    if not answered:
        return None
    found = []
    for i, r in enumerate(answered):
        o = r["best"]
        model = names.model_name(str(o["model"]))
        words = f"{r['ecosystem']}: {model}, {how(o)}, {cost_words(o)} USD per million output tokens"
        letter = tag("span", _letter(i), class_="rank")
        name = join(letter, f"{r['ecosystem']} ", tag("span", kind(o), ", ", model, class_="muted"))
        found.append(CostRow(name, figure(o["usd_per_mtok_output"]), slot(o), o["meets_slo"] is not False, words))
    lead = (
        "The cheapest way of each that keeps the promise, or whose latency is not known. No line: the price as listed, "
        "or the same number of replicas over the whole interval."
    )
    return section("ecosystem-costs", "Cost", "What each costs", cost_rows(found), lead=lead)


def _best(rows: list[Document], document: Document) -> Section | None:
    """The best of each as a table."""
    answered = [r for r in rows if r["best"]]
    if not answered:
        return None
    bests = [{**r["best"], "ecosystem": r["ecosystem"], "on_front": False} for r in answered]
    table = option_table(bests, document, "The best of each ecosystem")
    notes = [join(tag("b", r["ecosystem"]), f": {r['note']}") for r in rows if r.get("note")]
    return section(
        "standings", "Best of each", "The best of each ecosystem", table, parts.bullets(notes) if notes else None
    )


def _order(document: Document) -> Section | None:
    """Probability that one is cheaper than the other, and the pairs that are too close to say."""
    cheaper = document.get("cheaper") or {}
    known, p = cheaper.get("names", []), cheaper.get("p", [])
    if len(known) < 2:
        return None
    columns = [parts.Column("Cheaper than", "row against column")]
    columns += [parts.Column(_letter(i), number=True) for i in range(len(known))]
    rows = [
        parts.Row(
            (
                join(tag("span", _letter(i), class_="rank"), name),
                *("" if i == j else _cell(p[i][j]) for j in range(len(known))),
            )
        )
        for i, name in enumerate(known)
    ]
    close = [v for v in document.get("verdicts", ()) if "too close to say" in v]
    told = len(document.get("verdicts", ())) - len(close)
    lead = (
        f"Probability that the row costs less than the column. {told} of {told + len(close)} pairs can be told with "
        f"more than 90 %; where it says “≈” the intervals are too wide to say."
    )
    table = parts.table(columns, rows, css="narrow matrix", label="Probability that the row is cheaper")
    listed = parts.bullets(close) if close else None
    return section(
        "order", "Who is cheaper", "Who is cheaper, and where it is too close to say", table, listed, lead=lead
    )


def _cell(p: float) -> Html:
    if p > SURE:
        return tag("b", probability(p))
    return (
        tag("span", probability(p), class_="muted")
        if p < 1.0 - SURE
        else tag("span", f"≈\u00a0{probability(p)}", class_="close")
    )


def _like_for_like(rows: list[Document]) -> Section | None:
    """One and the same model in every ecosystem that has it."""
    found: dict[str, dict[str, Document]] = {}
    for r in rows:
        for o in r["options"]:
            if o["meets_slo"] is not False:
                found.setdefault(str(o["model"]), {}).setdefault(str(r["ecosystem"]), o)
    shared = [m for m, ways in found.items() if len(ways) > 1]
    if not shared:
        return None
    columns = [parts.Column("Ecosystem")]
    columns += [parts.Column(names.model_name(m), "USD per Mtok out", number=True) for m in shared]
    entries = []
    for r in rows:
        options = [found[m].get(str(r["ecosystem"])) for m in shared]
        if any(options):
            entries.append(parts.Row((r["ecosystem"], *(cost_words(o) if o else ABSENT for o in options))))
    table = parts.table(columns, entries, label="One and the same model in every ecosystem")
    lead = "The cheapest way that keeps the promise, or whose latency is not known; a dash: there is none."
    return section("like-for-like", "Like for like", "One and the same model", table, lead=lead)


def _options(rows: list[Document], document: Document) -> Section | None:
    """All ways of each ecosystem, each behind a fold."""
    folds = [
        parts.fold(
            f"{r['ecosystem']}: {len(r['options'])} {'way' if len(r['options']) == 1 else 'ways'}",
            option_table(r["options"], document, f"Ways of {r['ecosystem']}"),
        )
        for r in rows
        if r["options"]
    ]
    return section("ways", "Every way", "Every way of each", *folds) if folds else None


def _left_out(rows: list[Document]) -> Section | None:
    """Ecosystems without an answer, and what was left out of the others."""
    lines = [join(tag("b", r["ecosystem"]), f": {r['refusal']}") for r in rows if r.get("refusal")]
    for r in rows:
        for x in r.get("refused", ()):
            way = f", {x['how']}" if x.get("how") else ""
            lines.append(join(tag("b", r["ecosystem"]), f", {names.model_name(str(x['model']))}{way}: {x['reason']}"))
    return (
        section("ecosystems-left-out", "Left out", "What was left out, and why", parts.bullets(lines))
        if lines
        else None
    )


def _letter(i: int) -> str:
    return chr(ord("A") + i) if i < 26 else str(i + 1)
