"""The Pareto chart: speed for one user against cost, one line per chip, colour and shape per chip maker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackwright.web.draw.labels import spread
from stackwright.web.draw.marks import legend, mark, slots, swatch
from stackwright.web.draw.scales import LogScale, log_scale
from stackwright.web.draw.tracks import percent_at, scrolling
from stackwright.web.markup import Html, join, tag
from stackwright.web.words import names
from stackwright.web.words.numbers import count, figure, finite, limit, seconds, significant, usd_per_mtok

_HEIGHT = 480.0
_DEAREST = 100.0  # points dearer than this many times the cheapest are left out
Document = dict[str, Any]


@dataclass(frozen=True)
class _Axes:
    x: LogScale
    y: LogScale

    def left(self, point: Document) -> float:
        return self.x.at(point["tokens_per_s_per_user"])

    def top(self, usd_per_mtok: float) -> float:
        return _HEIGHT * (1.0 - self.y.at(usd_per_mtok) / 100.0)


def pareto_chart(document: Document) -> Html | None:
    """Operating points of every priced chip; None where the document has none."""
    every = [p for p in document.get("front", ()) if _positive(p)]
    if not every:
        return None
    first = _recommended(document)
    dearest = max(
        _DEAREST * min(p["usd_per_mtok_output"] for p in every), 2.0 * first["usd_per_mtok_output"] if first else 0.0
    )
    points = [p for p in every if p["usd_per_mtok_output"] <= dearest]
    shown = points + ([first] if first else [])
    axes = _Axes(
        log_scale(p["tokens_per_s_per_user"] for p in shown), log_scale(p["usd_per_mtok_output"] for p in shown)
    )
    by_chip: dict[str, list[Document]] = {}
    for p in sorted(points, key=lambda p: (p["chip"], p["tokens_per_s_per_user"])):
        by_chip.setdefault(p["chip"], []).append(p)
    colours = slots(sorted({str(p["vendor"]) for p in points}))
    called = {p["stack"]["chip"]: names.chip_short(p) for p in _plans(document)}
    return join(
        _key(colours, first is not None),
        scrolling(
            tag("div", "USD per million output tokens (log)", class_="axis-title y"),
            _labels(axes, by_chip, colours),
            _plot(document, axes, by_chip, colours, called, first, dearest),
            _y_axis(axes),
            _x_axis(axes),
            tag("div", "tokens per second for one user (log), faster to the right", class_="axis-title x"),
        ),
        _caption(len(every) - len(points), dearest),
    )


def front_points(document: Document) -> list[Document]:
    """Points no chip beats in both directions, slowest first."""
    found = [p for p in document.get("front", ()) if p.get("on_front") and _positive(p)]
    return sorted(found, key=lambda p: float(p["tokens_per_s_per_user"]))


def _plot(
    document: Document,
    axes: _Axes,
    by_chip: Mapping[str, Sequence[Document]],
    colours: Mapping[str, int],
    called: Mapping[str, str],
    first: Document | None,
    dearest: float,
) -> Html:
    grid = [
        tag("line", x1=percent_at(axes.x.at(t)), x2=percent_at(axes.x.at(t)), y1=0, y2=_HEIGHT, class_="grid")
        for t in axes.x.ticks()
    ] + [tag("line", x1=0, x2="100%", y1=axes.top(t), y2=axes.top(t), class_="grid") for t in axes.y.ticks()]
    tops = _label_tops(axes, by_chip)
    chips = []
    for chip, points in by_chip.items():
        slot, end = colours[str(points[0]["vendor"])], points[0]
        leader = tag(
            "line", x1=percent_at(axes.left(end)), y1=f"{axes.top(end['usd_per_mtok_output']):.4g}",
            x2=0, y2=f"{tops[chip]:.4g}", class_=f"leader s{slot}",
        )  # fmt: skip
        marks = [
            mark(
                slot, percent_at(axes.left(p)), axes.top(p["usd_per_mtok_output"]), solid=bool(p["meets_slo"]),
                tip=_tip(p, called),
            )
            for p in points
        ]  # fmt: skip
        chips.append(tag("g", leader, _line(axes, points, f"s{slot}"), *marks, class_="chip", data_chip=chip))
    front = _line(axes, [p for p in front_points(document) if p["usd_per_mtok_output"] <= dearest], "front")
    words = f"Speed for one user against cost for {len(by_chip)} chips; the table below lists the best points."
    return tag(
        "svg",
        *grid,
        _limit_line(document, axes),
        front,
        *chips,
        _first_mark(axes, first),
        class_="plot",
        height=_HEIGHT,
        role="img",
        aria_label=words,
    )


def _line(axes: _Axes, points: Sequence[Document], kind: str) -> Html:
    """A line through points, in its own coordinates so that it stretches with the plot."""
    path = " ".join(f"{10 * axes.left(p):.1f},{axes.top(p['usd_per_mtok_output']):.1f}" for p in points)
    line = tag("polyline", points=path, class_=f"line {kind}", vector_effect="non-scaling-stroke")
    return tag(
        "svg", line, viewBox=f"0 0 1000 {_HEIGHT:g}", preserveAspectRatio="none", width="100%", height=_HEIGHT,
        class_="stretch",
    )  # fmt: skip


def _limit_line(document: Document, axes: _Axes) -> Html | None:
    tpot = finite(document["question"]["slo"].get("tpot_s"))
    if not tpot or not axes.x.low < 1.0 / tpot < axes.x.high:
        return None
    x = axes.x.at(1.0 / tpot)
    flip = x > 60.0
    words = f"TPOT limit {limit(tpot)} = {1.0 / tpot:.3g} tokens/s"
    return join(
        tag("line", x1=percent_at(x), x2=percent_at(x), y1=0, y2=_HEIGHT, class_="limit"),
        tag("text", words, x=percent_at(x), dx=-6 if flip else 6, y=12, text_anchor="end" if flip else "start"),
    )


def _first_mark(axes: _Axes, first: Document | None) -> Html | None:
    if first is None:
        return None
    x, y = percent_at(axes.left(first)), axes.top(first["usd_per_mtok_output"])
    tip = (
        f"{first['title']}, planned load\n{significant(first['tokens_per_s_per_user'])} tokens/s per user, "
        f"{usd_per_mtok(first['usd_per_mtok_output'])} USD per million output tokens"
    )
    return join(
        tag("circle", tag("title", tip), cx=x, cy=f"{y:.4g}", r=8, class_="chosen"),
        tag("circle", cx=x, cy=f"{y:.4g}", r=2.6, class_="chosen core"),
    )


def _y_axis(axes: _Axes) -> Html:
    marks = [tag("text", significant(t, 1), x=6, y=f"{axes.top(t) + 4:.4g}") for t in axes.y.ticks()]
    return tag("svg", *marks, class_="y-axis", height=_HEIGHT, aria_hidden="true")


def _x_axis(axes: _Axes) -> Html:
    marks = [
        tag("text", significant(t, 1), x=percent_at(axes.x.at(t)), y=14, text_anchor="middle") for t in axes.x.ticks()
    ]
    return tag("svg", *marks, class_="x-axis", height=18, aria_hidden="true")


def _labels(axes: _Axes, by_chip: Mapping[str, Sequence[Document]], colours: Mapping[str, int]) -> Html:
    marks = []
    for chip, top in _label_tops(axes, by_chip).items():
        slot = colours[str(by_chip[chip][0]["vendor"])]
        words = tag("text", chip, x="100%", dx=-17, y=f"{top + 4:.4g}", text_anchor="end", data_chip=chip)
        marks += [tag("svg", mark(slot, "-8", top), x="100%", class_="stretch"), words]
    return tag("svg", *marks, class_="labels", height=_HEIGHT, aria_hidden="true")


def _label_tops(axes: _Axes, by_chip: Mapping[str, Sequence[Document]]) -> dict[str, float]:
    """Heights of the labels: as near to the slow end of each line as they can be without touching each other."""
    wanted = {chip: axes.top(points[0]["usd_per_mtok_output"]) for chip, points in by_chip.items()}
    order = sorted(wanted, key=lambda chip: (wanted[chip], -axes.left(by_chip[chip][0])))
    return dict(zip(order, spread([wanted[chip] for chip in order], bottom=_HEIGHT - 6.0), strict=True))


def _key(colours: Mapping[str, int], has_first: bool) -> Html:
    ring = join(tag("circle", cx=9, cy=9, r=7, class_="chosen"), tag("circle", cx=9, cy=9, r=2.4, class_="chosen core"))
    extra = [
        tag("li", swatch(0), swatch(0, solid=False), "central prediction keeps / misses the promise"),
        tag(
            "li",
            tag("svg", tag("line", x1=0, x2=22, y1=6, y2=6, class_="line front"), width=22, height=12),
            "best of all chips",
        ),
    ]
    if has_first:
        extra.append(tag("li", tag("svg", ring, width=18, height=18), "recommended plan at the planned load"))
    return legend(colours, *extra)


def _caption(left_out: int, dearest: float) -> Html:
    words = (
        "Each point is one engine, precision, layout and load of one replica at the cheapest offer that holds it, "
        "before sizing for the traffic: the ranked plans cost more where replicas are not full."
    )
    if left_out:
        words += f" {left_out} points above {usd_per_mtok(dearest)} USD are not drawn."
    return tag("p", words, class_="caption")


def _tip(p: Document, called: Mapping[str, str]) -> str:
    name = called.get(p["chip"], p["chip"])
    where = names.provider_name(str(p["provider"]))
    precision = str(p["weight_precision"]).upper()
    speed = float(p["tokens_per_s_per_user"])
    front = ", best of all chips" if p.get("on_front") else ""
    return (
        f"{name} ({p['vendor']}) at {where}\n{names.engine_name(str(p['engine']))}, {precision}, {p['layout']}, "
        f"{count(p['concurrency'])} at once\n{significant(speed)} tokens/s per user "
        f"({seconds(1.0 / speed)} per token)\n{usd_per_mtok(p['usd_per_mtok_output'])} USD/Mtok\n"
        f"{'keeps' if p['meets_slo'] else 'misses'} the promise{front}"
    )


def _recommended(document: Document) -> Document | None:
    """The first plan as a point of this chart."""
    for p in document.get("plans", ())[:1]:
        tpot, cost = figure(p.get("tpot_mean_s")).value, figure(p.get("usd_per_mtok_output")).value
        if tpot and cost and tpot > 0.0 and cost > 0.0:
            return {
                "tokens_per_s_per_user": 1.0 / tpot,
                "usd_per_mtok_output": cost,
                "title": f"{names.chips(p)}, {names.engine(p)}",
            }
    return None


def _plans(document: Document) -> list[Document]:
    return [*document.get("plans", ()), *document.get("unpriced", ())]


def _positive(p: Document) -> bool:
    return all((finite(p.get(k)) or 0.0) > 0.0 for k in ("tokens_per_s_per_user", "usd_per_mtok_output"))
