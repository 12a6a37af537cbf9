"""A self-contained page: style and script inside, a content security policy that allows no other source."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from stackwright.web.marks import definitions
from stackwright.web.markup import Html, tag, text
from stackwright.web.sections import Section


@dataclass(frozen=True)
class Page:
    """What a page says above its sections, and below."""

    kind: str
    title: str
    question: str
    traffic: Html
    recommendation: Html
    footer: Html


def render_page(p: Page, sections: Sequence[Section | None]) -> str:
    """The page as text; sections that are None are left out."""
    style, script = _resource("style.css"), _resource("chart.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    found = [s for s in sections if s is not None]
    return Template(_resource("page.html")).substitute(
        kind=text(p.kind),
        title=text(p.title),
        policy=text(f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"),
        style=style,
        script=script,
        definitions=definitions(),
        question=text(p.question),
        traffic=p.traffic,
        recommendation=p.recommendation,
        contents=_contents(found),
        sections="\n".join(s.html for s in found),
        footer=p.footer,
    )


def _contents(found: Sequence[Section]) -> Html:
    links = [tag("li", tag("a", s.short, href=f"#{s.identifier}")) for s in found]
    return tag("nav", tag("ul", *links), aria_label="Contents")


def _resource(name: str) -> str:
    return files("stackwright.web").joinpath(name).read_text(encoding="utf-8")
