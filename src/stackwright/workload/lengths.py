"""How long prompts and answers are, in tokens: one distribution in four shapes."""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, overload

from stackwright.errors import InputError
from stackwright.workload.checks import at_least, number, positive

if TYPE_CHECKING:  # numpy is loaded only where arrays are made: importing this room stays cheap
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Kind = Literal["fixed", "uniform", "lognormal", "empirical"]
_CALL = re.compile(r"^\s*(\w+)\s*(?:\(([^()]*)\))?\s*$")


@dataclass(frozen=True, slots=True)
class Lengths:
    """A distribution of token counts; make one with `fixed`, `uniform`, `lognormal` or `empirical`.

    `probabilities` and `values` (tokens) hold the shape: for `fixed`, `uniform` and `empirical` the knots of
    the piecewise-linear quantile function; for `lognormal` they are empty and `mean`, `cv` say all.
    `mean` is in tokens, `cv` is standard deviation / mean; both belong to the continuous distribution,
    samples are rounded to whole tokens.

    >>> Lengths.uniform(800, 1000).quantile(0.5)
    900.0
    """

    kind: Kind
    mean: float
    cv: float
    probabilities: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    @staticmethod
    def fixed(tokens: float) -> Lengths:
        """Every request has the same length, in tokens (at least 1)."""
        tokens = at_least(tokens, 1, "length in tokens")
        return Lengths("fixed", tokens, 0.0, (0.0, 1.0), (tokens, tokens))

    @staticmethod
    def uniform(low: float, high: float) -> Lengths:
        """Evenly spread between `low` and `high` tokens (1 <= low <= high)."""
        low, high = at_least(low, 1, "uniform low"), at_least(high, 1, "uniform high")
        if low > high:
            raise InputError(f"uniform length: low {low:g} is above high {high:g}")
        mean = (low + high) / 2
        return Lengths("uniform", mean, (high - low) / math.sqrt(12) / mean, (0.0, 1.0), (low, high))

    @staticmethod
    def lognormal(mean: float, cv: float) -> Lengths:
        """Log-normal with that mean (tokens, at least 1) and coefficient of variation (above 0).

        sigma^2 = ln(1 + cv^2), mu = ln(mean) - sigma^2 / 2: the moments of the log-normal law solved for its
        parameters.
        """
        return Lengths("lognormal", at_least(mean, 1, "log-normal mean"), positive(cv, "log-normal cv"))

    @staticmethod
    def empirical(probabilities: Sequence[float], values: Sequence[float]) -> Lengths:
        """A measured distribution: the quantile function is linear between (probability, tokens) knots.

        Probabilities rise strictly from 0 to 1; values never fall and are at least 1. Moments are exact for
        that quantile function Q: E[X] = integral of Q, E[X^2] = integral of Q^2 over [0, 1].
        """
        p = tuple(number(v, "probability") for v in probabilities)
        x = tuple(at_least(v, 1, "length quantile") for v in values)
        if len(p) != len(x) or len(p) < 2:
            raise InputError(
                f"a length table needs as many probabilities as values, at least 2: got {len(p)} and {len(x)}"
            )
        if p[0] != 0.0 or p[-1] != 1.0 or any(b <= a for a, b in pairwise(p)):
            raise InputError("probabilities of a length table must rise strictly from 0 to 1")
        if any(b < a for a, b in pairwise(x)):
            raise InputError("values of a length table must not fall as the probability rises")
        mean = second = 0.0
        for (p0, p1), (a, b) in zip(pairwise(p), pairwise(x), strict=True):
            mean += (p1 - p0) * (a + b) / 2
            second += (p1 - p0) * (a * a + a * b + b * b) / 3
        return Lengths("empirical", mean, math.sqrt(max(0.0, second - mean * mean)) / mean, p, x)

    @overload
    def quantile(self, p: float) -> float: ...
    @overload
    def quantile(self, p: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]: ...
    def quantile(self, p: ArrayLike) -> float | NDArray[np.float64]:
        """Length in tokens that a share `p` (0 to 1, scalar or array) of requests does not exceed."""
        if isinstance(p, int | float):
            return self._quantile(float(p))
        import numpy as np

        grid = np.asarray(p, dtype=np.float64)
        if not ((grid >= 0) & (grid <= 1)).all():
            raise InputError("a probability must lie between 0 and 1")
        if self.kind != "lognormal":
            return np.interp(grid, self.probabilities, self.values)
        mapped = [self._quantile(float(v)) for v in grid.ravel()]
        return np.array(mapped, dtype=np.float64).reshape(grid.shape)

    def _quantile(self, p: float) -> float:
        if not 0.0 <= p <= 1.0:
            raise InputError(f"a probability must lie between 0 and 1, got {p!r}")
        if self.kind == "lognormal":
            if p in (0.0, 1.0):
                return math.inf if p else 0.0
            sigma2 = math.log1p(self.cv**2)
            return self.mean * math.exp(math.sqrt(sigma2) * NormalDist().inv_cdf(p) - sigma2 / 2)
        i = min(bisect.bisect_right(self.probabilities, p), len(self.probabilities) - 1)
        (p0, p1), (a, b) = self.probabilities[i - 1 : i + 1], self.values[i - 1 : i + 1]
        return b if p == p1 else a + (b - a) * (p - p0) / (p1 - p0)

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
        """`n` independent lengths, whole tokens, at least 1; shape (n,). Same generator state, same draw."""
        import numpy as np

        if self.kind == "lognormal":
            sigma2 = math.log1p(self.cv**2)
            drawn = rng.lognormal(math.log(self.mean) - sigma2 / 2, math.sqrt(sigma2), n)
        else:
            drawn = np.interp(rng.random(n), self.probabilities, self.values)
        return np.maximum(1, np.rint(drawn)).astype(np.int64)

    def scaled(self, factor: float) -> Lengths:
        """The same shape with every length times `factor` (above 0), not below 1 token."""
        factor = positive(factor, "length factor")
        if self.kind == "lognormal":
            return Lengths.lognormal(self.mean * factor, self.cv)
        values = tuple(max(1.0, v * factor) for v in self.values)
        if self.kind == "fixed":
            return Lengths.fixed(values[0])
        if self.kind == "uniform":
            return Lengths.uniform(*values)
        return Lengths.empirical(self.probabilities, values)

    def describe(self) -> str:
        """One short phrase for a report.

        >>> Lengths.lognormal(500, 0.8).describe()
        'log-normal, mean 500 tokens, cv 0.8'
        """
        if self.kind == "fixed":
            return f"{self.mean:g} tokens, fixed"
        if self.kind == "uniform":
            return f"uniform, {self.values[0]:g} to {self.values[-1]:g} tokens"
        if self.kind == "lognormal":
            return f"log-normal, mean {self.mean:g} tokens, cv {self.cv:g}"
        p50, p95, p99 = (self._quantile(p) for p in (0.5, 0.95, 0.99))
        return f"measured, mean {self.mean:.0f} tokens (p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f})"


def parse_lengths(text: str, nominal: float) -> Lengths:
    """Lengths from the `length_dist` column of a measurement table and the nominal length (tokens).

    `fixed`; `uniform(a,b)` with a, b as shares of nominal; `lognormal(cv)` with mean nominal. Empty means
    `fixed`.

    >>> parse_lengths("uniform(0.8,1.0)", 1000).values
    (800.0, 1000.0)
    """
    nominal = at_least(nominal, 1, "nominal length")
    match = _CALL.match(text or "fixed")
    name = match.group(1).lower() if match else ""
    try:
        arguments = [float(a) for a in (match.group(2) or "").split(",") if a.strip()] if match else []
    except ValueError:
        name, arguments = "", []
    if name == "fixed" and not arguments:
        return Lengths.fixed(nominal)
    if name == "uniform" and len(arguments) == 2:
        low, high = positive(arguments[0], "uniform low"), positive(arguments[1], "uniform high")
        return Lengths.uniform(max(1.0, low * nominal), max(1.0, high * nominal))
    if name == "lognormal" and len(arguments) == 1:
        return Lengths.lognormal(nominal, arguments[0])
    raise InputError(
        f"cannot read length distribution {text!r}: expected 'fixed', 'uniform(0.8,1.0)' (shares of the "
        "nominal length) or 'lognormal(0.5)' (coefficient of variation)"
    )
