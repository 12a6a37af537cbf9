"""Tabs of one page: a strip of links, and panels of which the style shows the one that the address names.

Without a script the links work as links; `page.js` adds the roles of a tab list and the arrow keys. On paper, and in a
browser without `:has()`, all panels stand one after the other under their titles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stackwright.web.markup import Html, join, tag


@dataclass(frozen=True)
class Section:
    """A section with its address and its name in the table of contents."""

    identifier: str
    short: str
    html: Html


@dataclass(frozen=True)
class Tab:
    """A tab: its address (`style.css` knows each by name), its label, the title of its panel, its sections."""

    identifier: str
    label: str
    title: str
    sections: tuple[Section, ...]


def section(identifier: str, short: str, title: str, *content: object, lead: object = None) -> Section:
    """A titled section."""
    opening = tag("p", lead, class_="lead") if lead else None
    return Section(identifier, short, tag("section", tag("h3", title), opening, *content, id=identifier))


def tab(identifier: str, label: str, title: str, sections: Iterable[Section | None]) -> Tab | None:
    """A tab of the sections that there are; None where there is none."""
    found = tuple(s for s in sections if s is not None)
    return Tab(identifier, label, title, found) if found else None


def strip(tabs: Sequence[Tab]) -> Html:
    """The links to the panels; nothing where there is one panel only."""
    if len(tabs) < 2:
        return Html("")
    links = [tag("li", tag("a", t.label, href=f"#{t.identifier}", id=f"tab-{t.identifier}")) for t in tabs]
    return tag("nav", tag("ul", *links), class_="tabs", aria_label="Parts of the report")


def panels(tabs: Sequence[Tab]) -> Html:
    """The panels in order."""
    named = len(tabs) > 1
    return join(*(_panel(t, named) for t in tabs), sep="\n")


def _panel(t: Tab, named: bool) -> Html:
    return tag(
        "div",
        tag("h2", t.title, class_="panel-title"),
        _contents(t),
        *(s.html for s in t.sections),
        id=t.identifier,
        class_="panel",
        aria_labelledby=f"tab-{t.identifier}" if named else None,
        role="region" if named else None,
    )


def _contents(t: Tab) -> Html | None:
    if len(t.sections) < 3:
        return None
    links = [tag("li", tag("a", s.short, href=f"#{s.identifier}")) for s in t.sections]
    return tag("nav", tag("ul", *links), class_="contents", aria_label=f"Contents of {t.label}")
