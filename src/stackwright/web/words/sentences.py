"""The question, the recommendation and the caveats as sentences for somebody who runs no servers."""

from __future__ import annotations

from typing import Any

from stackwright.catalog import STALE_PRICE_DAYS
from stackwright.planner.evaluate import CONFIDENT
from stackwright.web.draw.tracks import latencies
from stackwright.web.markup import Html, join, tag
from stackwright.web.words import names
from stackwright.web.words.numbers import (
    between,
    count,
    figure,
    finite,
    limit,
    percent,
    probability,
    seconds,
    significant,
    usd,
    usd_per_mtok,
    usd_sum,
)

Document = dict[str, Any]

_OBJECTIVES = {
    "usd_per_mtok_output": "at the lowest cost per output token",
    "usd_per_mtok_total": "at the lowest cost per token",
    "expected_cost": "at the lowest cost with the expected penalty",
    "chips": "with the fewest chips",
    "energy": "with the least energy",
    "carbon": "with the least carbon",
    "tpot": "with the fastest output",
}
_LIMITS = {
    "chips": "chips",
    "vendors": "chip makers",
    "clouds": "clouds",
    "engines": "engines",
    "regions": "regions",
    "precisions": "precisions",
    "kv_precision": "KV cache",
    "ways": "ways of serving",
    "certified": "certified for",
    "have": "at hand",
}


def question(document: Document) -> str:
    """The question in one sentence."""
    q = document["question"]
    parts = [f"Which stack serves {names.model_name(str(q['model']))}"]
    served = load(q["workload"])
    if served:
        parts.append(served)
    promised = promise(document)
    if promised:
        parts.append(f"with {promised}")
    return " ".join(parts) + f" {_OBJECTIVES.get(str(q.get('objective')), 'best')}?"


def promise(document: Document) -> str:
    """The promise in words: `p95 TTFT ≤ 1 s and p95 TPOT ≤ 50 ms`; empty where nothing is promised."""
    slo, p = document["question"]["slo"], names.percentile(document)
    stated = [(n.upper(), finite(slo.get(f"{n}_s"))) for n in ("ttft", "tpot")]
    return " and ".join(f"{p} {name} ≤ {limit(most)}" for name, most in stated if most is not None)


def traffic(document: Document) -> Html:
    """The traffic and the restrictions, one line under the title."""
    q = document["question"]
    w = q["workload"]
    lengths = (
        f"Traffic “{w['name']}”: on average {count(w['input_tokens_mean'])} tokens in and "
        f"{count(w['output_tokens_mean'])} out per request"
    )
    hits = finite(w.get("prefix_hit_rate"))
    if hits:
        lengths += f", {percent(hits)} of the prompt found in the cache"
    if q.get("name"):  # of a question file: its title says neither load nor promise
        lengths += "".join(f", {words}" for words in (load(w), promise(document)) if words)
    limits = [f"{words} {_listed(q[k])}" for k, words in _LIMITS.items() if q.get(k)]
    if q.get("mixed_pools"):
        limits.append("pools on different chips")
    if q.get("residency"):
        limits.append(f"data stay in {q['residency']}")
    if q.get("contracts"):
        limits.append("contracts " + ", ".join(names.contract_name(str(c)) for c in q["contracts"]))
    if finite(q.get("max_usd_per_hour")) is not None:
        limits.append(f"at most {usd(finite(q['max_usd_per_hour']))} USD/hour")
    if finite(q.get("max_chips")) is not None:
        limits.append(f"at most {count(q['max_chips'])} chips")
    if finite(q.get("max_kw")) is not None:
        limits.append(f"at most {significant(finite(q['max_kw']))} kW")
    if finite(q.get("min_quality")) is not None:
        limits.append(f"{q['quality']['benchmark']} at least {q['min_quality']:g}")
    if q.get("penalty"):
        limits.append(f"penalty clause {q['penalty']}")
    restricted = f" Allowed: {'; '.join(limits)}." if limits else ""
    return join(lengths, ".", restricted, left_out(document), sector(document))


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def left_out(document: Document) -> str:
    """How many offers the constraints of the market left out, and which is the nearest; empty where none."""
    found = document.get("left_out_offers") or {}
    if not found.get("count"):
        return ""
    near = found.get("nearest")
    offers = "One offer is" if found["count"] == 1 else f"{count(found['count'])} offers are"
    nearest = f"; the nearest is {near['offer']} ({'; '.join(near['reasons'])})" if near else ""
    return f" {offers} left out by these constraints{nearest}."


def sector(document: Document) -> str:
    """That the profile of a sector filled in what was not asked; empty without one."""
    profile = document["question"].get("sector")
    if not profile or not profile["assumes"]:
        return ""
    filled = ", ".join(str(a["option"]) for a in profile["assumes"])
    return f" The profile of sector {profile['name']} assumes a value for {filled} (tab Basis). It is no legal advice."


def recommendation(document: Document) -> list[Html]:
    """The answer: one sentence, then what is as good, then what to check; empty lines left out."""
    plans, unpriced = document.get("plans", []), document.get("unpriced", [])
    if not plans and not unpriced:
        return [join("No stack in the catalogue answers this question within its restrictions.")]
    if not plans:
        return [_unpriced(unpriced[0], document)]
    first = plans[0]
    lines = [_run(first, document), _ties(plans)]
    caution = _caution(first)
    return [line for line in (*lines, caution) if line]


def _unpriced(first: Document, document: Document) -> Html:
    promised, sure = promise(document), probability(finite(first["p_meets_slo"]))
    chance = "" if first["meets_slo"] else f", kept with only {sure} probability"
    return join(
        "No published price covers a chip that can do this, so nothing can be ranked by cost. The most output per chip "
        "comes from ",
        tag("b", names.chip_name(first)),
        f" with {names.engine(first)}: ",
        tag("b", f"{_throughput(first)} output tokens per second per chip"),
        f" within {promised}{chance}." if promised else ".",
    )


def _run(p: Document, document: Document) -> Html:
    cost = figure(p.get("usd_per_mtok_output"))
    interval = between(cost, usd_per_mtok)
    start = "Run" if p["meets_slo"] else "Nothing found keeps the promise reliably; the nearest is to run"
    return join(
        f"{start} ",
        tag("b", f"{names.model_name(str(p['stack']['model']))} ({names.precision(p)})"),
        " on ",
        tag("b", names.chips(p)),
        f" at {names.provider(p)} ({names.terms(p['stack']['offer'])}) with ",
        tag("b", names.engine(p)),
        ": ",
        tag("b", f"{usd_per_mtok(cost.value)}\u00a0USD per million output tokens"),
        f" (90\u00a0% interval {interval}), " if interval else ", ",
        tag("b", f"{usd(finite(p['usd_per_hour']))}\u00a0USD per hour"),
        ". ",
        _latency_words(p, document),
    )


def _latency_words(p: Document, document: Document) -> Html:
    known = [x for x in latencies(p, document) if x.predicted.known]
    if not known:
        return Html("")
    each = [
        f"{x.name} {seconds(x.predicted.value)}" + (f" (limit {limit(x.promised)})" if x.promised else "")
        for x in known
    ]
    promised = sum(1 for x in known if x.promised)
    held = {0: "", 1: "; the limit holds", 2: "; both hold"}[promised]
    sure = probability(finite(p["p_meets_slo"]))
    chance = "" if not held else f" with {sure} probability" if p["meets_slo"] else f" with only {sure} probability"
    return join(f"Predicted {' and '.join(each)}{held}{chance}.")


def _ties(plans: list[Document]) -> Html | None:
    tied = [p for p in plans[1:] if p.get("tied_with_first")]
    if not tied:
        return None
    costs = [usd_per_mtok(figure(p["usd_per_mtok_output"]).value) for p in tied]
    shown = [f"{names.chips(p)} at {names.provider(p)} ({cost})" for p, cost in zip(tied[:4], costs, strict=False)]
    more = f" and {len(tied) - 4} more" if len(tied) > 4 else ""
    return join(
        tag("b", "Tied with it"), " within the uncertainty of the prediction: ", "; ".join(shown), more,
        ". A measurement or a negotiated price decides between them.",
    )  # fmt: skip


def _caution(p: Document) -> Html | None:
    """What to check before acting on the recommendation."""
    offer = p["stack"].get("offer") or {}
    age = finite(offer.get("price_age_days"))
    words = []
    if age is not None and age > STALE_PRICE_DAYS:
        words.append(f"the price was read {age:.0f} days ago")
    if offer.get("price_confidence") in ("press", "assumption"):
        words.append(f"the price is weakly sourced ({offer['price_confidence']})")
    if words:
        words[-1] += "; ask for a quote"
    penalty = p.get("penalty")
    if penalty:
        words.append(
            f"the penalty clause is expected to cost {usd_sum(finite(penalty['expected_usd_per_month']))} USD a month"
        )
    if offer.get("contract") == "spot":
        words.append("spot capacity can be taken away at short notice")
    return join(tag("b", "Check first:"), " ", ". ".join(w[:1].upper() + w[1:] for w in words), ".") if words else None


def promise_rule(document: Document) -> str:
    """When a plan counts as keeping the promise."""
    return (
        f"A plan keeps the promise when the probability of {promise(document) or 'its latency'} is at least "
        f"{percent(CONFIDENT)}, given the interval of the prediction."
    )


def _throughput(p: Document) -> str:
    return significant(figure(p.get("output_tokens_per_s_per_chip")).value)


def load(w: Document) -> str:
    """The load in words: `at 20 requests per second`; empty where none is given."""
    rate, users = finite(w.get("requests_per_s")), finite(w.get("concurrency"))
    if rate is not None:
        return f"at {rate:g} {'request' if rate == 1 else 'requests'} per second"
    if users == 1:
        return "to one user"
    return f"to {users:g} users at once" if users is not None else ""
