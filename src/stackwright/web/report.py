"""The report: one self-contained HTML file of tabs, made from a document alone.

The document may be that of `plan`, of `plan --models` or of `compare`: what it holds decides which tabs there are.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from stackwright.web.draw.marks import definitions
from stackwright.web.markup import Html, join, tag, text
from stackwright.web.tab import panels, strip
from stackwright.web.tabs import tabs_of
from stackwright.web.words import names, sentences
from stackwright.web.words.numbers import count, finite, significant
from stackwright.web.words.opening import Opening, opening

Document = dict[str, Any]


def write_report(document: Document, path: Path) -> None:
    """Write the report of a document to `path` (UTF-8), replacing what is there."""
    path.write_text(render_report(document), encoding="utf-8")


def render_report(document: Document, generated: dt.date | None = None) -> str:
    """The page as text; `document` as a command's `--json` has it, `generated` the date shown (default: today).

    Loads nothing: style and script are inside, and a content security policy with the hash of the script allows no
    other source, whatever text the document holds.
    """
    style, script = _resource("style.css"), _resource("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    head, tabs = opening(document), tabs_of(document)
    return Template(_resource("page.html")).substitute(
        kind=text(head.kind),
        title=text(head.title),
        policy=text(f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"),
        style=style,
        script=script,
        definitions=definitions(),
        question=text(head.question),
        traffic=sentences.traffic(document),
        answer=_answer(head),
        tabs=strip(tabs),
        panels=panels(tabs),
        footer=_footer(document, generated or dt.date.today()),
    )


def _answer(head: Opening) -> Html:
    first, *others = head.answer
    return tag(
        "div",
        tag("p", first, class_="answer"),
        *(tag("p", line) for line in others),
        class_="recommendation" if head.kept else "recommendation unkept",
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


def _resource(name: str) -> str:
    return files("stackwright.web").joinpath(name).read_text(encoding="utf-8")
