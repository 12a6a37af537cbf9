"""Where the measured tables are, for the calibration and the scoreboard.

`STACKWRIGHT_DATA` names a folder with measurements/operating_points.csv.gz; the silicon sample is
`STACKWRIGHT_SILICON_SAMPLE`, or lies in the installed wheel of aiconfigurator-core 0.12.0.
"""

from __future__ import annotations

import os
from pathlib import Path

from stackwright.errors import InputError
from stackwright.measure.importers.silicon_sample import sample_path


def tables() -> tuple[Path, Path]:
    """The measurement table and the silicon sample. Raises `InputError` that says what is absent."""
    folder = os.environ.get("STACKWRIGHT_DATA", "")
    points = Path(folder) / "measurements" / "operating_points.csv.gz"
    if not folder or not points.is_file():
        raise InputError("set STACKWRIGHT_DATA to a folder with measurements/operating_points.csv.gz")
    given = os.environ.get("STACKWRIGHT_SILICON_SAMPLE", "")
    sample = Path(given) if given else sample_path()
    if not sample.is_file():
        raise InputError(f"STACKWRIGHT_SILICON_SAMPLE: {sample} does not exist")
    return points, sample


def power_table() -> Path | None:
    """The power table of splitwise-sim beside the measurement table, None where it is absent."""
    path = Path(os.environ.get("STACKWRIGHT_DATA", "")) / "simulator" / "power" / "splitwise_perf_model.csv"
    return path if path.is_file() else None
