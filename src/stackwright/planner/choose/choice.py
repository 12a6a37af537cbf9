"""The choice of the model: the best rented stack of each open model beside every API that sells a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stackwright.catalog import Catalog, ModelEntry
from stackwright.catalog.quality import Quality, Score
from stackwright.catalog.tokens.names import name_keys
from stackwright.catalog.tokens.offers import ApiOffer, api_offers_of, model_listed, unknown_model
from stackwright.economics.api_cost import api_cost
from stackwright.economics.lock_in import Elsewhere, lock_in
from stackwright.errors import InputError, UnknownIdError
from stackwright.performance import Constants
from stackwright.planner.answer import Answer
from stackwright.planner.choose.elsewhere import stack_lock_in
from stackwright.planner.choose.option import Option, api_name, compared
from stackwright.planner.offers.marketplace import Marketplace
from stackwright.planner.plan import plan
from stackwright.planner.question import Question
from stackwright.planner.stacks.models import resolve_model
from stackwright.serving.prediction import Interval
from stackwright.serving.tokens import longest_request

NONE = "none"
_MOST_REASONS = 4
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Shortlist:
    """The models to choose from, how they may be had, and the scores that count.

    `providers`: API sellers that may be used; empty: all but routers and subscriptions; ("none",): no API.
    `rent`: whether open models may be run on rented chips.
    """

    models: tuple[str, ...]
    providers: tuple[str, ...] = ()
    quality: Quality | None = None
    min_quality: float | None = None
    rent: bool = True

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError("no models given: name them as --models a,b,c")
        twice = next((m for i, m in enumerate(self.models) if m in self.models[:i]), None)
        if twice is not None:
            raise InputError(f"model {twice!r} is given twice")
        if self.min_quality is not None and self.quality is None:
            raise InputError("--min-quality needs scores: give --quality NAME or FILE")


@dataclass(frozen=True)
class Refusal:
    """A model, or a way to have it, that is left out, and why."""

    model: str
    how: str
    reason: str


@dataclass(frozen=True)
class Choice:
    """The options in order: those that keep the promise, those whose latency is unknown, the rest; each by cost."""

    question: Question
    shortlist: Shortlist
    options: tuple[Option, ...]
    refused: tuple[Refusal, ...]
    evaluated: int
    cpu_s: float
    elapsed_s: float
    assumptions: tuple[str, ...]

    @property
    def best(self) -> Option | None:
        """The cheapest option that keeps the promise, else the cheapest whose latency is unknown."""
        return next((o for o in self.options if o.keeps is not False), None)


@dataclass(frozen=True)
class Subject:
    """A model as asked: its names, and its catalogue entry; `open_weights` where it can be run."""

    asked: str
    names: tuple[str, ...]
    entry: ModelEntry | None
    open_weights: bool

    @property
    def id(self) -> str:
        """What to call it."""
        return self.entry.id if self.entry else self.names[0]


def choose_model(
    c: Shortlist, q: Question, catalog: Catalog, constants: Constants, progress: Progress | None = None
) -> Choice:
    """Every way to have every model, ordered and compared; `q` asks the rest (its own model is not used).

    Raises `InputError` for a model that neither the catalogue nor a price list knows, and where no way is left.
    """
    cpu, wall = time.process_time(), time.perf_counter()
    marketplace = Marketplace(catalog, q.market)
    marketplace.check()
    subjects = [subject(name, catalog, c.providers) for name in c.models]
    _once(subjects)
    found: list[Option] = []
    refused: list[Refusal] = []
    evaluated = 0
    assumptions: tuple[str, ...] = ()
    for s in subjects:
        if progress is not None:
            progress(s.id)
        score = c.quality.of(*s.names) if c.quality else None
        reason = _below(c, score)
        if reason:
            refused.append(Refusal(s.id, "", reason))
            continue
        usual = api_offers_of(s.names)
        offers = api_offers_of(s.names, among=c.providers) if c.providers not in ((), (NONE,)) else usual
        if c.providers == (NONE,):
            offers = []
        sellers = _names([*usual, *offers])
        rows = _by_api(s, score, _permitted(s, offers, marketplace, refused), sellers, q, refused)
        if s.open_weights and c.rent:
            answer = _rented(s, q, catalog, constants, refused)
            if answer is not None:
                evaluated, assumptions = evaluated + answer.evaluated, answer.assumptions
                rows += _self_hosted(s, score, answer, catalog, tuple(sellers), refused)
        elif not offers:
            refused.append(Refusal(s.id, "API", _nobody(c)))
        found += rows
    if not found:
        raise InputError(_nothing(refused))
    return Choice(
        question=q,
        shortlist=c,
        options=tuple(compared(found, c.quality is not None, q)),
        refused=tuple(refused),
        evaluated=evaluated,
        cpu_s=time.process_time() - cpu,
        elapsed_s=time.perf_counter() - wall,
        assumptions=(*_assumptions(c, q), *assumptions),
    )


def subject(name: str, catalog: Catalog, providers: tuple[str, ...] = ()) -> Subject:
    """What a name stands for: an open model of the catalogue or on disk, else a model of the price lists."""
    if name.endswith(".json") or Path(name).is_dir() or not name.strip():
        model, _ = resolve_model(name, catalog)
        return Subject(name, (model.id,), None, True)
    try:
        entry = catalog.model(name)
    except UnknownIdError:
        if not model_listed(name) and not (providers and model_listed(name, providers)):
            raise unknown_model(name, [*catalog.models]) from None
        return Subject(name, (name,), None, False)
    return Subject(name, tuple(dict.fromkeys((name, entry.id))), entry, True)


def _once(subjects: Sequence[Subject]) -> None:
    """Raise `InputError` where two names stand for one model."""
    for i, s in enumerate(subjects):
        for earlier in subjects[:i]:
            listed = not s.open_weights and not earlier.open_weights
            if s.id == earlier.id or (listed and name_keys(s.asked) & name_keys(earlier.asked)):
                raise InputError(f"model {earlier.id!r} is given twice: {earlier.asked!r} and {s.asked!r}")


def _below(c: Shortlist, score: Score | None) -> str:
    """Why the quality floor excludes a model; empty where it does not."""
    if c.min_quality is None or c.quality is None:
        return ""
    if score is None:
        return f"no {c.quality.benchmark} score known: excluded by the floor of {c.min_quality:g}"
    if score.score < c.min_quality:
        return f"{c.quality.benchmark} {score.score:g} is below the floor of {c.min_quality:g}"
    return ""


def _rented(s: Subject, q: Question, catalog: Catalog, constants: Constants, refused: list[Refusal]) -> Answer | None:
    try:
        return plan(replace(q, model=s.asked, top=1), catalog, constants)
    except UnknownIdError:
        raise
    except InputError as error:
        refused.append(Refusal(s.id, "self-hosted", str(error)))
        return None


def _self_hosted(
    s: Subject,
    score: Score | None,
    answer: Answer,
    catalog: Catalog,
    sellers: tuple[str, ...],
    refused: list[Refusal],
) -> list[Option]:
    if not answer.plans:
        chips = ", ".join(p.stack.chip.id for p in answer.unpriced[:4])
        refused.append(Refusal(s.id, "self-hosted", f"nobody publishes a price for {chips} under these filters"))
        return []
    first = answer.plans[0]
    assert first.usd_per_mtok_output is not None
    return [
        Option(
            model=s.id,
            plan=first,
            api=None,
            cost=None,
            score=score,
            usd_per_mtok_output=first.usd_per_mtok_output,
            usd_per_hour=first.usd_per_hour,
            keeps=first.meets_slo,
            lock_in=stack_lock_in(first.stack, catalog, sellers),
        )
    ]


def _permitted(
    s: Subject, offers: Sequence[ApiOffer], marketplace: Marketplace, refused: list[Refusal]
) -> list[ApiOffer]:
    """The APIs that residency and certifications leave; the others are refused with every reason."""
    found = []
    for offer in offers:
        reasons = marketplace.lacks(offer)
        if reasons:
            refused.append(Refusal(s.id, api_name(offer), ", ".join(reasons)))
        else:
            found.append(offer)
    return found


def _by_api(
    s: Subject,
    score: Score | None,
    offers: Sequence[ApiOffer],
    sellers: Sequence[str],
    q: Question,
    refused: list[Refusal],
) -> list[Option]:
    w, found = q.workload, []
    longest, most = longest_request(w), q.limits.max_usd_per_hour
    for offer in offers:
        name = api_name(offer)
        if offer.context_tokens is not None and offer.context_tokens < longest:
            reason = f"takes {offer.context_tokens} tokens at most; long requests of {w.name!r} have {longest:.0f}"
            refused.append(Refusal(s.id, name, reason))
            continue
        cost = api_cost(offer.tiers, w)
        usd_per_hour = None if w.rate_per_s is None else cost.usd_per_hour(w.rate_per_s)
        if most is not None and usd_per_hour is not None and usd_per_hour > most:
            refused.append(Refusal(s.id, name, f"{usd_per_hour:.2f} USD/hour at this rate, over the {most:g} allowed"))
            continue
        others = tuple(n for n in sellers if n != offer.seller.name)
        found.append(
            Option(
                model=s.id,
                plan=None,
                api=offer,
                cost=cost,
                score=score,
                usd_per_mtok_output=Interval(*(cost.usd_per_mtok_output,) * 3),
                usd_per_hour=usd_per_hour,
                keeps=None,
                lock_in=lock_in(Elsewhere(weights_open=s.open_weights, sellers=others)),
            )
        )
    return found


def _names(offers: Sequence[ApiOffer]) -> list[str]:
    return list(dict.fromkeys(o.seller.name for o in offers))


def _nobody(c: Shortlist) -> str:
    if c.providers == (NONE,):
        return "sold by API only, and no API may be used"
    among = f"none of {', '.join(c.providers)}" if c.providers else "no seller of the price lists"
    return f"{among} sells it priced by token"


def _nothing(refused: Sequence[Refusal]) -> str:
    """Why no option is left: the first clause of the reason of each model."""
    found: dict[str, str] = {}
    for r in sorted(refused, key=lambda r: r.how not in ("", "self-hosted")):
        found.setdefault(r.model, f"{r.model.rsplit('/', 1)[-1]}: {r.reason.split(';')[0]}")
    return "no model is left: " + "; ".join([*found.values()][:_MOST_REASONS])


def _assumptions(c: Shortlist, q: Question) -> tuple[str, ...]:
    w, found = q.workload, ["every model is given the same tokens: one that thinks at length writes more per answer"]
    if c.quality is not None:
        found.append(
            f"quality is {c.quality.benchmark} {c.quality.unit}".rstrip()
            + " as published, settings differ by maker: measure on your own task before you decide"
        )
    if c.providers != (NONE,):
        found.append(
            "API: list prices of the day, paid by use; input found in the cache at the cache-read rate where the list "
            "has one, cache writes not charged; latency is not measured or published here, so whether the promise is "
            "kept is not known"
        )
        if w.rate_per_s is not None:
            per_minute = 60.0 * w.rate_per_s
            found.append(
                f"API limits and quotas are not in the lists: this load takes {per_minute:,.0f} requests, "
                f"{per_minute * w.input.mean:,.0f} input and {per_minute * w.output.mean:,.0f} output tokens a minute"
            )
        if q.market.clouds or q.market.regions:
            found.append("--clouds and --regions narrow rented capacity; --api-providers narrows who sells by API")
    return tuple(found)
