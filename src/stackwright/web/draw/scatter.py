"""Quality against cost: one mark per way to have a model, circles for rented chips and diamonds for APIs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stackwright.web.draw.labels import spread
from stackwright.web.draw.marks import mark, swatch
from stackwright.web.draw.scales import LinearScale, LogScale, linear_scale, log_scale
from stackwright.web.draw.tracks import percent_at, scrolling
from stackwright.web.markup import Html, join, tag
from stackwright.web.words.numbers import Figure, significant

RENTED, API = 0, 2
_HEIGHT = 380.0


@dataclass(frozen=True)
class Dot:
    """One way to have a model: USD per million output tokens, score, by API or not, words to read and to hover.

    `keeps`: whether the promise is kept, None where the latency is not known; `first`: nothing is better in all.
    """

    model: str
    how: str
    cost: Figure
    score: float
    by_api: bool
    keeps: bool | None
    first: bool
    tip: str


@dataclass(frozen=True)
class _Axes:
    x: LogScale
    y: LinearScale

    def left(self, d: Dot) -> float:
        return self.x.at(d.cost.value or 0.0)

    def top(self, score: float) -> float:
        return _HEIGHT * (1.0 - self.y.at(score) / 100.0)


def quality_chart(dots: Sequence[Dot], benchmark: str) -> Html:
    """The chart with its key; `dots` have a cost and a score each."""
    costs = [v for d in dots for v in (d.cost.value, d.cost.low, d.cost.high) if v is not None]
    axes = _Axes(log_scale(costs), linear_scale(d.score for d in dots))
    return join(
        _key(dots),
        scrolling(
            tag("div", f"{benchmark}, higher is better", class_="axis-title y"),
            _models(axes, dots),
            _plot(axes, dots, benchmark),
            _y_axis(axes),
            _x_axis(axes),
            tag("div", "USD per million output tokens (log), cheaper to the left", class_="axis-title x"),
            kind="quality",
        ),
    )


def staircase(dots: Sequence[Dot]) -> list[Dot]:
    """The ways that no cheaper one equals in score, cheapest first; those that miss the promise stay out."""
    able = sorted((d for d in dots if d.keeps is not False), key=lambda d: (d.cost.value or 0.0, -d.score))
    found: list[Dot] = []
    for d in able:
        if not found or d.score > found[-1].score:
            found.append(d)
    return found


def _plot(axes: _Axes, dots: Sequence[Dot], benchmark: str) -> Html:
    grid = [
        tag("line", x1=percent_at(axes.x.at(t)), x2=percent_at(axes.x.at(t)), y1=0, y2=_HEIGHT, class_="grid")
        for t in axes.x.ticks()
    ] + [tag("line", x1=0, x2="100%", y1=axes.top(t), y2=axes.top(t), class_="grid") for t in axes.y.ticks()]
    best = staircase(dots)
    groups = [
        tag("g", *(_marks(axes, d) for d in dots if d.model == model), class_="chip", data_chip=model)
        for model in dict.fromkeys(d.model for d in dots)
    ]
    return tag(
        "svg",
        *grid,
        _steps(axes, best),
        *groups,
        _captions(axes, best),
        class_="plot",
        height=_HEIGHT,
        role="img",
        aria_label=f"{benchmark} against cost for {len(dots)} ways to have a model; the table below lists them.",
    )


def _marks(axes: _Axes, d: Dot) -> Html:
    top, slot = axes.top(d.score), API if d.by_api else RENTED
    whisker = None
    if d.cost.low is not None and d.cost.high is not None and d.cost.low < d.cost.high:
        whisker = tag(
            "line", x1=percent_at(axes.x.at(d.cost.low)), x2=percent_at(axes.x.at(d.cost.high)), y1=f"{top:.4g}",
            y2=f"{top:.4g}", class_=f"whisker s{slot}",
        )  # fmt: skip
    ring = tag("circle", cx=percent_at(axes.left(d)), cy=f"{top:.4g}", r=8, class_="chosen") if d.first else None
    return join(whisker, ring, mark(slot, percent_at(axes.left(d)), top, solid=d.keeps is not False, tip=d.tip))


def _steps(axes: _Axes, best: Sequence[Dot]) -> Html | None:
    """The best score for the money, as a step line to the right edge."""
    if not best:
        return None
    corners = [(axes.left(best[0]), axes.top(best[0].score))]
    for before, d in pairwise(best):
        corners += [(axes.left(d), axes.top(before.score)), (axes.left(d), axes.top(d.score))]
    corners.append((100.0, corners[-1][1]))
    path = " ".join(f"{10 * x:.1f},{y:.1f}" for x, y in corners)
    line = tag("polyline", points=path, class_="line front", vector_effect="non-scaling-stroke")
    return tag(
        "svg", line, viewBox=f"0 0 1000 {_HEIGHT:g}", preserveAspectRatio="none", width="100%", height=_HEIGHT,
        class_="stretch",
    )  # fmt: skip


def _captions(axes: _Axes, best: Sequence[Dot]) -> Html:
    """Names in words at the corners of the step line, below the point; from the right edge they run to the left."""
    order = sorted(best, key=lambda d: -d.score)
    tops = spread([axes.top(d.score) + 22.0 for d in order], bottom=_HEIGHT - 4.0)
    found = []
    for d, top in zip(order, tops, strict=True):
        flip = axes.left(d) > 60.0
        found.append(
            tag("text", f"{d.model}, {d.how}", x=percent_at(axes.left(d)), dx=-4 if flip else 4, y=f"{top:.4g}",
                text_anchor="end" if flip else "start", class_="ink")
        )  # fmt: skip
    return join(*found)


def _models(axes: _Axes, dots: Sequence[Dot]) -> Html:
    scores = sorted({d.model: d.score for d in dots}.items(), key=lambda entry: -entry[1])
    tops = spread([axes.top(score) for _, score in scores], bottom=_HEIGHT - 6.0)
    marks = [
        tag("text", _short(model), x="100%", dx=-8, y=f"{top + 4:.4g}", text_anchor="end", data_chip=model)
        for (model, _), top in zip(scores, tops, strict=True)
    ]
    return tag("svg", *marks, class_="labels", height=_HEIGHT, aria_hidden="true")


def _short(model: str, most: int = 24) -> str:
    return model if len(model) <= most else model[: most - 1] + "…"


def _y_axis(axes: _Axes) -> Html:
    marks = [tag("text", f"{t:g}", x=6, y=f"{axes.top(t) + 4:.4g}") for t in axes.y.ticks()]
    return tag("svg", *marks, class_="y-axis", height=_HEIGHT, aria_hidden="true")


def _x_axis(axes: _Axes) -> Html:
    marks = [
        tag("text", significant(t, 1), x=percent_at(axes.x.at(t)), y=14, text_anchor="middle") for t in axes.x.ticks()
    ]
    return tag("svg", *marks, class_="x-axis", height=18, aria_hidden="true")


def _key(dots: Sequence[Dot]) -> Html:
    ring = tag("svg", tag("circle", cx=9, cy=9, r=7, class_="chosen"), width=18, height=18)
    step = tag("svg", tag("line", x1=0, x2=22, y1=6, y2=6, class_="line front"), width=22, height=12)
    entries = []
    if any(not d.by_api for d in dots):
        entries.append(tag("li", swatch(RENTED), "circle: open model on rented chips"))
    if any(not d.by_api and d.keeps is False for d in dots):
        entries.append(tag("li", swatch(RENTED, solid=False), "hollow: misses the promise"))
    if any(d.by_api for d in dots):
        entries.append(tag("li", swatch(API), "diamond: by API, latency not known"))
    entries += [tag("li", ring, "ring: nothing compared is better"), tag("li", step, "best score for the money")]
    return tag("ul", *entries, class_="legend")
