"""Tables of operating points: predictions beside the rows."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stackwright.api.validation import BY, Document, scored
from stackwright.calibration import PointPrediction, Refusal, predict_points
from stackwright.catalog import Catalog, load_catalog
from stackwright.errors import InputError
from stackwright.measure import read_measurements
from stackwright.performance import Constants, load_constants

_PREDICTED = (
    "ttft_mean_s", "ttft_p50_s", "ttft_p95_s", "ttft_p99_s", "tpot_mean_s", "tpot_p50_s", "tpot_p95_s", "tpot_p99_s",
    "output_tokens_per_s_per_chip", "total_tokens_per_s_per_chip", "chip_watts",
)  # fmt: skip


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
    return scored(answers, BY, record)


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
                for end, value in zip(("", "_low", "_high"), answer.metrics.get(m, ()), strict=False):
                    cells[f"predicted_{m}{end}"] = f"{value:.6g}"
        writer.writerow(cells)
    return text.getvalue()
