r"""What a few measurements of one's own add to the record: a factor on TTFT and TPOT, and how far it is known.

ln(measured / predicted) of one cell (engine, chip, network, weight precision, draft) is a Gaussian process over its
operating points (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, eq. 2.25 and 2.26):

.. math:: k(a,b) = \frac{s^2}{4}\,(1 + e^{-|w_a - w_b|^2 / 2\ell^2})\,(1 + e^{-|l_a - l_b|^2 / 2}),\quad \ell = 1.5

with w = ln(users, input tokens, output tokens) and l = ln(chips, expert ranks, attention ranks, stages): half of what
the record misses is common to the cell, half belongs to the load or the layout and is shared by points that are near.
s is what the record misses without own points, a residual noise is added. Points are learnt in
`calibration/fit/fewshot.py`, which says what fixed the numbers; this room only reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.performance.calibration import Context
from stackwright.performance.speculation import Speculation

Array = NDArray[np.float64]
Cell = tuple[str, str, str, str, str]

FEATURES = ("users", "input", "output", "n_chips", "ep", "attention_dp", "pp")
"""What tells two operating points of a cell apart; all in ln."""
LENGTHS = np.array([1.5, 1.5, 1.5, 1.0, 1.0, 1.0, 1.0])
_WORK = 3


def cell_of(context: Context, speculation: Speculation | None) -> Cell:
    """The cell in which one's own points count: engine, chip, network, weight precision, draft ('' without one)."""
    draft = f"{speculation.method} {speculation.draft_tokens}" if speculation else ""
    return context.engine, context.chip, context.network, context.precision, draft


def cell_words(cell: Cell) -> str:
    """A cell for people."""
    return " ".join(part for part in cell if part)


def likeness(a: Array, b: Array) -> Array:
    """Correlation of what the record misses at points `a` (..., 7) and `b` (m, 7), shape (..., m).

    >>> likeness(np.zeros((1, 7)), np.zeros((1, 7))).tolist()
    [[1.0]]
    """
    apart = ((a[..., None, :] - b) / LENGTHS) ** 2
    load, layout = apart[..., :_WORK].sum(axis=-1), apart[..., _WORK:].sum(axis=-1)
    both: Array = (0.5 + 0.5 * np.exp(-0.5 * load)) * (0.5 + 0.5 * np.exp(-0.5 * layout))
    return both


@dataclass(frozen=True)
class Learnt:
    """What own points say of one metric: their places (n, 7), weights (n,) = P residuals, and P (n, n).

    P is the inverse covariance of the residuals (units of `sd` squared, the variance without own points); `noise` the
    spread of ln of one point.
    """

    places: Array
    weights: Array
    precision: Array
    sd: float
    noise: float

    def at(self, places: Array) -> tuple[Array, Array]:
        """ln of the factor at `places` (..., 7), and the share of the spread that is left, 0 to 1."""
        near = likeness(places, self.places)
        known = np.einsum("...i,ij,...j->...", near, self.precision, near)
        noise = (self.noise / self.sd) ** 2
        left = np.sqrt((np.maximum(1.0 - known, 0.0) + noise) / (1.0 + noise))
        return near @ self.weights, left


@dataclass(frozen=True)
class OwnPoints:
    """Own points of one cell: `n` rows, and what they say by metric (`ttft`, `tpot`; one that was not measured is
    absent)."""

    n: int
    metrics: Mapping[str, Learnt]
