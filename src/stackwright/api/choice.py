"""The choice of the model as a Python function and a document: `plan --models`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from stackwright.api.documents import Document, interval_document, plan_entry, question_document
from stackwright.api.lock_in import lock_in_document
from stackwright.api.plans import PlanOptions, question_of
from stackwright.api.token_prices import api_document
from stackwright.catalog import Catalog, load_catalog
from stackwright.catalog.quality import Quality, Score, load_quality
from stackwright.performance import Constants, load_constants
from stackwright.planner.choose.choice import Choice, Progress, Refusal, Shortlist, choose_model
from stackwright.planner.choose.option import Option
from stackwright.units import HOURS_PER_YEAR


def choose(
    models: Sequence[str],
    *,
    quality: str | Path | Quality | None = None,
    min_quality: float | None = None,
    api_providers: Sequence[str] = (),
    data_dir: str | Path | None = None,
    catalog: Catalog | None = None,
    constants: Constants | None = None,
    progress: Progress | None = None,
    **options: Unpack[PlanOptions],
) -> Choice:
    """Every way to have every model under this traffic and promise, compared by cost, quality and latency.

    `models`: catalogue ids, aliases, config.json paths, or ids of the API price lists. `quality`: a shipped benchmark
    or a file of scores. `api_providers`: sellers to consider (default: all but routers and subscriptions; `none`).
    Raises `InputError` with one line to act on.
    """
    scores = quality if isinstance(quality, Quality) or quality is None else load_quality(quality)
    asked = Shortlist(
        models=tuple(m.strip() for m in models),
        providers=tuple(api_providers),
        quality=scores,
        min_quality=min_quality,
    )
    question = question_of(asked.models[0], data_dir, **options)
    return choose_model(asked, question, catalog or load_catalog(), constants or load_constants(), progress)


def choice_document(c: Choice, porting_usd: float | None = None) -> Document:
    """The document of `plan --models --json`."""
    q, asked = c.question, c.shortlist
    question = question_document(q)
    del question["model"]
    return {
        "question": {
            **question,
            "models": list(asked.models),
            "api_providers": list(asked.providers),
            "quality": quality_document(asked.quality),
            "min_quality": asked.min_quality,
        },
        "evaluated": c.evaluated,
        "cpu_s": round(c.cpu_s, 4),
        "elapsed_s": round(c.elapsed_s, 4),
        "choice": [option_document(o, c, porting_usd) for o in c.options],
        "refused": [refusal_document(r) for r in c.refused],
        "assumptions": list(c.assumptions),
    }


def option_document(o: Option, c: Choice, porting_usd: float | None = None) -> Document:
    """One option: the model, how, what it costs, how good and how fast it is, what dominates it, what it locks."""
    percentile = f"p{c.question.slo.percentile:g}"
    latency = {
        f"{name}_{percentile}_s": interval_document(o.plan.metrics[f"{name}_{percentile}_s"]) if o.plan else None
        for name in ("ttft", "tpot")
    }
    by = o.dominated_by
    return {
        "model": o.model,
        "how": o.how,
        "kind": "self_hosted" if o.plan else "api",
        "quality": score_document(o.score),
        "usd_per_mtok_output": interval_document(o.usd_per_mtok_output),
        "usd_per_hour": o.usd_per_hour,
        "usd_per_month": None if o.usd_per_hour is None else o.usd_per_hour * HOURS_PER_YEAR / 12.0,
        **latency,
        "p_meets_slo": round(o.plan.p_meets_slo, 4) if o.plan else None,
        "meets_slo": o.keeps,
        "on_front": o.on_front,
        "dominated_by": None
        if by is None
        else {
            "model": by.model,
            "how": by.how,
            "p_cheaper": round(by.p_cheaper, 4),
            "compared": list(by.compared),
        },
        "plan": plan_entry(o.plan, c.question) if o.plan else None,
        "api": api_document(o.api, o.cost, c.question.workload) if o.api and o.cost else None,
        "lock_in": lock_in_document(o.lock_in, porting_usd),
    }


def quality_document(q: Quality | None) -> Document | None:
    """The benchmark that scores are of."""
    return None if q is None else {"benchmark": q.benchmark, "unit": q.unit}


def score_document(s: Score | None) -> Document | None:
    """A score with its setting and source."""
    if s is None:
        return None
    named: dict[str, Any] = {k: getattr(s, k) or None for k in ("setting", "source", "date", "confidence")}
    return {"score": s.score, **named}


def refusal_document(r: Refusal) -> Document:
    """What was left out, and why; `how` null where the model as a whole was."""
    return {"model": r.model, "how": r.how or None, "reason": r.reason}
