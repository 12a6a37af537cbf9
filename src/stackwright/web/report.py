"""The report of a plan: one self-contained HTML file, made from the plan document alone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from stackwright.web import names, sections, sentences
from stackwright.web.markup import Html, join, tag
from stackwright.web.numbers import count, finite, significant
from stackwright.web.page import Page, render_page

Document = dict[str, Any]


def write_report(document: Document, path: Path) -> None:
    """Write the report of a plan document to `path` (UTF-8), replacing what is there."""
    path.write_text(render_report(document), encoding="utf-8")


def render_report(document: Document, generated: dt.date | None = None) -> str:
    """The page as text; `document` as made by `plan_document`, `generated` the date shown (default: today).

    Loads nothing: style and script are inside, and a content security policy with the hash of the script allows no
    other source, whatever text the document holds.
    """
    parts = [
        sections.figures(document),
        sections.comparison(document),
        sections.ranking(document),
        sections.unpriced(document),
        sections.frontier(document),
        sections.costs(document),
        sections.rent(document),
        sections.latency(document),
        sections.contracts(document),
        sections.launch(document),
        sections.rejected(document),
        sections.assumptions(document),
        sections.sources(document),
    ]
    page = Page(
        kind="Stackwright plan",
        title=f"Stackwright plan: {names.model_name(str(document['question']['model']))}",
        question=sentences.question(document),
        traffic=sentences.traffic(document),
        recommendation=_recommendation(document),
        footer=_footer(document, generated or dt.date.today()),
    )
    return render_page(page, parts)


def _recommendation(document: Document) -> Html:
    first, *others = sentences.recommendation(document)
    kept = any(p["meets_slo"] for p in document.get("plans", []))
    return tag(
        "div",
        tag("p", first, class_="answer"),
        *(tag("p", line) for line in others),
        class_="recommendation" if kept else "recommendation unkept",
    )


def _footer(document: Document, generated: dt.date) -> Html:
    limits = [line for line in document.get("assumptions", []) if "uncalibrated" in line or "unvalidated" in line]
    not_this = (
        "What these numbers are not: they are predictions of a model of the hardware and the engine, not measurements "
        "of your system, and prices are public list prices, not quotes."
    )
    cpu = finite(document.get("cpu_s"))
    took = f" in {significant(cpu, 2)} s of processor time" if cpu is not None else ""
    made = (
        f"Generated {names.date_name(generated.isoformat())} by Stackwright from "
        f"{count(document.get('evaluated'))} operating points{took}. Intervals are two-sided 90 %."
    )
    return join(
        tag("p", not_this, *(f" {line[:1].upper()}{line[1:]}." for line in limits)),
        tag("p", made),
    )
