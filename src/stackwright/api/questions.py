"""The questions, as Python functions with the names and defaults of the commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stackwright import planner
from stackwright.catalog import Catalog, load_catalog
from stackwright.errors import InputError
from stackwright.llm import Model
from stackwright.performance import Candidate, Constants, Layout, load_constants
from stackwright.planner import DEFAULT_CONTRACTS, DEFAULT_SLO, Answer, Question, resolve_model
from stackwright.planner.question import Grouping, Objective
from stackwright.planner.space import default_kv_precision
from stackwright.serving.prediction import Prediction, predict as predict_point
from stackwright.workload import SLO, Lengths, Workload, workload as find_workload

DEFAULT_WORKLOAD = "chat"


def plan(
    model: str,
    *,
    workload: str | Workload = DEFAULT_WORKLOAD,
    rate: float | None = None,
    concurrency: float | None = None,
    ttft: float | None = None,
    tpot: float | None = None,
    percentile: float = 95.0,
    chips: Sequence[str] = (),
    vendors: Sequence[str] = (),
    clouds: Sequence[str] = (),
    engines: Sequence[str] = (),
    regions: Sequence[str] = (),
    contracts: Sequence[str] = DEFAULT_CONTRACTS,
    precisions: Sequence[str] = (),
    kv_precision: str = "",
    objective: Objective = "usd_per_mtok_output",
    per: Grouping = "offer",
    top: int = 10,
    max_usd_per_hour: float | None = None,
    max_chips: int | None = None,
    catalog: Catalog | None = None,
    constants: Constants | None = None,
) -> Answer:
    """Rank the stacks that serve `model` under this traffic and promise.

    Times in seconds, `rate` in requests/s for the whole deployment, `concurrency` in users. With neither `ttft` nor
    `tpot` the default promise applies (p95 TTFT 0.45 s, TPOT 0.04 s). Raises `InputError` with one line to act on.
    """
    question = Question(
        model=model,
        workload=loaded(workload, rate=rate, concurrency=concurrency),
        slo=promise(ttft, tpot, percentile),
        chips=tuple(chips),
        vendors=tuple(vendors),
        clouds=tuple(clouds),
        engines=tuple(engines),
        regions=tuple(regions),
        contracts=tuple(contracts),
        precisions=tuple(precisions),
        kv_precision=kv_precision,
        objective=objective,
        per=per,
        top=top,
        max_usd_per_hour=max_usd_per_hour,
        max_chips=max_chips,
    )
    return planner.plan(question, catalog or load_catalog(), constants or load_constants())


def predict(
    model: str,
    *,
    chip: str,
    engine: str,
    n_chips: int | None = None,
    layout: Layout | None = None,
    workload: str | Workload | None = None,
    isl: float | None = None,
    osl: float | None = None,
    rate: float | None = None,
    concurrency: float | None = None,
    rounds: float | None = None,
    catalog: Catalog | None = None,
    constants: Constants | None = None,
) -> Prediction:
    """Predict one operating point of one replica.

    Give `workload` or `isl` and `osl` (tokens, fixed lengths), and `rate` (requests/s) or `concurrency` (users).
    `layout` defaults to tensor parallel over `n_chips` with the precision the model is published in.
    """
    facts = catalog or load_catalog()
    architecture, chosen = setup(facts, model, chip=chip, engine=engine, n_chips=n_chips, layout=layout)
    traffic = lengths_of(workload, isl, osl).with_load(rate_per_s=rate, concurrency=concurrency, rounds=rounds)
    if rate is None and concurrency is None:
        raise InputError("give --rate or --concurrency: one operating point needs a load")
    return predict_point(architecture, chosen, traffic, constants or load_constants())


def setup(
    facts: Catalog, model: str, *, chip: str, engine: str, n_chips: int | None, layout: Layout | None
) -> tuple[Model, Candidate]:
    """The architecture and the candidate that the arguments of `predict` name."""
    architecture, entry = resolve_model(model, facts)
    chip_record, engine_record = facts.chip(chip), facts.engine(engine)
    support = next((s for s in engine_record.supports if chip_record.family in s.families), None)
    if support is None:
        raise InputError(f"{engine_record.id} does not run on {chip_record.family} chips ({chip_record.id})")
    if layout is None:
        precision = native_precision(architecture, entry, support.weights)
        layout = Layout(
            tp=n_chips or 1, weight_precision=precision, kv_precision=default_kv_precision(precision, support.kv)
        )
    if n_chips is not None and layout.n_chips != n_chips:
        raise InputError(
            f"contradictory layout: tp {layout.tp} x attention_dp {layout.attention_dp} x pp {layout.pp} is "
            f"{layout.n_chips} chips, --n-chips says {n_chips}"
        )
    return architecture, Candidate(engine_record, chip_record, layout)


def native_precision(model: Model, entry: object, supported: Sequence[str]) -> str:
    """The precision the model is published in, or the first one that this engine runs on this chip."""
    published = [c.precision for c in getattr(entry, "checkpoints", ())] or [model.native_precision]
    wanted = [model.native_precision, *published]
    for precision in wanted:
        if precision in supported:
            return precision
    raise InputError(f"{model.id} is published in {', '.join(dict.fromkeys(wanted))}; this engine and chip have none of these")


def loaded(workload: str | Workload, *, rate: float | None, concurrency: float | None) -> Workload:
    """A workload by name, file or object, under the load given here (which replaces its own)."""
    found = find_workload(workload) if isinstance(workload, str) else workload
    if rate is None and concurrency is None:
        return found
    return found.with_load(rate_per_s=rate, concurrency=concurrency)


def lengths_of(workload: str | Workload | None, isl: float | None, osl: float | None) -> Workload:
    """The workload named, or fixed lengths; giving both is contradictory."""
    if workload is not None:
        if isl is not None or osl is not None:
            raise InputError("--workload and --isl/--osl contradict: give one of them")
        return find_workload(workload) if isinstance(workload, str) else workload
    if isl is None or osl is None:
        raise InputError("give --isl and --osl (tokens), or --workload")
    return Workload(f"{isl:g}/{osl:g}", Lengths.fixed(isl), Lengths.fixed(osl))


def promise(ttft: float | None, tpot: float | None, percentile: float) -> SLO:
    """The SLO of the arguments, or the default one where neither limit is given."""
    if ttft is None and tpot is None:
        return SLO(DEFAULT_SLO.ttft_s, DEFAULT_SLO.tpot_s, percentile)
    return SLO(ttft, tpot, percentile)


def catalog_with(directory: str | Path | None) -> Catalog:
    """The shipped catalogue, with a user's directory on top where given."""
    return load_catalog(Path(directory) if directory else None)
