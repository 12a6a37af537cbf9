"""A page read back: elements, attributes and visible text."""

from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser
from typing import Any

from stackwright.web import render_report

DAY = dt.date(2026, 7, 1)
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Elements, attributes and visible text of a page; complains about tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.panel = ""
        self.panel_of: dict[str, str] = {}
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {k: v or "" for k, v in attrs}
        assert len(found) == len(attrs)
        self.elements.append((tag, found))
        if found.get("class") == "panel":
            self.panel = found["id"]
        if "id" in found:
            self.panel_of[found["id"]] = self.panel
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def attributes(self) -> list[tuple[str, str, str]]:
        return [(tag, k, v) for tag, found in self.elements for k, v in found.items()]

    @property
    def names(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    @property
    def text(self) -> str:
        return re.sub(r"[\s\u00a0]+", " ", " ".join(self.words))

    @property
    def sections(self) -> list[str]:
        return [found["id"] for tag, found in self.elements if tag == "section"]

    @property
    def panels(self) -> list[str]:
        return [found["id"] for _, found in self.elements if found.get("class") == "panel"]

    def by_id(self, identifier: str) -> tuple[str, dict[str, str]]:
        (found,) = [e for e in self.elements if e[1].get("id") == identifier]
        return found


def page(d: dict[str, Any]) -> Page:
    """The report of a document, read back; nothing absent may show as a value of the language."""
    found = Page(render_report(d, DAY))
    assert not re.search(r"\b(nan|NaN|None|inf|Infinity|null|True|False)\b", found.text)
    values = " ".join(v for tag, k, v in found.attributes if tag != "meta")
    assert not re.search(r"\b(nan|None|inf)\b", values)
    return found


def with_every_text(value: Any, text: str, key: str = "") -> Any:
    """The document with every text replaced, but for the kind of a way, which selects a form."""
    if isinstance(value, dict):
        return {k: with_every_text(v, text, k) for k, v in value.items()}
    if isinstance(value, list):
        return [with_every_text(v, text, key) for v in value]
    return text if isinstance(value, str) and key != "kind" else value
