"""Charts of one line each: intervals on a common axis, latency against its limit, stacked and stepped bars.

Drawn as SVG with horizontal positions in percent and text outside, so that they stretch to any width and keep their
letters; hovering shows the `title` of a mark, with or without the script.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stackwright.web.draw.marks import legend, mark, slots, swatch
from stackwright.web.draw.scales import LogScale, log_scale
from stackwright.web.markup import Html, join, tag
from stackwright.web.words import names
from stackwright.web.words.numbers import (
    ABSENT,
    Figure,
    between,
    figure,
    finite,
    limit,
    seconds,
    significant,
    spread,
    usd_per_mtok,
)

_ROW_HEIGHT = 26
Document = dict[str, Any]


def percent_at(x: float) -> str:
    """A position as an SVG percentage."""
    return f"{x:.4g}%"


def track(*marks: object, height: int = _ROW_HEIGHT, label: str = "") -> Html:
    """One row of a chart; `label` is what a screen reader says."""
    hidden = None if label else "true"
    role = "img" if label else None
    return tag("svg", *marks, class_="track", height=height, role=role, aria_label=label or None, aria_hidden=hidden)


def scrolling(*parts: object, kind: str = "") -> Html:
    """A chart with labels and axes around it, which scrolls sideways on a narrow screen."""
    chart = tag("div", *parts, class_=f"pareto {kind}".strip())
    return tag("div", chart, class_="chart", tabindex=0, role="region", aria_label="chart")


def cost_scale(plans: Sequence[Document]) -> LogScale:
    """The common axis of USD per million output tokens of several plans."""
    figures = [figure(p.get("usd_per_mtok_output")) for p in plans]
    return log_scale(v for f in figures for v in (f.value, f.low, f.high) if v is not None)


def interval_marks(
    f: Figure, scale: LogScale, slot: int, *, solid: bool, height: int = _ROW_HEIGHT, tip: str = ""
) -> Html:
    """Whisker from low to high and a marker at the value."""
    if f.value is None:
        return Html("")
    middle = height / 2.0
    whisker = None
    if f.low is not None and f.high is not None:
        whisker = tag(
            "line",
            x1=percent_at(scale.at(f.low)),
            x2=percent_at(scale.at(f.high)),
            y1=middle,
            y2=middle,
            class_=f"whisker s{slot}",
        )
    return join(whisker, mark(slot, percent_at(scale.at(f.value)), middle, solid=solid, tip=tip))


@dataclass(frozen=True)
class CostRow:
    """One row of a cost chart: its name, its figure (USD per million output tokens), its mark, words to hover."""

    name: Html
    cost: Figure
    slot: int
    solid: bool
    tip: str


def cost_rows(rows: Sequence[CostRow]) -> Html:
    """Costs with their intervals on one log axis."""
    scale = log_scale(v for r in rows for v in (r.cost.value, r.cost.low, r.cost.high) if v is not None)
    grid = join(*(_grid_line(scale.at(t)) for t in scale.ticks()))
    cells = []
    for r in rows:
        interval = spread(r.cost, usd_per_mtok)
        shown = join(tag("b", usd_per_mtok(r.cost.value)), " ", tag("span", interval, class_="muted"))
        marks = interval_marks(r.cost, scale, r.slot, solid=r.solid, tip=r.tip)
        cells += [
            tag("div", r.name, class_="name"),
            tag("div", shown, class_="num"),
            track(grid, marks, label=r.tip),
        ]
    axis = axis_row([(scale.at(t), significant(t, 1)) for t in scale.ticks()])
    return join(
        tag("div", *cells, axis, class_="rows roomy"),
        tag("p", "USD per million output tokens (log axis); line: 90 % interval.", class_="caption"),
    )


def cost_chart(plans: Sequence[Document]) -> Html:
    """USD per million output tokens of every plan with its interval, on one log axis."""
    colours = slots(str(p["stack"]["vendor"]) for p in plans)
    rows = []
    for p in plans:
        f, slot = figure(p.get("usd_per_mtok_output")), colours[str(p["stack"]["vendor"])]
        words = f"{names.chips(p)}, {names.place(p)}: {usd_per_mtok(f.value)} USD per million output tokens"
        cloud = tag("span", names.provider(p), class_="muted")
        name = join(tag("span", f"{p['rank']}", class_="rank"), names.chip_short(p), " ", cloud)
        rows.append(CostRow(name, f, slot, bool(p["meets_slo"]), words))
    hollow = tag("li", swatch(0, solid=False), "hollow: misses the promise")
    extra = () if all(p["meets_slo"] for p in plans) else (hollow,)
    return join(legend(colours, *extra), cost_rows(rows))


def axis_row(ticks: Sequence[tuple[float, str]]) -> Html:
    """Labels under the tracks; those at the ends stay inside."""
    marks = []
    for position, words in ticks:
        anchor = "start" if position < 2.0 else "end" if position > 98.0 else "middle"
        marks.append(tag("text", words, x=percent_at(position), y=13, text_anchor=anchor))
    return track(*marks, height=18)


@dataclass(frozen=True)
class Latency:
    """A predicted percentile of a latency and the limit promised for it, seconds."""

    name: str
    predicted: Figure
    promised: float | None

    @property
    def share(self) -> float | None:
        """Predicted value as a share of the limit."""
        value = self.predicted.value
        return None if value is None or not self.promised else value / self.promised


def latencies(plan: Document, document: Document) -> list[Latency]:
    """TTFT and TPOT at the promised percentile against their limits."""
    slo, p = document["question"]["slo"], names.percentile(document)
    return [
        Latency(f"{p} {name.upper()}", figure(plan.get(f"{name}_{p}_s")), finite(slo.get(f"{name}_s")))
        for name in ("ttft", "tpot")
    ]


def latency_track(x: Latency, height: int = _ROW_HEIGHT) -> Html:
    """The predicted latency with its interval on an axis from zero, the limit as a bar across."""
    f = x.predicted
    if f.value is None:
        return Html("")
    high = f.high if f.high is not None else f.value
    end = max((x.promised or 0.0) * 1.12, min(high * 1.08, 4.0 * (x.promised or high)), f.value * 1.08)
    at = _linear(end)
    middle = height / 2.0
    kept = x.promised is None or f.value <= x.promised
    words = f"{x.name} {seconds(f.value)}, interval {between(f, seconds) or ABSENT}"
    parts = [tag("rect", x=0, y=middle - 4, width="100%", height=8, class_="groove")]
    if x.promised is not None:
        words += f", limit {limit(x.promised)}"
        parts += [
            tag("rect", x=0, y=middle - 4, width=at(x.promised), height=8, class_="allowed"),
            tag("line", x1=at(x.promised), x2=at(x.promised), y1=middle - 9, y2=middle + 9, class_="limit"),
        ]
    if f.low is not None:
        parts.append(tag("line", x1=at(f.low), x2=at(high), y1=middle, y2=middle, class_="whisker ink"))
    parts.append(
        tag("circle", tag("title", words), cx=at(f.value), cy=middle, r=4.2, class_="dot" if kept else "dot over")
    )
    return track(*parts, height=height, label=words)


def stacked_track(parts: Sequence[tuple[str, float]], show: Callable[[float | None], str]) -> Html:
    """Parts of a whole side by side."""
    total = sum(v for _, v in parts)
    at, start, marks = _linear(total), 0.0, []
    for i, (name, value) in enumerate(parts):
        title = tag("title", f"{name}: {show(value)}")
        marks.append(tag("rect", title, x=at(start), y=4, width=at(value), height=18, class_=f"part p{i}"))
        start += value
    return track(*marks, label=", ".join(f"{name} {show(value)}" for name, value in parts))


def step_track(start: float, value: float, total: float, kind: str, tip: str) -> Html:
    """One step of a waterfall: a bar that begins where the one before ended."""
    at = _linear(total)
    bar = tag("rect", tag("title", tip), x=at(start), y=4, width=at(value), height=18, class_=f"part {kind}")
    edge = tag("line", x1=at(start + value), x2=at(start + value), y1=4, y2=_ROW_HEIGHT, class_="edge")
    return track(tag("line", x1=0, x2=0, y1=0, y2=_ROW_HEIGHT, class_="edge"), bar, edge, label=tip)


def _linear(end: float) -> Callable[[float], str]:
    return lambda x: percent_at(100.0 * min(max(x / end if end > 0.0 else 0.0, 0.0), 1.0))


def _grid_line(position: float) -> Html:
    return tag("line", x1=percent_at(position), x2=percent_at(position), y1=0, y2=_ROW_HEIGHT, class_="grid")
