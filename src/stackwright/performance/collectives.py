"""Time of communication between the chips of a replica."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def ring_volume(n_bytes: Array, ranks: Array) -> Array:
    """Bytes that each rank sends for an all-reduce of `n_bytes`: 2 (g - 1) / g of the message.

    Ring all-reduce, Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms", JPDC 69 (2009), theorem 1.
    """
    return n_bytes * (2.0 * (ranks - 1.0) / ranks)


def all_reduce_s(n_bytes: Array, ranks: Array, latency_s: Array, bytes_per_s: Array) -> tuple[Array, Array]:
    """Latency part and transfer part (seconds) of one all-reduce, zero for a single rank.

    `bytes_per_s` is the achieved one-direction link rate of a chip.
    """
    many = ranks > 1.0
    return np.where(many, latency_s, 0.0), np.where(many, ring_volume(n_bytes, ranks) / bytes_per_s, 0.0)
