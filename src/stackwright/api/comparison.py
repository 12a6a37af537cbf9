"""Ecosystem against ecosystem as a Python function and a document: `stackwright compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from stackwright.api.choice import option_document, quality_document, refusal_document
from stackwright.api.documents import Document, question_document
from stackwright.api.plans import PlanOptions, TrafficOptions, question_of
from stackwright.catalog import Catalog, load_catalog
from stackwright.catalog.quality import Quality, load_quality
from stackwright.catalog.yaml_files import DATA, read_yaml
from stackwright.errors import CatalogError, InputError, UnknownIdError
from stackwright.performance import Constants, load_constants
from stackwright.planner.choose.choice import NONE, Progress, Shortlist
from stackwright.planner.choose.ecosystems import Comparison, Ecosystem, compare_ecosystems
from stackwright.units import parse_seconds

SHIPPED = DATA / "questions"
_TRAFFIC = get_type_hints(TrafficOptions)
_ANSWER = ("objective", "per", "top")
_NARROW = {k: v for k, v in get_type_hints(PlanOptions).items() if k not in _TRAFFIC and k not in _ANSWER}
_TOP = ("name", "note", "objective", "quality", "min_quality", "porting_usd", "models", "ecosystems")
_OWN = ("name", "note", "models", "rent", "api")
_NUMBERS = ("min_quality", "porting_usd")


@dataclass(frozen=True)
class Asked:
    """A question file, read: its name, the ecosystems, the scores, and the user's own porting cost (USD)."""

    name: str
    ecosystems: tuple[Ecosystem, ...]
    quality: Quality | None
    porting_usd: float | None


def compare(
    question: str | Path = "ecosystems",
    *,
    catalog: Catalog | None = None,
    constants: Constants | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> tuple[Asked, Comparison]:
    """Answer a question file: the name of a shipped one, or a path.

    `changes` replace keys at the top of the file (`rate=20`, `quality="mmlu-pro"`, ...). Raises `InputError` with
    file and key.
    """
    asked = read_question(question, **changes)
    facts, record = catalog or load_catalog(), constants or load_constants()
    return asked, compare_ecosystems(asked.ecosystems, facts, record, progress)


def shipped_questions() -> list[str]:
    """Names of the shipped question files."""
    return sorted(f.stem for f in SHIPPED.glob("*.yaml"))


def question_file(name_or_path: str | Path) -> Path:
    """The file of a question. Raises `InputError` where there is none."""
    text = str(name_or_path)
    if text in shipped_questions():
        return SHIPPED / f"{text}.yaml"
    if Path(text).is_file():
        return Path(text)
    known = ", ".join(shipped_questions())
    if Path(text).suffix or "/" in text:
        raise InputError(f"no such question file: {text}; shipped: {known}")
    raise UnknownIdError("question", text, shipped_questions(), f"shipped: {known}; or give a YAML file")


def read_question(name_or_path: str | Path, **changes: Any) -> Asked:
    """The ecosystems of a question file; `changes` replace keys at its top."""
    path = question_file(name_or_path)
    try:
        content = read_yaml(path)
    except CatalogError as error:
        raise InputError(str(error)) from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected keys such as workload, rate, models, ecosystems")
    body = {**content, **{k: v for k, v in changes.items() if v is not None}}
    if changes.get("rate") is not None or changes.get("concurrency") is not None:
        stale = "concurrency" if changes.get("rate") is not None else "rate"
        body.pop(stale, None)
    _known(str(path), body, (*_TOP, *_TRAFFIC, *_NARROW))
    numbers = {k: _number(f"{path}: {k}", body[k]) for k in _NUMBERS if body.get(k) is not None}
    scores = load_quality(str(body["quality"])) if body.get("quality") is not None else None
    given = body.get("ecosystems")
    if not isinstance(given, list) or not given:
        raise InputError(f"{path}: ecosystems: give a list of ecosystems, each with a name")
    made = [_ecosystem(path, number, e, body, scores, numbers) for number, e in enumerate(given, 1)]
    names = [e.name for e in made]
    twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
    if twice is not None:
        raise InputError(f"{path}: ecosystem {twice!r} is given twice")
    return Asked(str(body.get("name", path.stem)), tuple(made), scores, numbers.get("porting_usd"))


def _ecosystem(
    path: Path, number: int, given: Any, body: Mapping[str, Any], scores: Quality | None, numbers: Mapping[str, float]
) -> Ecosystem:
    where = f"{path}: ecosystem number {number}"
    if not isinstance(given, dict) or not str(given.get("name", "")).strip():
        raise InputError(f"{where}: no name")
    where = f"{path}: ecosystem {given['name']!r}"
    _known(where, given, (*_OWN, *_NARROW))
    options = {k: v for k, v in body.items() if k in _TRAFFIC or k in _NARROW or k == "objective"}
    options |= {k: v for k, v in given.items() if k in _NARROW}
    options = {k: _typed(f"{where}: {k}", k, v) for k, v in options.items()}
    rent = given.get("rent", True)
    if not isinstance(rent, bool):
        raise InputError(f"{where}: rent: true or false, got {rent!r}")
    models = _names(f"{where}: models", given.get("models", body.get("models")))
    try:
        shortlist = Shortlist(
            models=models,
            providers=_providers(f"{where}: api", given.get("api")),
            quality=scores,
            min_quality=numbers.get("min_quality"),
            rent=rent,
        )
        return Ecosystem(
            str(given["name"]).strip(), shortlist, question_of(models[0], **options), str(given.get("note", ""))
        )
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _providers(where: str, given: Any) -> tuple[str, ...]:
    """Sellers by API: none unless asked for, `any`, or a list."""
    if given in (None, False, "none"):
        return (NONE,)
    return () if given in (True, "any") else _names(where, given)


def _known(where: str, given: Mapping[str, Any], keys: Sequence[str]) -> None:
    for key in given:
        if key not in keys:
            error = UnknownIdError("key", str(key), keys, f"known: {', '.join(keys)}")
            raise InputError(f"{where}: {error}")


def _typed(where: str, key: str, value: Any) -> Any:
    """A value of the kind that its option takes: names, seconds, a number or text."""
    if key in ("ttft", "tpot") and value is not None:
        try:
            seconds = parse_seconds(str(value))
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        return _number(where, seconds)
    hint = _TRAFFIC.get(key) or _NARROW.get(key)
    if get_origin(hint) in (Sequence, tuple, list) or "Sequence" in str(hint):
        return _names(where, value)
    if float in get_args(hint) or hint is float:
        return None if value is None else _number(where, value)
    if int in get_args(hint) or hint is int:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise InputError(f"{where}: must be a whole number, got {value!r}")
        return value
    if bool in get_args(hint) or hint is bool:
        if not isinstance(value, bool):
            raise InputError(f"{where}: true or false, got {value!r}")
        return value
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: must be text, got {value!r}")
    return value


def _number(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InputError(f"{where}: must be a number above 0, got {value!r}")
    return float(value)


def _names(where: str, value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names or not all(isinstance(n, str) and n.strip() for n in names):
        raise InputError(f"{where}: must be a list of names, got {value!r}")
    return tuple(n.strip() for n in names)


def comparison_document(asked: Asked, c: Comparison) -> Document:
    """The document of `compare --json`."""
    first = asked.ecosystems[0]
    question = question_document(first.question)
    names = [s.ecosystem.name for s in c.answered]
    return {
        "question": {
            "name": asked.name,
            "workload": question["workload"],
            "slo": question["slo"],
            "objective": question["objective"],
            "quality": quality_document(asked.quality),
            "min_quality": first.shortlist.min_quality,
        },
        "evaluated": c.evaluated,
        "cpu_s": round(c.cpu_s, 4),
        "elapsed_s": round(c.elapsed_s, 4),
        "compare": [
            {
                "ecosystem": s.ecosystem.name,
                "note": s.ecosystem.note or None,
                "asked": _asked(s.ecosystem),
                "best": option_document(s.best, s.choice, asked.porting_usd) if s.best and s.choice else None,
                "refusal": s.refusal or None,
                "options": [option_document(o, s.choice, asked.porting_usd) for o in s.choice.options]
                if s.choice
                else [],
                "refused": [refusal_document(r) for r in s.choice.refused] if s.choice else [],
            }
            for s in c.standings
        ],
        "cheaper": {"names": names, "p": [[round(p, 4) for p in row] for row in c.p_cheaper]},
        "verdicts": list(c.verdicts()),
        "assumptions": _assumptions(c),
    }


def _asked(e: Ecosystem) -> Document:
    q = question_document(e.question)
    kept = {k: v for k, v in q.items() if k in _NARROW and v not in ([], None, "", ())}
    providers = e.shortlist.providers
    return {
        "models": list(e.shortlist.models),
        "rent": e.shortlist.rent,
        "api": None if providers == (NONE,) else list(providers) or "any",
        **kept,
    }


def _assumptions(c: Comparison) -> list[str]:
    found = [
        "the order of two is said only where it holds with more than 90 % probability, their intervals taken as "
        "independent log-normal laws"
    ]
    for s in c.standings:
        found += list(s.choice.assumptions) if s.choice else []
    return list(dict.fromkeys(found))
