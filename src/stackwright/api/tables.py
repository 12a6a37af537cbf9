"""Tables of operating points: predictions beside the rows, and their score against what was measured."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stackwright.calibration import PointPrediction, Refusal, Score, predict_points, scores
from stackwright.calibration.score import METRICS, grouped
from stackwright.catalog import Catalog, load_catalog
from stackwright.errors import InputError
from stackwright.measure import read_measurements
from stackwright.performance import Constants, load_constants

Document = dict[str, Any]

_COLUMNS = ("chip", "engine", "model", "weight_precision", "engine_version", "source", "mode", "n_chips")
_PREDICTED = (
    "ttft_mean_s", "ttft_p50_s", "ttft_p95_s", "ttft_p99_s", "tpot_mean_s", "tpot_p50_s", "tpot_p95_s", "tpot_p99_s",
    "output_tokens_per_s_per_chip", "total_tokens_per_s_per_chip", "chip_watts",
)  # fmt: skip


def validate(
    points: str | Path,
    *,
    by: Sequence[str] = ("chip", "engine", "model"),
    catalog: Catalog | None = None,
    constants: Constants | None = None,
) -> Document:
    """Score predictions of a measurement table; the document of `validate --json`.

    Errors are per cent of the measured figure; `groups` are by the columns `by`.
    """
    by = tuple(dict.fromkeys(by))
    unknown = [c for c in by if c not in _COLUMNS]
    if unknown:
        raise InputError(f"cannot group by {unknown[0]!r}; one of {', '.join(_COLUMNS)}")
    record = constants or load_constants()
    rows = read_measurements(Path(points))
    return _scored(predict_points(rows, catalog or load_catalog(), record), by, record)


def predict_table(
    points: str | Path, out: str | Path, *, catalog: Catalog | None = None, constants: Constants | None = None
) -> Document:
    """Predict every row of a table and write it to `out` (CSV, .gz by its name) with predicted_* columns.

    Each metric has `predicted_X`, `predicted_X_low`, `predicted_X_high`; a refused row has the reason in
    `refused`. Returns the scores as `validate` does. Raises `InputError` when `out` is the table itself, is named as
    something else than CSV, or cannot be written.
    """
    source, target = Path(points), Path(out)
    if target.name.removesuffix(".gz").endswith((".jsonl", ".ndjson", ".json", ".parquet")):
        raise InputError(f"{target}: predictions are written as CSV; name a .csv or .csv.gz file")
    if target.exists() and target.samefile(source):
        raise InputError(f"{target}: is the table that is read; give another file for the predictions")
    record = constants or load_constants()
    rows = read_measurements(source)
    answers = predict_points(rows, catalog or load_catalog(), record)
    data = _table(answers).encode()
    try:
        target.write_bytes(gzip.compress(data) if target.suffix == ".gz" else data)
    except OSError as error:
        raise InputError(f"{target}: cannot write ({error.strerror})") from None
    return _scored(answers, ("chip", "engine", "model"), record)


def _table(answers: Sequence[PointPrediction | Refusal]) -> str:
    """CSV text: the columns as read, without the predictions of an earlier run, then the new ones."""
    added = [f"predicted_{m}{end}" for m in _PREDICTED for end in ("", "_low", "_high")] + ["refused"]
    columns = [c for c in dict.fromkeys(k for a in answers for k in a.measurement.raw) if c not in added]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*columns, *added], lineterminator="\n")
    writer.writeheader()
    for answer in answers:
        cells: dict[str, Any] = {k: v for k, v in answer.measurement.raw.items() if k not in added}
        if isinstance(answer, Refusal):
            cells["refused"] = answer.reason
        else:
            for m in _PREDICTED:
                for end, value in zip(("", "_low", "_high"), answer.metrics[m], strict=True):
                    cells[f"predicted_{m}{end}"] = f"{value:.6g}"
        writer.writerow(cells)
    return text.getvalue()


def _scored(answers: Sequence[PointPrediction | Refusal], by: Sequence[str], constants: Constants) -> Document:
    predicted = [a for a in answers if isinstance(a, PointPrediction)]
    refused = [a for a in answers if isinstance(a, Refusal)]
    found = grouped(predicted, lambda p: {c: _column(p, c) for c in by})
    return {
        "n": len(answers),
        "predicted": len(predicted),
        **_scores(scores(predicted)),
        "groups": [{"by": names, "n": n, **_scores(of)} for names, of, n in found],
        "refused": [{"id": r.measurement.id, "reason": r.reason} for r in refused],
        "constants": constants.status,
    }


def _column(p: PointPrediction, column: str) -> str:
    own = {"chip": p.chip, "engine": p.engine, "model": p.group}
    return own.get(column) or p.measurement.text.get(column) or p.measurement.raw.get(column, "")


def _scores(found: dict[str, Score | None]) -> Document:
    return {name: dict(s.__dict__) if (s := found[name]) else None for name in METRICS}
