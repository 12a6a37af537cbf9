"""HTML from Python values, escaped by construction: only what `tag` made counts as markup, all else is text."""

from __future__ import annotations

import html
import re

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Html(str):
    """Text that is markup already; made by `tag`, `text` and `join` only."""

    __slots__ = ()


def text(value: object) -> Html:
    """A value as escaped text; markup passes unchanged, nothing at all becomes the empty string.

    >>> text("a < b & c")
    'a &lt; b &amp; c'
    """
    if isinstance(value, Html):
        return value
    if value is None:
        return Html("")
    clean = _CONTROL.sub(" ", str(value)).encode("utf-8", "replace").decode("utf-8")
    return Html(html.escape(clean, quote=True))


def join(*parts: object, sep: str = "") -> Html:
    """Values one after the other, escaped; `sep` is escaped too."""
    return Html(text(sep).join(text(p) for p in parts if p is not None))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """One element. A trailing underscore is dropped from attribute names, others become hyphens; None is left out.

    >>> tag("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{join(*children)}</{name}>")
