r"""Where reusable prefixes are kept: free device memory, then host memory, and what it costs to bring them back.

The workload's `prefix_hit_rate` h is the share of input tokens that some earlier request has computed. Of a working set
of S distinct prefix tokens an attention rank keeps those that fit its free cache and its share of host memory,

.. math::

    h' = h \min\Big(1, \frac{m_{free} + m_{host}}{b\,S}\Big)

b bytes of cache per token and chip: every prefix is as likely as any other, and no rank knows what another one keeps.
Tokens found in host memory cross the host link before the prompt runs, with nothing overlapped. `unvalidated`: no
measured row offloads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackwright.errors import InputError
from stackwright.performance.memory import kv_bytes_per_sequence, memory_budget
from stackwright.performance.pools import Pooled, Served
from stackwright.serving.closed_loop import Service
from stackwright.serving.traffic import Traffic, traffic
from stackwright.workload import Workload

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PrefixCache:
    """`working_set_tokens` distinct prefix tokens; `host_bytes` of host memory and `host_bytes_per_s` to it, per chip.

    Without `host_bytes` prefixes are kept in device memory only.
    """

    working_set_tokens: float
    host_bytes: float = 0.0
    host_bytes_per_s: float = np.inf


@dataclass(frozen=True)
class Kept:
    """What is found: the hit rate, the share of hits that lie in host memory, seconds to load those of a prompt."""

    hit_rate: float
    in_host: float
    load_s: float

    def apply(self, w: Workload) -> Traffic:
        """The workload's traffic with this hit rate and load time."""
        return replace(traffic(replace(w, prefix_hit_rate=self.hit_rate)), cache_load_s=self.load_s)


def kept_prefixes(c: Served, w: Workload, cache: PrefixCache, service: Service) -> Kept:
    """What is kept beside the sequences that `service` runs, of the first candidate.

    Prefill workers keep the prefixes of disaggregated pools. Raises `InputError` without a share of reusable tokens.
    """
    if w.prefix_hit_rate <= 0.0:
        raise InputError("a working set of prefixes needs a workload that reuses tokens: give --prefix-hit-rate")
    worker = c.prefill if isinstance(c, Pooled) else c
    t, ph = traffic(w), service.phases
    if isinstance(c, Pooled):
        used = ph.prompts_per_batch * kv_bytes_per_sequence(worker, t.input_mean)
    else:
        used = ph.running * kv_bytes_per_sequence(worker, np.asarray(t.decode_context))
    prefix = w.prefix_hit_rate * w.input.mean
    per_token = float((kv_bytes_per_sequence(worker, prefix) / prefix).flat[0])
    free = float(np.maximum(memory_budget(worker).kv - used, 0.0).flat[0]) / per_token
    kept = min(free + cache.host_bytes / per_token, cache.working_set_tokens)
    hit_rate = w.prefix_hit_rate * kept / cache.working_set_tokens
    in_host = max(kept - free, 0.0) / kept if kept > 0.0 else 0.0
    rate = cache.host_bytes_per_s * float(np.asarray(worker.theta["pool_link_efficiency"]).flat[0])
    return Kept(hit_rate, in_host, hit_rate * w.input.mean * in_host * per_token / rate)
