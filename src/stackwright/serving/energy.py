"""Watts of a replica while it serves a load."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackwright.performance import Candidates
from stackwright.performance.power import chip_power_w, utilisation
from stackwright.serving.closed_loop import Service

Array = NDArray[np.float64]


def replica_chip_power_w(c: Candidates, service: Service) -> Array:
    """Mean watts of one chip of the replica: prompt share, decode share and idle share of the time.

    Prompts take `request rate x prompt time` of each second; an engine with fewer than one running sequence
    on average is idle for the rest.
    """
    ph = service.phases
    per_rank = service.request_rate / c.shard.data
    prompt_share = np.clip(per_rank * ph.batched_prompt_s, 0.0, 1.0)
    decode_share = np.minimum(1.0 - prompt_share, ph.running)
    zero = np.zeros_like(prompt_share)
    decode_w = chip_power_w(c, *utilisation(ph.decode))
    prompt_w = chip_power_w(c, *utilisation(ph.prompt))
    idle_w = chip_power_w(c, zero, zero)
    return prompt_share * prompt_w + decode_share * decode_w + (1.0 - prompt_share - decode_share) * idle_w
