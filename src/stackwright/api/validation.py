"""Scores of predictions against measured rows: as the record stands, or out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stackwright.calibration import PointPrediction, Refusal, Score, predict_points, scores
from stackwright.calibration.fit.energy import describe, energy_scores, power_points
from stackwright.calibration.judge.crossval import OutOfFold, Progress, cross_validate, cross_validate_pools
from stackwright.calibration.judge.score import ENERGY, METRICS, grouped
from stackwright.calibration.judge.sets import SetScore, set_of, set_scores
from stackwright.calibration.rows.dataset import Dataset, dataset, short_hash
from stackwright.calibration.rows.groups import How
from stackwright.calibration.rows.points import Point
from stackwright.catalog import Catalog, load_catalog
from stackwright.errors import InputError
from stackwright.measure import Measurement
from stackwright.measure.importers import IMPORTERS, import_file
from stackwright.performance import Constants, load_constants
from stackwright.performance.constants import prior_constants
from stackwright.performance.pools import DISAGGREGATED

Document = dict[str, Any]
Files = str | Path | Sequence[str | Path]

COLUMNS = ("chip", "engine", "model", "weight_precision", "engine_version", "source", "mode", "n_chips")
BY = ("chip", "engine", "model")


def validate(
    points: Files,
    *,
    by: Sequence[str] = BY,
    catalog: Catalog | None = None,
    constants: Constants | None = None,
    cv: How | None = None,
    gate: bool | None = None,
    progress: Progress | None = None,
) -> Document:
    """Score predictions of measured rows; the document of `validate --json`.

    Errors are per cent of the measured figure; `groups` are by the columns `by`. Rows that the record was fitted on are
    scored apart (`in_sample`) and count nowhere else. With `cv` every row is predicted by a fit that has not seen its
    group; `gate` (by default with `cv`) refuses rows that cannot judge.
    """
    by = tuple(dict.fromkeys(by))
    unknown = [c for c in by if c not in COLUMNS]
    if unknown:
        raise InputError(f"cannot group by {unknown[0]!r}; one of {', '.join(COLUMNS)}")
    rows, known = read_points(points), catalog or load_catalog()
    record = constants or load_constants()
    gated = cv is not None if gate is None else gate
    if cv is not None:
        data = dataset(rows, known, record, gated)
        x = cross_validate(data, record, cv, progress)
        document = out_of_fold_document(data, x, by, len(rows))
        document["energy"] = describe(energy_scores(power_points(data), prior_constants(), x))
        pools = dataset(rows, known, record, gated, mode=DISAGGREGATED)
        if pools.points and len(set(pools.groups(cv))) > 1:
            apart = cross_validate_pools(data, pools, record, cv, progress)
            document["disaggregated"] = out_of_fold_document(pools, apart, by, len(rows))
        return document
    refused: list[Refusal] = []
    if gated:
        from stackwright.calibration.gate.admit import gate as judge

        passed = judge(rows, known)
        refused = [Refusal(r.measurement, f"gate, {r.rule}: {r.reason}") for r in passed.refused]
        rows = passed.kept
    return scored([*predict_points(rows, known, record), *refused], by, record)


def read_points(points: Files) -> list[Measurement]:
    """The rows of files: the measurement table, or KIND=FILE in the layout of another importer."""
    files = [points] if isinstance(points, (str, Path)) else list(points)
    rows: list[Measurement] = []
    for file in files:
        kind, path = kind_and_path(file)
        rows += import_file(path, kind)
    return rows


def kind_and_path(file: str | Path) -> tuple[str, Path]:
    """The importer and the path that `FILE` or `KIND=FILE` names."""
    kind, given, path = str(file).partition("=")
    return (kind, Path(path)) if given and kind in IMPORTERS else ("table", Path(file))


def scored(answers: Sequence[PointPrediction | Refusal], by: Sequence[str], constants: Constants) -> Document:
    """Scores of predictions: the headline and the groups on held-out rows, those fitted apart."""
    fitted_on = constants.calibration.row_hashes if constants.calibration else frozenset()
    predicted = [a for a in answers if isinstance(a, PointPrediction)]
    refused = [a for a in answers if isinstance(a, Refusal)]
    known = {id(p): short_hash(p.measurement) in fitted_on for p in predicted} if fitted_on else {}
    held_out = [p for p in predicted if not known.get(id(p))]
    in_sample = [p for p in predicted if known.get(id(p))]
    groups = []
    for names, members in grouped(predicted, lambda p: {c: _column(p, c) for c in by}):
        held = [p for p in members if not known.get(id(p))]
        groups.append({"by": names, "n": len(members), "in_sample": len(members) - len(held), **_scores(scores(held))})
    return {
        "n": len(answers),
        "predicted": len(predicted),
        **_scores(scores(held_out)),
        "held_out": {"n": len(held_out), **_scores(scores(held_out))},
        "in_sample": {"n": len(in_sample), **_scores(scores(in_sample))},
        "groups": groups,
        "refused": _refused(refused),
        "constants": constants.status,
    }


def out_of_fold_document(data: Dataset, x: OutOfFold, by: Sequence[str], read: int) -> Document:
    """Scores of out-of-fold predictions: all rows, strict rows, by set, by group; intervals leave the group out too."""
    sets = [set_of(p) for p in data.points]
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, p in enumerate(data.points):
        groups.setdefault(tuple(_cell(p, c) for c in by), []).append(i)
    ordered = sorted(groups.items(), key=lambda g: (-len(g[1]), g[0]))
    names = ["|".join(_cell(p, c) for c in by) for p in data.points]
    of_group = {s.name: s for s in set_scores(x, names)}
    everything = set_scores(x, sets)
    strict = set_scores(x, sets, data.strict)
    return {
        "n": read,
        "predicted": len(data.points),
        **_metrics(everything[0] if everything else None),
        "cv": x.how,
        "cv_groups": len(set(x.keys)),
        "strict": _set(strict[0]) if strict else None,
        "sets": [{"set": s.name, **_set(s)} for s in everything[1:]],
        "strict_sets": [{"set": s.name, **_set(s)} for s in strict[1:]],
        "groups": [
            {"by": dict(zip(by, cells, strict=True)), "n": len(rows), **_metrics(of_group["|".join(cells)])}
            for cells, rows in ordered
        ],
        "refused": _refused(data.refused),
        "data_hash": data.data_hash,
        "constants": f"fitted out of fold ({x.how}, {len(set(x.keys))} groups) on the strict rows of these tables",
    }


def _refused(refused: Sequence[Refusal]) -> list[Document]:
    return [{"id": r.measurement.id, "reason": r.reason} for r in refused]


def _column(p: PointPrediction, column: str) -> str:
    own = {"chip": p.chip, "engine": p.engine, "model": p.group}
    return own.get(column) or p.measurement.text.get(column) or p.measurement.raw.get(column, "")


def _cell(p: Point, column: str) -> str:
    own = {"chip": p.candidate.chip.id, "engine": p.candidate.engine.id, "model": p.model.network or p.model.id}
    return own.get(column) or p.measurement.text.get(column) or p.measurement.raw.get(column, "")


def _scores(found: dict[str, Score | None]) -> Document:
    names = [name for name in (*METRICS, *ENERGY) if name in found]
    return {name: None if (s := found[name]) is None else dict(s.__dict__) for name in names}


def _metrics(s: SetScore | None) -> Document:
    return _scores({name: None if s is None else s.scores[name] for name in METRICS})


def _set(s: SetScore) -> Document:
    return {"n": s.n, **_metrics(s)}
