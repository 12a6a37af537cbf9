"""Parts of a page, each a function from words or a document to markup; no part knows the page it stands on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stackwright.web.markup import Html, join, tag


@dataclass(frozen=True)
class Column:
    """A column of a table: its head, the unit under it, and whether it holds numbers."""

    head: str
    unit: str = ""
    number: bool = False

    @property
    def css(self) -> str | None:
        """Class of the column's cells."""
        return "n" if self.number else None


@dataclass(frozen=True)
class Row:
    """Cells of one row; `group` is a heading that spans the table instead."""

    cells: tuple[object, ...] = ()
    css: str | None = None
    group: str = ""


def tile(name: str, value: str, unit: str = "", note: object = None, chart: Html | None = None) -> Html:
    """A key figure."""
    return tag(
        "div",
        tag("dt", name),
        tag("dd", tag("span", value, class_="value"), " ", tag("span", unit, class_="unit"), class_="figure"),
        tag("dd", chart) if chart else None,
        tag("dd", note, class_="muted note") if note else None,
        class_="tile",
    )


def tiles(entries: Iterable[Html]) -> Html:
    """Key figures side by side."""
    return tag("dl", *entries, class_="tiles")


def table(columns: Sequence[Column], rows: Iterable[Row], css: str = "", label: str = "") -> Html:
    """A table that scrolls sideways on a narrow screen."""
    head = tag(
        "tr",
        *(tag("th", c.head, tag("small", c.unit) if c.unit else None, class_=c.css, scope="col") for c in columns),
    )
    body = []
    for row in rows:
        if row.group:
            body.append(tag("tr", tag("th", row.group, colspan=len(columns), scope="colgroup"), class_="group"))
            continue
        cells = zip(columns, row.cells, strict=True)
        body.append(tag("tr", *(tag("td", cell, class_=c.css) for c, cell in cells), class_=row.css))
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", *body), class_=css or None),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=label or "table",
    )


def two_lines(first: object, second: object) -> Html:
    """A cell with a muted second line."""
    return join(tag("div", first), tag("div", second, class_="muted")) if second else tag("div", first)


def badge(words: str, kind: str = "") -> Html:
    """A short mark beside a word."""
    return tag("span", words, class_=f"badge {kind}".strip())


def code_block(code: str) -> Html:
    """A command to copy; the button shows itself where there is a script."""
    button = tag("button", "Copy", type="button", class_="copy", hidden="hidden")
    return tag("div", button, tag("pre", tag("code", code), tabindex=0), class_="code")


def fold(summary: object, *content: object) -> Html:
    """Content behind one line."""
    return tag("details", tag("summary", summary), *content)


def bullets(entries: Iterable[object]) -> Html:
    """A list."""
    return tag("ul", *(tag("li", e) for e in entries), class_="list")


def paragraph(*content: object, css: str | None = None) -> Html:
    """A paragraph."""
    return tag("p", *content, class_=css)
