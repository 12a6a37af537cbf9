"""`python -m stackwright.calibration.gate [KIND=]FILE...`: the report of tables at the gate."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from stackwright.calibration.gate.report import gate_report
from stackwright.errors import InputError, StackwrightError
from stackwright.measure.importers import import_file


def main(arguments: Sequence[str]) -> int:
    """Prints the report of tables: `FILE` in the measurement table, or `KIND=FILE` of another importer."""
    try:
        if not arguments:
            raise InputError("usage: python -m stackwright.calibration.gate [KIND=]FILE...")
        rows = []
        for argument in arguments:
            kind, _, path = argument.rpartition("=")
            rows += import_file(Path(path), kind or "table")
    except StackwrightError as error:
        print(error, file=sys.stderr)
        return 2
    print(gate_report(rows).text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
