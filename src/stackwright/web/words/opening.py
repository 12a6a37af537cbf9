"""What stands above the tabs: the question, the traffic, and the answer in sentences, for each kind of document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stackwright.web.markup import Html, join, tag
from stackwright.web.words import names, sentences
from stackwright.web.words.numbers import figure, finite, probability, spread, usd_per_mtok

Document = dict[str, Any]


@dataclass(frozen=True)
class Opening:
    """The head of a report; `kept` is false where nothing keeps the promise."""

    kind: str
    title: str
    question: str
    answer: tuple[Html, ...]
    kept: bool


def opening(document: Document) -> Opening:
    """The head for a plan, a choice of model or a comparison of ecosystems."""
    if isinstance(document.get("compare"), list):
        return _ecosystems(document)
    return _choice(document) if "choice" in document else _plan(document)


def _plan(document: Document) -> Opening:
    return Opening(
        kind="Stackwright plan",
        title=f"Stackwright plan: {names.model_name(str(document['question']['model']))}",
        question=sentences.question(document),
        answer=tuple(sentences.recommendation(document)),
        kept=any(p["meets_slo"] for p in document.get("plans", [])),
    )


def _choice(document: Document) -> Opening:
    q, options = document["question"], document["choice"]
    asked = [*dict.fromkeys(names.model_name(str(o["model"])) for o in [*options, *document.get("refused", ())])]
    which = (
        f"Which of {', '.join(asked[:-1])} and {asked[-1]}" if 1 < len(asked) <= 6 else f"Which of {len(asked)} models"
    )
    words = [which, "serves this best", sentences.load(q["workload"])]
    promised = sentences.promise(document)
    return Opening(
        kind="Stackwright choice of model",
        title="Stackwright: choice of model",
        question=" ".join(w for w in (*words, f"with {promised}" if promised else "") if w) + "?",
        answer=_ways(options, "The cheapest on rented chips that keeps the promise is "),
        kept=any(o["meets_slo"] for o in options),
    )


def _ecosystems(document: Document) -> Opening:
    rows = [r for r in document["compare"] if r["best"]]
    lines = list(_ways([r["best"] for r in rows], "The cheapest on rented chips that keeps the promise is ", rows))
    close = [v for v in document.get("verdicts", ()) if "too close to say" in v]
    pairs = len(document.get("verdicts", ()))
    if pairs:
        lines.append(
            join(
                tag("b", f"{pairs - len(close)} of {pairs} pairs"),
                " of ecosystems can be told apart in cost with more than 90\u00a0% probability.",
                f" Too close to say: {len(close)}, listed below." if close else "",
            )
        )
    missing = [str(r["ecosystem"]) for r in document["compare"] if not r["best"]]
    if missing:
        lines.append(join("No way at all: ", ", ".join(missing), "."))
    return Opening(
        kind="Stackwright comparison of ecosystems",
        title=f"Stackwright: {document['question'].get('name', 'ecosystems')}",
        question=str(document["question"].get("name", "Ecosystem against ecosystem")),
        answer=tuple(lines),
        kept=any(r["best"]["meets_slo"] for r in rows),
    )


def _ways(options: Sequence[Document], start: str, rows: Sequence[Document] = ()) -> tuple[Html, ...]:
    """The cheapest rented way that keeps the promise, the cheapest by API, the best score."""
    of = {id(r["best"]): f"in “{r['ecosystem']}”: " for r in rows}
    rented = next((o for o in options if o["meets_slo"]), None)
    by_api = min((o for o in options if o["kind"] == "api"), key=_cost, default=None)
    able = [o for o in options if o["meets_slo"] is not False and o.get("quality")]
    best = max(able, key=lambda o: (float(o["quality"]["score"]), -_cost(o)), default=None)
    lines = [
        join(start, of.get(id(rented), ""), _way(rented))
        if rented
        else join("Nothing found on rented chips keeps the promise reliably.")
    ]
    if by_api is not None:
        lines.append(join(tag("b", "By API"), " the cheapest is ", of.get(id(by_api), ""), _way(by_api)))
    if best is not None and best is not rented and best is not by_api:
        lines.append(join(tag("b", "The highest score"), " has ", of.get(id(best), ""), _way(best)))
    return tuple(lines)


def _way(o: Document) -> Html:
    p, f, score = o.get("plan"), figure(o.get("usd_per_mtok_output")), o.get("quality")
    name = names.model_name(str(o["model"]))
    if p:
        place = join(
            tag("b", f"{name} ({names.precision(p)})"), " on ", tag("b", names.chips(p)),
            f" at {names.provider(p)} with ",
            tag("b", names.engine(p)),
        )  # fmt: skip
    else:
        place = join(tag("b", name), " from ", tag("b", str(o["how"])))
    ends = spread(f, usd_per_mtok)
    interval = f" (90\u00a0% interval {ends})" if ends else ""
    promise = (
        f", promise kept with {probability(finite(o['p_meets_slo']))} probability"
        if o.get("p_meets_slo") is not None
        else ", latency not known"
    )
    points = f", score {score['score']:g}" if score else ""
    cost = tag("b", f"{usd_per_mtok(f.value)}\u00a0USD per million output tokens")
    return join(place, ": ", cost, interval, promise, points, ".")


def _cost(o: Document) -> float:
    value = figure(o.get("usd_per_mtok_output")).value
    return float("inf") if value is None else value
