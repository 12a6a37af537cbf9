"""Regenerates the shipped calibration record: `make calibrate`. Says why and leaves it when the data is absent."""

from __future__ import annotations

import sys
from pathlib import Path

from stackwright.cli.main import run
from stackwright.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))
from tables import power_table, tables

RECORD = Path(__file__).parents[1] / "src" / "stackwright" / "performance" / "data" / "calibration.json"


def main() -> int:
    out = sys.argv[1] if len(sys.argv) > 1 else str(RECORD)
    try:
        points, sample = tables()
    except InputError as error:
        print(f"skipped, the shipped record stays as it is: {error}")
        return 0
    power = [f"--power=splitwise-power={path}" for path in [power_table()] if path is not None]
    return run(["calibrate", "--points", str(points), "--silicon-sample", str(sample), *power, "--out", out])


if __name__ == "__main__":
    raise SystemExit(main())
