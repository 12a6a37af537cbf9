"""Quality scores of models on one benchmark: shipped examples with source and date, or the user's own file."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackwright.catalog.tokens.names import name_keys
from stackwright.catalog.yaml_files import DATA, read_yaml
from stackwright.errors import CatalogError, InputError, UnknownIdError

SHIPPED = DATA / "quality"
_COLUMNS = ("model", "score", "benchmark", "setting", "source", "date", "confidence")
_HINT = "a name of the catalogue ({}), or a .yaml or .csv file with model and score"


@dataclass(frozen=True)
class Score:
    """A model's score, higher is better, in the unit of its benchmark; `confidence` empty for a user's own."""

    model: str
    score: float
    benchmark: str
    setting: str = ""
    source: str = ""
    date: str = ""
    confidence: str = ""


@dataclass(frozen=True)
class Quality:
    """Scores of one benchmark."""

    benchmark: str
    unit: str
    scores: tuple[Score, ...]

    def of(self, *names: str) -> Score | None:
        """The score of the model that these names stand for, or None; an exact name beats a bare one."""
        wanted = {n.strip().lower() for n in names}
        exact = next((s for s in self.scores if s.model.lower() in wanted), None)
        if exact is not None:
            return exact
        keys = frozenset(k for n in names for k in name_keys(n))
        return next((s for s in self.scores if name_keys(s.model) & keys), None)


def shipped_qualities() -> list[str]:
    """Names of the shipped benchmarks."""
    return sorted(f.stem for f in SHIPPED.glob("*.yaml"))


def load_quality(name_or_file: str | Path) -> Quality:
    """Scores of a shipped benchmark by its name, or of a file; `FILE#BENCHMARK` picks one of several in a file.

    A file is YAML (`benchmark`, `scores`: a list of rows, or a mapping of model to score) or CSV with the columns
    model and score and, if known, benchmark, setting, source, date. Raises `InputError` naming file and row.
    """
    text = str(name_or_file)
    if text in shipped_qualities():
        return _read(SHIPPED / f"{text}.yaml", "")
    file, _, wanted = text.partition("#")
    path = Path(file)
    if not path.is_file():
        known = shipped_qualities()
        if path.suffix.lower() in (".yaml", ".yml", ".csv", ".json"):
            raise InputError(f"no such quality file: {file}; give {_HINT.format(', '.join(known))}")
        raise UnknownIdError("quality", text, known, _HINT.format(", ".join(known)))
    return _read(path, wanted)


def _read(path: Path, wanted: str) -> Quality:
    unit = ""
    if path.suffix.lower() == ".csv":
        rows, named = _csv_rows(path), ""
    else:
        try:
            content = read_yaml(path)
        except CatalogError as error:
            raise InputError(str(error)) from None
        rows, named, unit = _yaml_rows(path, content)
    scores = [_score(path, number, row, named) for number, row in enumerate(rows, 1)]
    if not scores:
        raise InputError(f"{path}: no scores; give {_HINT.format(', '.join(shipped_qualities()))}")
    return Quality(*_one_benchmark(path, scores, wanted, unit))


def _csv_rows(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot read: {error}") from None
    missing = [c for c in ("model", "score") if c not in columns]
    if missing:
        raise InputError(f"{path}: no column {missing[0]!r}; the columns are {', '.join(_COLUMNS)}")
    return [{k: v for k, v in row.items() if k and v not in (None, "")} for row in rows]


def _yaml_rows(path: Path, content: Any) -> tuple[list[dict[str, Any]], str, str]:
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected `benchmark` and `scores`, or a mapping of model to score")
    if "scores" not in content:
        return _as_rows(path, content), "", ""
    unknown = sorted(set(content) - {"benchmark", "unit", "scores"})
    if unknown:
        raise InputError(f"{path}: unknown key {unknown[0]!r}; known: benchmark, unit, scores")
    return _as_rows(path, content["scores"]), str(content.get("benchmark", "")), str(content.get("unit", ""))


def _as_rows(path: Path, given: Any) -> list[dict[str, Any]]:
    if isinstance(given, Mapping):
        return [{"model": str(k), "score": v} for k, v in given.items()]
    if isinstance(given, list) and all(isinstance(row, Mapping) for row in given):
        return [dict(row) for row in given]
    raise InputError(f"{path}: scores must be a list of rows with model and score, or a mapping of model to score")


def _score(path: Path, number: int, row: Mapping[str, Any], benchmark: str) -> Score:
    where = f"{path}: score number {number}"
    unknown = sorted(set(row) - set(_COLUMNS))
    if unknown:
        raise InputError(f"{where}: unknown field {unknown[0]!r}; known: {', '.join(_COLUMNS)}")
    if not str(row.get("model", "")).strip():
        raise InputError(f"{where}: no model")
    try:
        value = float(row["score"])
    except (KeyError, TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value) or isinstance(row["score"], bool):
        raise InputError(f"{where} ({row['model']}): score {row.get('score')!r} is not a number")
    rest = {k: str(row.get(k, "")) for k in ("setting", "source", "date", "confidence")}
    return Score(str(row["model"]).strip(), value, str(row.get("benchmark", "") or benchmark), **rest)


def _one_benchmark(path: Path, scores: Sequence[Score], wanted: str, unit: str) -> tuple[str, str, tuple[Score, ...]]:
    """Scores of different benchmarks are never mixed: one is chosen, or the file holds one."""
    found = list(dict.fromkeys(s.benchmark for s in scores))
    if wanted:
        near = {b.lower(): b for b in found}
        if wanted.lower() not in near:
            raise InputError(f"{path}: no benchmark {wanted!r}; it holds {', '.join(found)}")
        found = [near[wanted.lower()]]
    if len(found) > 1:
        raise InputError(
            f"{path}: scores of {len(found)} benchmarks ({', '.join(found)}): name one as {path}#{found[0]}"
        )
    kept = [s for s in scores if s.benchmark == found[0]]
    twice = _twice(s.model for s in kept)
    if twice:
        raise InputError(f"{path}: two scores of {twice}; keep one")
    return found[0] or path.stem, unit, tuple(kept)


def _twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            return name
        seen.add(name.lower())
    return ""
