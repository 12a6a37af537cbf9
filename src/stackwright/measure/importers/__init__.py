"""Importers: published measurements in the layouts of others, normalised to the measurement table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from stackwright.errors import UnknownIdError
from stackwright.measure.importers.cells import as_csv
from stackwright.measure.importers.inferencex import import_inferencex
from stackwright.measure.importers.silicon_sample import import_silicon_sample
from stackwright.measure.importers.splitwise import import_splitwise_power
from stackwright.measure.table import Measurement, read_measurements

Importer = Callable[[Path], list[Measurement]]

IMPORTERS: Mapping[str, Importer] = {
    "table": read_measurements,
    "silicon-sample": import_silicon_sample,
    "inferencex": import_inferencex,
    "splitwise-power": import_splitwise_power,
}


def import_file(path: Path, kind: str) -> list[Measurement]:
    """The rows of a file of a `kind` in `IMPORTERS`. Raises `InputError` for a bad file or an unknown kind."""
    importer = IMPORTERS.get(kind)
    if importer is None:
        raise UnknownIdError("kind of measurements", kind, IMPORTERS, f"known: {', '.join(IMPORTERS)}")
    return importer(path)


__all__ = [
    "IMPORTERS",
    "Importer",
    "as_csv",
    "import_file",
    "import_inferencex",
    "import_silicon_sample",
    "import_splitwise_power",
]
