"""Fitting a calibration record to measured rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stackwright.api.validation import Document, Files, out_of_fold_document, read_points
from stackwright.calibration.fit.energy import (
    EnergyScore,
    describe,
    energy_scores,
    fit_energy,
    power_factors,
    power_points,
    with_power,
)
from stackwright.calibration.judge.crossval import DEFAULT, Progress
from stackwright.calibration.record import (
    NOTHING,
    PoolData,
    cross_validations,
    make_calibration,
    pool_validations,
    record_document,
    record_text,
)
from stackwright.calibration.rows.dataset import Dataset, dataset
from stackwright.calibration.rows.groups import How
from stackwright.calibration.rows.points import Refusal
from stackwright.catalog import Catalog, load_catalog
from stackwright.errors import InputError
from stackwright.measure import Measurement
from stackwright.measure.importers import import_silicon_sample
from stackwright.performance.calibration import Factor
from stackwright.performance.constants import prior_constants
from stackwright.performance.pools import DISAGGREGATED

INSTALLED = "installed"


def calibrate(
    points: Files = (),
    out: str | Path | None = None,
    *,
    silicon_sample: str | Path | None = None,
    power: Files = (),
    hows: Sequence[How] = DEFAULT,
    catalog: Catalog | None = None,
    progress: Progress | None = None,
) -> Document:
    """Fit the constants to measured rows and write the record to `out`; the document of `calibrate --json`.

    `silicon_sample` adds that file, or the one of the installed wheel (`installed`); of the tables `power` only
    measured watts are used, beside those of the other rows. `hows` are the cross-validations that the intervals come
    from; without any the record has no intervals of its own. The same rows give the same bytes. Raises `InputError`
    for a bad table, when no row is left, or when `out` cannot be written.
    """
    known, constants = catalog or load_catalog(), prior_constants()
    rows = measured_rows(points, silicon_sample)
    data = dataset(rows, known, constants)
    target = Path(out) if out is not None else None
    if target is not None and not target.parent.is_dir():
        raise InputError(f"{target}: no such folder")
    if not data.strict.any():
        raise InputError(NOTHING)
    found = cross_validations(data, constants, hows, progress)
    split = dataset(rows, known, constants, mode=DISAGGREGATED)
    pools = PoolData(split, pool_validations(data, split, constants, hows, progress) if split.points else {})
    record = make_calibration(data, constants, found, pools)
    only_power = dataset(read_points(power), known, constants) if power else None
    watts = power_points(data, only_power)
    scores: list[EnergyScore] = []
    factors: dict[str, Factor] = {}
    if "random" in found:
        scores = energy_scores(watts, constants, found["random"], record)
        factors = power_factors(watts, constants, found["random"], record)
    record = with_power(record, fit_energy(watts, constants, record), factors)
    document = record_document(record, data, [*split.strict_rows, *watts.only_power])
    if target is not None:
        try:
            target.write_text(record_text(document))
        except OSError as error:
            raise InputError(f"{target}: cannot write ({error.strerror})") from None
    return {
        "n": len(rows),
        "points": len(data.points),
        "fitted": record.n_rows,
        "date": record.date,
        "data_hash": record.data_hash,
        "sources": document["sources"],
        "factors": document["factors"],
        "correlation": record.correlation,
        "cv": {how: _summary(data, out_of_fold_document(data, x, (), len(rows))) for how, x in found.items()},
        "disaggregated": {
            how: _summary(split, out_of_fold_document(split, x, (), len(rows))) for how, x in pools.found.items()
        },
        "energy": describe(scores),
        "refused": [{"id": r.measurement.id, "reason": r.reason} for r in refused(data, split)],
        "out": None if target is None else str(target),
    }


def measured_rows(points: Files, silicon_sample: str | Path | None) -> list[Measurement]:
    """The rows of the tables and of the silicon sample. Raises `InputError` when neither is given."""
    rows = read_points(points)
    if silicon_sample is not None:
        rows += import_silicon_sample(None if str(silicon_sample) == INSTALLED else Path(silicon_sample))
    if not rows:
        raise InputError("give --points FILE or --silicon-sample: there is nothing to fit")
    return rows


def refused(data: Dataset, split: Dataset) -> list[Refusal]:
    """Rows that neither the aggregated nor the disaggregated points hold, with the reason of their own mode."""
    return [
        r
        for part, own in ((data, False), (split, True))
        for r in part.refused
        if (r.measurement.text["mode"] == DISAGGREGATED) == own
    ]


def _summary(data: Dataset, document: Document) -> Document:
    kept = ("cv_groups", "predicted", "tpot", "ttft", "throughput", "strict", "sets", "strict_sets")
    return {"strict_rows": int(data.strict.sum()), **{k: document[k] for k in kept}}
