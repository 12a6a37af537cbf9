"""The report of a plan: one self-contained HTML file, made from the plan document alone."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from stackwright.web import names, sections, sentences
from stackwright.web.marks import definitions
from stackwright.web.markup import Html, join, tag, text
from stackwright.web.numbers import count, finite, significant

Document = dict[str, Any]


def write_report(document: Document, path: Path) -> None:
    """Write the report of a plan document to `path` (UTF-8), replacing what is there."""
    path.write_text(render_report(document), encoding="utf-8")


def render_report(document: Document, generated: dt.date | None = None) -> str:
    """The page as text; `document` as made by `plan_document`, `generated` the date shown (default: today).

    Loads nothing: style and script are inside, and a content security policy with the hash of the script allows no
    other source, whatever text the document holds.
    """
    style, script = _resource("style.css"), _resource("chart.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
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
    found = [p for p in parts if p is not None]
    model = names.model_name(str(document["question"]["model"]))
    return Template(_resource("page.html")).substitute(
        title=text(f"Stackwright plan: {model}"),
        policy=text(f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"),
        style=style,
        script=script,
        definitions=definitions(),
        question=text(sentences.question(document)),
        traffic=sentences.traffic(document),
        recommendation=_recommendation(document),
        contents=_contents(found),
        sections="\n".join(s.html for s in found),
        footer=_footer(document, generated or dt.date.today()),
    )


def _recommendation(document: Document) -> Html:
    first, *others = sentences.recommendation(document)
    kept = any(p["meets_slo"] for p in document.get("plans", []))
    return tag(
        "div",
        tag("p", first, class_="answer"),
        *(tag("p", line) for line in others),
        class_="recommendation" if kept else "recommendation unkept",
    )


def _contents(found: list[sections.Section]) -> Html:
    links = [tag("li", tag("a", s.short, href=f"#{s.identifier}")) for s in found]
    return tag("nav", tag("ul", *links), aria_label="Contents")


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


def _resource(name: str) -> str:
    return files("stackwright.web").joinpath(name).read_text(encoding="utf-8")
