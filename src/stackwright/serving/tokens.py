"""Moments of request lengths that the step-time formulas need, from a workload."""

from __future__ import annotations

import math

from stackwright.workload import Workload


def prompt_tokens(w: Workload) -> float:
    """Mean input tokens that must be computed: those not found in the prefix cache."""
    return w.computed_input_mean


def prompt_context(w: Workload) -> float:
    """Mean tokens that a computed prompt token attends to: the cached prefix plus half of the rest.

    The factor 1 + cv^2 makes tokens x context the mean of a quadratic over random lengths.
    """
    cached = w.input.mean * w.prefix_hit_rate
    return (cached + prompt_tokens(w) / 2.0) * (1.0 + w.input.cv**2)


def decode_context(w: Workload) -> float:
    """Mean tokens that a decoding sequence attends to.

    Input plus half of the output; sequences found running are length-biased, E[o^2] / (2 E[o]).
    """
    return w.input.mean + w.output.mean / 2.0 * (1.0 + w.output.cv**2)


def longest_request(w: Workload) -> float:
    """Tokens of a long request: 99th percentile of input plus 99th percentile of output."""
    return w.input.quantile(0.99) + w.output.quantile(0.99)


def max_model_len(w: Workload) -> int:
    """Context length to configure: the longest request of the workload (99.9 %), rounded up to 1024 tokens."""
    longest = w.input.quantile(0.999) + w.output.quantile(0.999)
    return 1024 * math.ceil(max(longest, longest_request(w)) / 1024)
