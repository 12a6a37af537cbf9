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
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from stackwright.serving.traffic import Traffic

Array = NDArray[np.float64]
_BISECTIONS = 40


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

    @property
    def mean(self) -> Array:
        """Mean over all requests."""
        return self.base + self.wait_mean + self.burst_share * (self.burst_from_s + self.burst_s) / 2.0

    def quantile(self, p: float) -> Array:
        """The p-quantile over requests, 0 < p < 1."""
        wait = self._wait_quantile(p)
        mean_wait = self.mean - self.base
        spread = self.prompt * (self.traffic.quantiles(p)[0] / self.traffic.input_mean - 1.0)
        return self.mean + _combine(spread, wait - mean_wait)

    def _wait_quantile(self, p: float) -> Array:
        u = np.clip(self.wait_probability, 1e-9, 1.0)
        scale = self.wait_mean / u / np.maximum(1.0 - self.burst_share, 1e-9)
        steady = scale * np.log(np.maximum(u / (1.0 - p), 1.0))
        if not np.any(self.burst_share > 0.0):
            return steady
        low = np.zeros_like(steady)
        high = np.maximum(np.where(self.burst_share < 1.0, steady, 0.0), self.burst_s)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            below = self._wait_cdf(middle, u, scale) < p
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return high

    def _wait_cdf(self, t: Array, u: Array, scale: Array) -> Array:
        steady = 1.0 - u * np.exp(-t / np.maximum(scale, 1e-12))
        width = np.maximum(self.burst_s - self.burst_from_s, 1e-12)
        burst = np.clip((t - self.burst_from_s) / width, 0.0, 1.0)
        return self.burst_share * burst + (1.0 - self.burst_share) * steady


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
