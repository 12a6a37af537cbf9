"""Own measurements beside a question: read, matched to what is asked, learnt; what was left out is said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from stackwright.api.validation import Files, read_points
from stackwright.calibration.fit.fewshot import OwnAnswer, own_points
from stackwright.catalog import Catalog
from stackwright.errors import InputError
from stackwright.performance import Constants
from stackwright.performance.own_points import Cell, cell_words

MOST = 50


def with_own(
    constants: Constants, files: Files, catalog: Catalog, network: str, cell: Cell | None = None
) -> tuple[Constants, tuple[str, ...]]:
    """The constants with what the rows of `files` teach, and lines that say what was learnt and what left out.

    Rows of another `network` are left out, and of another `cell` where one is asked about. Raises `InputError` where
    no row is left, or where a cell has more than 50 (those make a record of their own).
    """
    if not files:
        return constants, ()
    rows = read_points(files)
    found = own_points(rows, catalog, constants)
    kept = {key: own for key, own in found.cells.items() if (key == cell if cell else key[2] == network)}
    reasons = Counter(r.reason for r in found.refused)
    if not kept:
        raise InputError(
            f"--own: none of {_rows(len(rows))} corrects this: {_why(found, cell_words(cell) if cell else network)}"
        )
    for key, own in kept.items():
        if own.n > MOST:
            raise InputError(
                f"--own: {own.n} rows of {cell_words(key)}, at most {MOST}: fit a record on them "
                "(stackwright calibrate --points FILE --out record.json) and give it as --calibration"
            )
    said = (
        [] if cell else [f"corrected by own points: {', '.join(f'{o.n} of {cell_words(k)}' for k, o in kept.items())}"]
    )
    others = sum(own.n for key, own in found.cells.items() if key not in kept)
    if others:
        what = "another engine, chip, network, weight precision or draft" if cell else "another network"
        said.append(f"--own: {_rows(others)} left out, {what}")
    said += [f"--own: {_rows(n)} left out, {reason}" for reason, n in reasons.most_common()]
    return replace(constants, own=kept), tuple(said)


def _why(found: OwnAnswer, asked: str) -> str:
    if found.cells:
        return f"they are of {'; '.join(map(cell_words, list(found.cells)[:3]))}, asked is {asked}"
    return Counter(r.reason for r in found.refused).most_common(1)[0][0]


def _rows(n: int) -> str:
    return f"{n} row{'' if n == 1 else 's'}"
