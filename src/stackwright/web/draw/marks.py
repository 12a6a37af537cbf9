"""One colour and one shape per chip maker, so that a chart reads without colour too (Okabe and Ito's palette)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stackwright.web.markup import Html, join, tag

_KNOWN = {"NVIDIA": 0, "AMD": 1, "Google": 2, "AWS": 3, "Intel": 4, "Microsoft": 5}
_SHAPES = (
    "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0z",
    "M-3.1 -3.1h6.2v6.2h-6.2z",
    "M0 -4.4L4.4 0L0 4.4L-4.4 0z",
    "M0 -4.1L4 3.1H-4z",
    "M0 4.1L4 -3.1H-4z",
    "M-1.4 -4h2.8v2.6h2.6v2.8h-2.6v2.6h-2.8v-2.6h-2.6v-2.8h2.6z",
    "M-4.6 -2.4h9.2v4.8h-9.2z",
    "M-2.4 -4.6h4.8v9.2h-4.8z",
)


def slots(vendors: Iterable[str]) -> dict[str, int]:
    """Slot (colour and shape) of each maker, makers in order of appearance; unknown ones take the free slots."""
    found: dict[str, int] = {}
    spare = list(range(len(_KNOWN), len(_SHAPES))) + [i for v, i in _KNOWN.items()]
    for vendor in vendors:
        if vendor not in found:
            known = _KNOWN.get(vendor)
            extra = sum(1 for v in found if v not in _KNOWN)
            found[vendor] = spare[extra % len(spare)] if known is None else known
    return found


def definitions() -> Html:
    """The shapes, to be put once into the page; `use` refers to them."""
    shapes = [tag("path", id=f"m{i}", d=d) for i, d in enumerate(_SHAPES)]
    return tag("svg", tag("defs", *shapes), class_="defs", width=0, height=0, aria_hidden="true")


def mark(slot: int, x: str, y: float, *, solid: bool = True, tip: str = "") -> Html:
    """A marker inside an SVG; `x` may be a percentage. Hollow where the promise is not kept."""
    title = tag("title", tip) if tip else None
    return tag("use", title, href=f"#m{slot}", x=x, y=f"{y:.4g}", class_=f"v{slot}{'' if solid else ' hollow'}")


def swatch(slot: int, *, solid: bool = True) -> Html:
    """A marker inside text."""
    return tag("svg", mark(slot, "6", 6, solid=solid), class_="swatch", width=12, height=12, aria_hidden="true")


def legend(entries: Mapping[str, int], *extra: Html) -> Html:
    """The key of a chart: makers, then whatever else it explains."""
    makers = [tag("li", swatch(slot), vendor) for vendor, slot in entries.items()]
    return tag("ul", join(*makers), *extra, class_="legend")
