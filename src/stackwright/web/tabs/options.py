"""Ways to have a model as rows of a table: rented stacks and APIs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stackwright.web.draw.marks import swatch
from stackwright.web.draw.scales import LogScale
from stackwright.web.draw.scatter import API, RENTED
from stackwright.web.draw.tracks import cost_scale, interval_marks, track
from stackwright.web.markup import Html, join, tag
from stackwright.web.parts import Column, Row, badge, table, two_lines
from stackwright.web.words import names
from stackwright.web.words.numbers import (
    ABSENT,
    figure,
    finite,
    probability,
    seconds,
    significant,
    spread,
    usd,
    usd_per_mtok,
)

Document = dict[str, Any]
Called = Mapping[tuple[object, object], str]
SURE = 0.9
_UNKNOWN = "not known"


def option_table(options: Sequence[Document], document: Document, label: str) -> Html:
    """Ways to have models, with cost on one axis; those of several ecosystems named by `ecosystem`."""
    p95, quality = names.percentile(document), document["question"].get("quality")
    ranked = all("ecosystem" not in o for o in options)
    columns = [
        Column("Model" if ranked else "Ecosystem"),
        Column("How", "rented chips or API"),
        *([Column(quality["benchmark"], quality["unit"], number=True)] if quality else []),
        Column("USD per Mtok out", "90 % interval"),
        Column("USD", "per month", number=True),
        Column(f"{p95} TTFT", f"{p95} TPOT", number=True),
        Column("Promise", "probability", number=True),
        *([Column("Beaten by")] if ranked else []),
    ]
    scale = cost_scale(options)
    called = {(o["model"], o["how"]): how(o) for o in [*document.get("choice", ()), *options]}
    rows = [_row(o, document, scale, called) for o in options]
    return table(columns, rows, css="options beaten" if ranked else "options", label=label)


def kind(o: Document) -> Html:
    """Rented chips or API, by shape and by word."""
    rented = o["kind"] == "self_hosted"
    return join(swatch(slot(o), solid=o["meets_slo"] is not False), "self-hosted" if rented else "API")


def slot(o: Document) -> int:
    """The mark of a way to have a model."""
    return RENTED if o["kind"] == "self_hosted" else API


def how(o: Document) -> str:
    """The stack or the seller in words."""
    p = o.get("plan")
    if not p:
        return str(o["how"])
    return f"{names.chips(p)}, {names.engine(p)} ({names.precision(p)}) at {names.provider(p)}"


def cost_words(o: Document) -> str:
    """Cost with its interval where there is one."""
    f = figure(o.get("usd_per_mtok_output"))
    interval = spread(f, usd_per_mtok)
    return usd_per_mtok(f.value) + (f" ({interval})" if interval else "")


def _beaten(o: Document, called: Called) -> str:
    """What is no worse in anything compared and better in something; empty where nothing is."""
    by = o.get("dominated_by")
    if by is None:
        return ""
    sure = "" if (finite(by.get("p_cheaper")) or 0.0) > SURE else "; which is cheaper is too close to say"
    other = called.get((by["model"], by["how"]), by["how"])
    return f"{names.model_name(str(by['model']))}, {other}, in {' and '.join(map(str, by['compared']))}{sure}"


def chart_tip(o: Document) -> str:
    """Words to hover on a mark."""
    promise = {True: "keeps the promise", False: "misses the promise", None: "latency not known"}[o["meets_slo"]]
    return f"{names.model_name(str(o['model']))}\n{how(o)}\n{cost_words(o)} USD per million output tokens\n{promise}"


def _row(o: Document, document: Document, scale: LogScale, called: Called) -> Row:
    p95, f, quality = names.percentile(document), figure(o.get("usd_per_mtok_output")), o.get("quality")
    bar = track(interval_marks(f, scale, slot(o), solid=o["meets_slo"] is not False, height=12), height=12)
    interval = spread(f, usd_per_mtok)
    batch = finite((o.get("api") or {}).get("usd_per_mtok_output_batch"))
    beside = f"batch {usd_per_mtok(batch)}" if batch is not None else interval
    latency = [seconds(figure(o.get(f"{name}_{p95}_s")).value) for name in ("ttft", "tpot")]
    model = names.model_name(str(o["model"]))
    best = badge("front") if o.get("on_front") else None
    score = [] if not document["question"].get("quality") else [_score(quality)]
    cells = (
        two_lines(o["ecosystem"], model) if "ecosystem" in o else two_lines(model, best),
        two_lines(kind(o), how(o)),
        *score,
        tag("div", tag("b", usd_per_mtok(f.value)), " ", tag("span", beside, class_="muted"), bar, class_="cost"),
        usd(finite(o.get("usd_per_month"))),
        two_lines(*latency) if o.get("plan") else _UNKNOWN,
        _UNKNOWN if o.get("p_meets_slo") is None else probability(finite(o["p_meets_slo"])),
        *([_beaten(o, called) or (ABSENT if not o.get("on_front") else "")] if "ecosystem" not in o else []),
    )
    return Row(cells, css="missed" if o["meets_slo"] is False else "first" if o.get("on_front") else None)


def _score(quality: Document | None) -> str:
    return ABSENT if quality is None else significant(finite(quality.get("score")))
