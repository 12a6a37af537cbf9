"""Latency as a distribution over requests: mean and percentiles in closed form.

Approximation (percentiles are marked `unvalidated` until they are scored against a simulator):

* TTFT = a fixed part + a waiting time. In the steady state the wait is zero with probability 1 - u and
  exponential otherwise (the M/G/1 tail, Kingman 1961); in a closed loop a share of requests meets the queue of
  all users instead, a wait uniform between the end of its first and its last batch. Prompt-length spread is
  added as an independent deviation (root of the sum of squares of the deviations from the mean).
* TPOT is normal around its mean: the number of foreign prompts that interrupt a request is Poisson.
* E2E = TTFT + (output tokens - 1) x TPOT; its three deviations are combined as for TTFT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from stackwright.serving.traffic import Traffic

Array = NDArray[np.float64]
_NEWTON_STEPS = 14


@dataclass(frozen=True)
class TtftDistribution:
    """Time to first token, seconds; every field an array of shape (candidates, loads).

    `base`: what every request pays; `prompt`: the share of it that is proportional to prompt length;
    `wait_mean`: mean steady wait, positive with probability `wait_probability`; `burst_share` of requests waits
    uniformly between `burst_from_s` and `burst_s` instead. `wait_mean` is over all requests.
    """

    base: Array
    prompt: Array
    wait_mean: Array
    wait_probability: Array
    burst_share: Array
    burst_s: Array
    traffic: Traffic
    burst_from_s: Array | float = 0.0
    _quantiles: dict[float, Array] = field(default_factory=dict, repr=False, compare=False)

    @property
    def mean(self) -> Array:
        """Mean over all requests."""
        return self.base + self.wait_mean + self.burst_share * (self.burst_from_s + self.burst_s) / 2.0

    def quantile(self, p: float) -> Array:
        """The p-quantile over requests, 0 < p < 1."""
        if p not in self._quantiles:
            mean_wait = self.mean - self.base
            spread = self.prompt * (self.traffic.quantiles(p)[0] / self.traffic.input_mean - 1.0)
            self._quantiles[p] = self.mean + _combine(spread, self._wait_quantile(p) - mean_wait)
        return self._quantiles[p]

    def _wait_quantile(self, p: float) -> Array:
        """The p-quantile of the wait: F(t) = b (t - from) / (to - from) + (1 - b) (1 - u exp(-t / scale)) = p.

        Closed form before and after the burst; inside F is concave, so that Newton's steps from the left stay left of
        the root and reach it from there.
        """
        u, b = np.clip(self.wait_probability, 1e-9, 1.0), self.burst_share
        scale = np.maximum(self.wait_mean / u / np.maximum(1.0 - b, 1e-9), 1e-12)
        if not np.any(b > 0.0):
            return scale * np.log(np.maximum(u / (1.0 - p), 1.0))
        steady = np.maximum(1.0 - b, 1e-12)
        start, end = self.burst_from_s, self.burst_s
        later = np.maximum(1.0 - p / steady, 0.0)
        before = np.where(later > 0.0, scale * np.log(np.maximum(u / np.maximum(later, 1e-300), 1.0)), np.inf)
        after = scale * np.log(np.maximum(u * steady / (1.0 - p), 1.0))
        slope = b / np.maximum(end - start, 1e-12)
        inside = start + np.maximum(p - steady, 0.0) / np.maximum(slope, 1e-300)
        for _ in range(_NEWTON_STEPS):
            left = steady * u * np.exp(-inside / scale)
            missing = p - slope * (inside - start) - steady + left
            step = missing / np.maximum(slope + left / scale, 1e-300)
            inside = np.minimum(np.maximum(inside + step, start), end)
        return np.where(before <= start, before, np.where(after >= end, after, inside))


@dataclass(frozen=True)
class TpotDistribution:
    """Time per output token after the first, seconds: normal with `mean` and `sd` over requests."""

    mean: Array
    sd: Array

    def quantile(self, p: float) -> Array:
        """The p-quantile over requests, never below half of the mean."""
        return np.maximum(self.mean + NormalDist().inv_cdf(p) * self.sd, 0.5 * self.mean)


@dataclass(frozen=True)
class E2eDistribution:
    """Request latency, seconds, from its two parts and the output length."""

    ttft: TtftDistribution
    tpot: TpotDistribution
    traffic: Traffic

    @property
    def mean(self) -> Array:
        """Mean over all requests."""
        return self.ttft.mean + (self.traffic.output_mean - 1.0) * self.tpot.mean

    def quantile(self, p: float) -> Array:
        """The p-quantile over requests."""
        after_first = self.traffic.output_mean - 1.0
        deviations: tuple[Array, ...] = (
            self.ttft.quantile(p) - self.ttft.mean,
            after_first * (self.tpot.quantile(p) - self.tpot.mean),
            (self.traffic.quantiles(p)[1] - self.traffic.output_mean) * self.tpot.mean,
        )
        return np.maximum(self.mean + _combine(*deviations), self.ttft.mean)


def _combine(*deviations: Array) -> Array:
    """Sum of independent deviations: signed root of the signed sum of squares."""
    total: Array = np.zeros(())
    for d in deviations:
        total = total + np.sign(d) * d * d
    return np.sign(total) * np.sqrt(np.abs(total))


Distribution = TtftDistribution | TpotDistribution | E2eDistribution
Quantile = Callable[[float], Array]
