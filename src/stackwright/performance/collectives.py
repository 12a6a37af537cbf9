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


def rack_exchange_s(
    n_bytes: Array,
    ranks: Array,
    rack: Array,
    up_bytes_per_s: Array,
    out_bytes_per_s: Array,
    dispatch: NDArray[np.bool_],
) -> Array:
    """Seconds of one exchange of `n_bytes` over `ranks` in racks of `rack` chips, one kind of link after the other.

    An all-reduce is hierarchical: reduce-scatter in the rack, all-reduce of each rank's 1/rack over the racks,
    all-gather in the rack: 2 (r - 1)/r over scale-up links, 2 (1 - r/g)/r over the network for g ranks in racks of r.
    A dispatch and combine (`dispatch`, tokens to experts anywhere) keeps the ring's volume 2 (g - 1)/g, of which the
    share (g - r)/(g - 1) that belongs to other racks leaves over the network.
    """
    out = np.where(dispatch, (ranks - rack) / ranks, (1.0 - rack / ranks) / rack)
    inside = np.where(dispatch, (rack - 1.0) / ranks, (rack - 1.0) / rack)
    seconds: Array = 2.0 * n_bytes * (inside / up_bytes_per_s + out / out_bytes_per_s)
    return seconds


def all_reduce_s(n_bytes: Array, ranks: Array, latency_s: Array, bytes_per_s: Array) -> tuple[Array, Array]:
    """Latency part and transfer part (seconds) of one all-reduce, zero for a single rank.

    `bytes_per_s` is the achieved one-direction link rate of a chip.
    """
    many = ranks > 1.0
    return np.where(many, latency_s, 0.0), np.where(many, ring_volume(n_bytes, ranks) / bytes_per_s, 0.0)
