"""Watts of a replica while it serves a load."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.performance import Candidates
from stackwright.performance.pools import Pooled
from stackwright.performance.power import chip_power_w, utilisation
from stackwright.serving.closed_loop import Service

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Use:
    """What the chips of a replica do with their time: shares of it, and utilisations (memory, compute) in each.

    `prompt_share` and `decode_share` leave the rest idle.
    """

    prompt_share: Array
    decode_share: Array
    prompt: tuple[Array, Array]
    decode: tuple[Array, Array]

    def paced(self, ratio: Array) -> Use:
        """The same work done `ratio` times as fast: prompts take that share more, decode steps are that much busier."""
        prompts = np.clip(self.prompt_share * ratio, 0.0, 1.0)
        memory, compute = (np.minimum(busy * ratio, 1.0) for busy in self.decode)
        return Use(prompts, np.minimum(1.0 - prompts, self.decode_share), self.prompt, (memory, compute))


def replica_use(c: Candidates, service: Service) -> Use:
    """Shares of the time of a replica.

    Prompts take `request rate x prompt time` of each second; an engine with fewer than one running sequence
    on average is idle for the rest.
    """
    ph = service.phases
    prompts = np.clip(service.request_rate / c.shard.data * ph.batched_prompt_s, 0.0, 1.0)
    return Use(prompts, np.minimum(1.0 - prompts, ph.running), utilisation(ph.prompt), utilisation(ph.decode))


def use_power_w(c: Candidates, use: Use) -> Array:
    """Mean watts of one chip: prompt share, decode share and idle share of the time."""
    zero = np.zeros_like(use.prompt_share)
    watts = use.prompt_share * chip_power_w(c, *use.prompt) + use.decode_share * chip_power_w(c, *use.decode)
    return watts + (1.0 - use.prompt_share - use.decode_share) * chip_power_w(c, zero, zero)


def pool_chip_power_w(d: Pooled, service: Service) -> Array:
    """Mean watts of one chip of both pools under their load: prompts and idling in one, decode steps in the other.

    `unvalidated`: no measured row of pools has watts.
    """
    ph, none = service.phases, np.zeros_like(service.request_rate)
    ranks = d.prefill_workers * d.prefill.shard.data
    prompts = np.clip(service.request_rate / ranks * ph.batched_prompt_s, 0.0, 1.0)
    first = Use(prompts, none, utilisation(ph.prompt), utilisation(ph.decode))
    second = Use(none, np.minimum(1.0, ph.running), utilisation(ph.prompt), utilisation(ph.decode))
    watts = d.prefill_workers * d.prefill.n_chips * use_power_w(d.prefill, first)
    watts = watts + d.decode_workers * d.decode.n_chips * use_power_w(d.decode, second)
    mean: Array = watts / d.n_chips
    return mean


def replica_chip_power_w(c: Candidates, service: Service) -> Array:
    """Mean watts of one chip of the replica under its load."""
    return use_power_w(c, replica_use(c, service))
